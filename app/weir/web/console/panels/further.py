"""What is asked of a service beside the first questions: a panel only where its monitor has something to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from weir.core import numbers
from weir.monitor.spec import Row
from weir.web.console import releases
from weir.web.console.asking import Asker
from weir.web.console.course import stored
from weir.web.console.drawing import lines
from weir.web.console.drawing.chart import MOST_LINES, Chart, Line, Rule, tones
from weir.web.console.drawing.windows import along, by_subject, held, number
from weir.web.console.panel import Build, Panel
from weir.web.console.told import Told, in_steps, told
from weir.web.console.view import View

TALL: Final = 150  # pixels of a picture; two of them beneath each other are as tall as a panel
STEP_S: Final = 900  # of a day's windows, at most
DAY: Final = timedelta(days=1)
WEEKS: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Further:
    """A question that has a panel where it has reason.

    monitor: that answers it. told: what it says of a view; None where it cannot have anything to say. reason: whether a
    row is one. stored: whether the rows are those that the monitor worker has found.
    """

    monitor: str
    question: str
    told: Callable[[Asker, View, str], Told | None]
    reason: Callable[[Row], bool]
    stored: bool = False


def _has_value(row: Row) -> bool:
    return row.value is not None


def _of_day(asker: Asker, view: View, name: str) -> Told | None:
    """Of the last day of a view, since all predictions are read; None of a service that reads no view."""
    if not asker.sql("features/contract", service=view.service):
        return None
    begin = max(view.begin, view.end - DAY)
    return told(asker, view, name, **in_steps(replace(view, begin=begin), min(view.step_s, STEP_S)))


def _kept(asker: Asker, view: View, name: str) -> Told | None:
    """What the monitor worker has found of the view, or of the last two weeks: to ask anew is dear."""
    return stored(asker, view, name, min(view.begin, view.end - WEEKS))


FURTHER: Final[Mapping[str, Further]] = {
    "errors": Further("health/errors", "How much is turned into dead letters?", told, lambda row: bool(row.value)),
    "lag": Further("health/lag", "How far behind are the scorers?", told, _has_value),
    "golden": Further("health/golden", "Are known answers still given?", told, lambda row: row.n > 0),
    "views": Further("health/features", "Are the features as fresh as they must be?", _of_day, _has_value),
    "decisions": Further(
        "outcome/decisions", "Are the right ones flagged, and how many?", _kept, _has_value, stored=True
    ),
    "value": Further("outcome/value", "What did it earn?", _kept, _has_value, stored=True),
}


def build_of(name: str) -> Build:
    """Who builds one of them."""

    def build(asker: Asker, view: View) -> Panel:
        return _build(asker, view, name, FURTHER[name])

    return build


def _build(asker: Asker, view: View, name: str, one: Further) -> Panel:
    """Its panel; one that is not shown where there is no reason. Raises Unavailable, Refused."""
    found = one.told(asker, view, one.monitor)
    if found is None or not any(one.reason(row) for row in found.rows):
        return Panel(name=name, question=one.question, template="pictures.html", shown=False)
    marks = releases.marks(asker, view)
    charts = [replace(lines.over_time(found.rows, found.scene, height=TALL), marks=marks)]
    if name == "views":
        charts.append(replace(ages(found, limits(asker, view.service)), marks=marks))
    more = f" {left} more are in the rows." if (left := lines.left_out(found.rows, found.scene)) else ""
    by = f" As the monitor worker found it, by windows of {numbers.span(found.scene.step_s)}." if one.stored else ""
    return Panel(
        name=name,
        question=one.question,
        verdict=found.verdict,
        template="pictures.html",
        context={"charts": charts},
        note=f"{found.scene.monitor.title}.{by}{more}",
        monitor="overview/course" if one.stored else one.monitor,
        asked={**found.query, "monitor": one.monitor} if one.stored else found.query,
        unsplit=tuple(view.segment.filters) if one.stored else asker.unsplit(one.monitor, view),
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
