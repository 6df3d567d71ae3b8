"""Objectives: a share of what is good over a window, its error budget, and how fast it burns.

All arithmetic is of whole numbers: an objective is the fraction that is written, and good and bad are counts.
Source: Beyer and others 2018, The Site Reliability Workbook, chapter 5 (multiwindow, multi-burn-rate alerts).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.monitor.segment import EVERYTHING, Segment
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold

Counts = npt.NDArray[np.int64]

HOUR_S: Final = 3600
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SHARE, REST = "value", "1 - value"  # the monitor's value is the share of what is good, or of what is bad


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert: the budget burns `factor` times as fast as it may, over long_s seconds and still over short_s."""

    factor: Fraction
    long_s: int
    short_s: int
    severity: str


# Of a budget of 30 days, 2 % are gone in an hour, 5 % in six, 10 % in three days.
RULES: Final = (
    Rule(Fraction("14.4"), HOUR_S, 300, "page"),
    Rule(Fraction(6), 6 * HOUR_S, 1800, "page"),
    Rule(Fraction(1), 72 * HOUR_S, 6 * HOUR_S, "warn"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One file of slos/.

    good: SHARE or REST of a monitor's value, counted by its n; or a bound that the value of a window keeps: then
    windows are counted. subject: of the monitor, the one that is meant.
    """

    name: str
    title: str
    service: str
    objective: Fraction
    window_s: int
    monitor: str
    good: str | Threshold
    step_s: int = 300
    subject: str = ""
    segment: Segment = EVERYTHING
    owner: str = ""
    runbook: str = ""

    @property
    def allowed(self) -> Fraction:
        """Share that may be bad."""
        return 1 - self.objective


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the budget burns by one rule; 1: it lasts just as long as the window. None where nothing was asked."""

    rule: Rule
    long: Fraction | None
    short: Fraction | None

    @property
    def fires(self) -> bool:
        """Whether it is too fast, and still is."""
        return all(rate is not None and rate >= self.rule.factor for rate in (self.long, self.short))


@dataclass(frozen=True, slots=True)
class Status:
    """Of an objective at a time. spent: share of the budget that is gone, which may be more than 1; None: no events."""

    end: datetime
    good: int
    total: int
    spent: Fraction | None
    burns: tuple[Burn, ...]

    @property
    def share(self) -> Fraction | None:
        """Of what was good; None where nothing was asked."""
        return Fraction(self.good, self.total) if self.total else None

    @property
    def severity(self) -> str:
        """The gravest rule that fires: page, warn, or ok."""
        firing = {burn.rule.severity for burn in self.burns if burn.fires}
        return next((word for word in ("page", "warn") if word in firing), "ok")


@dataclass(frozen=True, slots=True)
class Met:
    """What an objective would have been over a history.

    windows: that ended in it, one a step; met: of them. worst: the lowest share of one. pages, warnings: how often an
    alert would have begun.
    """

    objective: Fraction
    windows: int
    met: int
    worst: Fraction | None
    pages: int
    warnings: int


class History:
    """Good and all events by step, from `begin` on; steps without a row had no events."""

    def __init__(self, slo: Slo, rows: Iterable[Row], begin: datetime, end: datetime) -> None:
        self._begin, self._step = begin, timedelta(seconds=slo.step_s)
        steps = max(0, (end - begin) // self._step)
        good, total = np.zeros(steps + 1, np.int64), np.zeros(steps + 1, np.int64)
        for row in rows:
            place = (row.begin - begin) // self._step
            if 0 <= place < steps and row.value is not None:
                counted = _counted(slo.good, row)
                good[place + 1] += counted[0]
                total[place + 1] += counted[1]
        self._slo, self._good, self._total = slo, np.cumsum(good), np.cumsum(total)

    def status(self) -> Status:
        """At the end of the history."""
        last = len(self._good) - 1
        good, total = self._within(last, self._slo.window_s)
        burns = tuple(Burn(rule, self._rate(last, rule.long_s), self._rate(last, rule.short_s)) for rule in RULES)
        spent = Fraction(total - good, total) / self._slo.allowed if total else None
        return Status(self._begin + last * self._step, good, total, spent, burns)

    def burn(self, rule: Rule, begin: datetime) -> Row:
        """How fast the budget burns at the end of a window as long as the rule's short span: by the slower of both."""
        end = begin + timedelta(seconds=rule.short_s)
        last = (end - self._begin) // self._step
        long, short = self._rate(last, rule.long_s), self._rate(last, rule.short_s)
        good, total = self._within(last, rule.long_s)
        return Row(
            begin=begin,
            subject="",
            value=None if long is None or short is None else float(min(long, short)),
            n=total,
            details={
                "long": None if long is None else float(long),
                "short": None if short is None else float(short),
                "since": (end - timedelta(seconds=rule.long_s)).isoformat(),
                "good": good,
                "objective": float(self._slo.objective),
            },
        )

    def met(self, objectives: Sequence[Fraction]) -> list[Met]:
        """What each objective would have been, over all windows that lie in the history."""
        size = self._slo.window_s // self._slo.step_s
        good, total = _sums(self._good, size), _sums(self._total, size)
        good, total = good[size:], total[size:]
        asked = total > 0
        worst = min((Fraction(int(g), int(t)) for g, t in zip(good[asked], total[asked], strict=True)), default=None)
        found = []
        for objective in objectives:
            held = ~_exceeds(total - good, total, 1 - objective, strictly=True)
            pages, warnings = (self._began(objective, severity) for severity in ("page", "warn"))
            found.append(Met(objective, len(good), int(held.sum()), worst, pages, warnings))
        return found

    def _within(self, last: int, span_s: int) -> tuple[int, int]:
        first = max(0, last - span_s // self._slo.step_s)
        return int(self._good[last] - self._good[first]), int(self._total[last] - self._total[first])

    def _rate(self, last: int, span_s: int) -> Fraction | None:
        good, total = self._within(last, span_s)
        return Fraction(total - good, total) / self._slo.allowed if total else None

    def _began(self, objective: Fraction, severity: str) -> int:
        """How often an alert of a severity would have begun."""
        fires = np.zeros(len(self._good), np.bool_)
        for rule in (rule for rule in RULES if rule.severity == severity):
            both = np.ones(len(self._good), np.bool_)
            for span_s in (rule.long_s, rule.short_s):
                size = max(1, span_s // self._slo.step_s)
                good, total = _sums(self._good, size), _sums(self._total, size)
                both &= (total > 0) & _exceeds(total - good, total, rule.factor * (1 - objective), strictly=False)
            fires |= both
        return int(np.count_nonzero(fires[1:] & ~fires[:-1]))


def last_span(slo: Slo, end: datetime, span: timedelta) -> tuple[datetime, datetime]:
    """Begin and end of the last whole steps before a time, as long as `span`. Steps begin at multiples since 1970."""
    step = timedelta(seconds=slo.step_s)
    last = end - (end - EPOCH) % step
    return last - (span // step) * step, last


def _counted(good: str | Threshold, row: Row) -> tuple[int, int]:
    """Good and all events of a row."""
    assert row.value is not None
    if isinstance(good, Threshold):
        return int(good.crossed(row.value)), 1
    counted = round(row.value * row.n)
    return (counted if good == SHARE else row.n - counted), row.n


def _sums(upto: Counts, size: int) -> Counts:
    """Sums of the last `size` steps, of fewer at the beginning."""
    found: Counts = upto - np.concatenate([np.zeros(min(size, len(upto)), np.int64), upto[:-size]])[: len(upto)]
    return found


def _exceeds(bad: Counts, total: Counts, share: Fraction, *, strictly: bool) -> npt.NDArray[np.bool_]:
    """Whether bad / total is more than a share, or at least it; without division."""
    if max(share.denominator, share.numerator) * int(total.max(initial=0)) >= 2**63:
        bad, total = bad.astype(object), total.astype(object)  # of any length
    left, right = bad * share.denominator, total * share.numerator
    found: npt.NDArray[np.bool_] = left > right if strictly else left >= right
    return found
