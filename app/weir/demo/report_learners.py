"""The part of the demo's report that learners fill: each beside the champion, on the same requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from weir.demo.learned import BEHIND, HYBRID, Learned
from weir.learn.words import FIGURES

LEARNER: Final = "learner"


def to_json(learners: Sequence[Learned]) -> list[dict[str, Any]]:
    """Plain values, under the key `learners` of the demo's report."""
    return [
        {
            "name": one.name,
            "service": one.service,
            "model": one.model,
            "outcomes": one.outcomes,
            "blind": one.blind,
            "stopped": one.stopped,
            "proposal": one.word,
            "why": list(one.why),
            "closed_days": one.days,
            "drifts": one.drifts,
            "retraining": one.retraining,
            "auc_behind_champion": one.auc_behind,
            "cpu_s": round(one.cpu_s, 3),
            "months": [{key: _finite(value) for key, value in row.items()} for row in one.months],
        }
        for one in learners
    ]


def claims(learners: Sequence[Learned]) -> dict[str, bool]:
    """What the demo claims of half a year of flights, and whether it holds."""
    found = {f"learner {one.name} is not stopped": not one.stopped for one in learners}
    for one in (one for one in learners if one.name == HYBRID):
        behind = one.auc_behind
        found[f"the hybrid's AUC is at most {BEHIND:g} below the champion's"] = behind is not None and behind <= BEHIND
    return found


def show(learners: Sequence[Learned]) -> list[RenderableType]:
    """A table for each service, and what is proposed."""
    services = list(dict.fromkeys(one.service for one in learners))
    return [_service(service, [one for one in learners if one.service == service]) for service in services]


def _service(service: str, learners: Sequence[Learned]) -> RenderableType:
    rows = {_name(one, who): row for one in learners for who, row in one.figures.items()}
    names = [name for name in FIGURES if any(name in row for row in rows.values())]
    title = f"\nLearners of {service}, from outcomes as they came"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("who answers", style="cyan")
    for name in ("requests", *(FIGURES[name] for name in names)):
        table.add_column(name, justify="right")
    table.add_column("closed days say", style="dim", overflow="fold")
    said = {_name(one, LEARNER): _said(one) for one in learners}
    for who in sorted(rows, key=lambda one: one not in said):
        values = [_number(rows[who].get(name)) for name in names]
        table.add_row(who, f"{rows[who]['requests']:,}", *values, escape(said.get(who, "")))
    return table


def _name(one: Learned, who: str) -> str:
    return one.name if who == LEARNER else who


def _said(one: Learned) -> str:
    if one.stopped:
        return f"stopped by guard {one.stopped}"
    why = f": {'; '.join(one.why)}" if one.why else ""
    return f"{one.word}{why}"


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
