"""What is asked of a service beside the first questions: a panel only where its monitor has something to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from weir.core.signature import Task
from weir.monitor.spec import Row
from weir.web.console import releases
from weir.web.console.asking import Asker
from weir.web.console.drawing import lines
from weir.web.console.drawing.chart import MOST_LINES, Chart, Line, Rule, tones
from weir.web.console.drawing.windows import along, by_subject, held, number
from weir.web.console.panel import Build, Panel
from weir.web.console.told import Told, slowly, told
from weir.web.console.view import View

TALL: Final = 150  # pixels of a picture; two of them beneath each other are as tall as a panel


@dataclass(frozen=True, slots=True)
class Further:
    """A monitor that has a panel where it has reason. reason: whether a row of it is one. slow: in few windows.

    tasks: of the services that it is asked of; empty for all.
    """

    monitor: str
    question: str
    reason: Callable[[Row], bool]
    slow: bool = False
    tasks: tuple[Task, ...] = ()


def _has_value(row: Row) -> bool:
    return row.value is not None


FURTHER: Final[Mapping[str, Further]] = {
    "errors": Further("health/errors", "How much is turned into dead letters?", lambda row: bool(row.value)),
    "lag": Further("health/lag", "How far behind are the scorers?", _has_value),
    "golden": Further("health/golden", "Are known answers still given?", lambda row: row.n > 0),
    "views": Further("health/features", "Are the features as fresh as they must be?", _has_value, slow=True),
    "decisions": Further(
        "outcome/decisions", "Are the right ones flagged, and how many?", _has_value, slow=True, tasks=(Task.BINARY,)
    ),
    "value": Further("outcome/value", "What did it earn?", _has_value, slow=True),
}


def build_of(name: str) -> Build:
    """Who builds one of them."""

    def build(asker: Asker, view: View) -> Panel:
        return _build(asker, view, name, FURTHER[name])

    return build


def _build(asker: Asker, view: View, name: str, one: Further) -> Panel:
    """Its panel; one that is not shown where there is no reason. Raises Unavailable, Refused."""
    if one.tasks and asker.task(view.service) not in one.tasks:
        return Panel(name=name, question=one.question, template="picture.html", shown=False)
    found = told(asker, view, one.monitor, **(slowly(view) if one.slow else {}))
    if not any(one.reason(row) for row in found.rows):
        return Panel(name=name, question=one.question, template="picture.html", shown=False)
    marks = releases.marks(asker, view)
    chart = replace(lines.over_time(found.rows, found.scene, height=TALL), marks=marks)
    more = f" {left} more are in the rows." if (left := lines.left_out(found.rows, found.scene)) else ""
    context: dict[str, Any] = {"charts": [chart]}
    if one.monitor == "health/features":
        context["charts"].append(replace(ages(found, limits(asker, view.service)), marks=marks))
    return Panel(
        name=name,
        question=one.question,
        verdict=found.verdict,
        template="pictures.html",
        context=context,
        note=f"{found.scene.monitor.title}.{more}",
        monitor=one.monitor,
        asked=found.query,
        unsplit=asker.unsplit(one.monitor, view),
    )


def limits(asker: Asker, service: str) -> dict[str, float]:
    """How old a value of each view may be by its contract, seconds. Raises Unavailable, Refused."""
    rows = asker.sql("features/contract", service=service)
    return {row["view"]: float(row["ttl_s"]) for row in rows if row["ttl_s"] > 0}


def ages(found: Told, allowed: Mapping[str, float]) -> Chart:
    """The age of 99 in 100 values of each view over the windows, beside what its contract allows."""
    parts = by_subject(found.rows)
    names = sorted(parts, key=lambda name: -sum(row.n for row in parts[name]))[:MOST_LINES]
    shown = [name for name in parts if name in names]
    return lines.timed(
        found.scene,
        name="Age of 99 in 100 values, by view",
        series=[
            Line(
                label=f"{name}, age of 99 in 100",
                values=along(parts[name], found.scene, lambda row: number(row, "p99_age_s")),
                **tones(place),
            )
            for place, name in enumerate(shown)
        ],
        rules=[Rule(at=allowed[name], label=f"{name} may be", soft=True) for name in shown if name in allowed],
        unit="s",
        zero=True,
        held=held(found.rows, found.scene),
        height=TALL,
    )
