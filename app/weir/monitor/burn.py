"""Objectives as monitors: how fast an error budget burns, a monitor for each rule, judged and told like all others.

Its windows are as long as the short span of the rule, and a figure is about the long span that ends with its window: it
waits until all of that is complete.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from weir.monitor import durations
from weir.monitor.slo import RULES, Rule, Slo
from weir.monitor.spec import Monitor, Unit
from weir.monitor.threshold import Threshold

FOLDER: Final = "slo/"  # of their names: slo/<objective>/<long span>
RUNBOOK: Final = "slo"
SOURCE: Final = "Beyer and others 2018, The Site Reliability Workbook, chapter 5 (multiwindow, multi-burn-rate alerts)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnMonitor(Monitor):
    """One rule of an objective, by which it burns. asks: the monitor that tells what is good.

    Its value is the lesser of the rates over both spans: it crosses its bound when both do.
    """

    objective: Slo
    burns_by: Rule
    asks: Monitor

    @property
    @override
    def looks_back(self) -> int:
        return self.burns_by.long_s // self.burns_by.short_s

    @override
    def is_of(self, service: str) -> bool:
        return service == self.objective.service


def monitors(slo: Slo, asks: Monitor) -> list[BurnMonitor]:
    """Those of an objective, one a rule."""
    return [_of(slo, asks, rule) for rule in RULES]


def _of(slo: Slo, asks: Monitor, rule: Rule) -> BurnMonitor:
    bound, spans = Threshold(">=", float(rule.factor)), [durations.written(s) for s in (rule.long_s, rule.short_s)]
    return BurnMonitor(
        name=f"{FOLDER}{slo.name}/{spans[0]}",
        question="Does the error budget last?",
        title=f"Burn rate of {slo.title} over {spans[0]} and {spans[1]}",
        source=SOURCE,
        tasks=asks.tasks,
        time="begin",
        value="burn",
        unit=Unit.NUMBER,
        n="total",
        warn=bound if rule.severity == "warn" else None,
        page=bound if rule.severity == "page" else None,
        window_s=rule.short_s,
        maturity=asks.maturity,
        owner=slo.owner or asks.owner,
        runbook=slo.runbook or RUNBOOK,
        own=True,
        parameters={},
        sql=asks.sql,
        sha256=hashlib.sha256(f"{asks.sha256} {slo} {rule}".encode()).hexdigest(),
        objective=slo,
        burns_by=rule,
        asks=asks,
    )
