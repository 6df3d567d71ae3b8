"""Traffic and speed of every service on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from weir.core.numbers import figure
from weir.monitor.spec import Row
from weir.monitor.verdict import State, Verdict
from weir.web.console import objectives, releases
from weir.web.console.asking import Asker
from weir.web.console.drawing.chart import MOST_LINES, Chart, Line, Mark, tones
from weir.web.console.panel import Panel
from weir.web.console.told import complete_of_all
from weir.web.console.view import View

QUESTION: Final = "How much, and how fast?"
MONITOR: Final = "health/traffic"
Of = tuple[str, Sequence[Row]]


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    names = [view.service] if view.service else list(asker.services())
    answers = asker.all(*(partial(asker.rows, MONITOR, view, service=name) for name in names))
    most = sorted(zip(names, answers, strict=True), key=lambda one: -sum(row.n for row in one[1]))[:MOST_LINES]
    most = [one for one in most if one[1]]
    shown = [name for name, _ in most]
    marks = asker.all(*(partial(_marks, asker, view, name) for name in shown))
    every = sorted((mark for each in marks for mark in each), key=lambda mark: mark.at)
    held = complete_of_all(asker, view, shown)
    promised = {name: [rule.at for rule in objectives.promises(asker, name)] for name in shown}
    return Panel(
        name="traffic",
        question=QUESTION,
        verdict=verdict(most, view, promised),
        template="traffic.html",
        context={
            "rate": _chart(view, most, every, held, rate=True) if most else None,
            "speed": _chart(view, most, every, held, rate=False) if most else None,
        },
        note=f"The {MOST_LINES} services with most traffic." if len(names) > MOST_LINES else "",
        monitor=MONITOR,
    )


def verdict(most: Sequence[Of], view: View, promised: dict[str, list[float]] | None = None) -> Verdict:
    """How much is asked of whom, and who is slowest in a window. promised: milliseconds, by service."""
    if not most:
        return Verdict(State.UNKNOWN, "Nothing was asked in this time.")
    span_s = max((min(view.end, view.now) - view.begin).total_seconds(), 1.0)
    first, count = most[0][0], sum(row.n for row in most[0][1])
    whole = sum(row.n for _, rows in most for row in rows)
    much = f"{figure(whole / span_s, 'rate')} on average."
    if len(most) > 1:
        much = f"{much} Most of {first}, {figure(count / span_s, 'rate')}."
    worst = [(max(row.value or 0.0 for row in rows), name) for name, rows in most]
    slowest, name = max(worst)
    slow = f" The slowest window of {name}: 99 in 100 within {figure(slowest, 'ms')}."
    broken = [
        (name, min(limits)) for peak, name in worst if (limits := (promised or {}).get(name)) and peak > min(limits)
    ]
    kept = "".join(f" {name} has not always kept its promise of {figure(limit, 'ms')}." for name, limit in broken)
    return Verdict(State.LOOK if broken else State.UNKNOWN, f"{much}{slow}{kept}")


def _marks(asker: Asker, view: View, name: str) -> list[Mark]:
    return releases.marks(asker, view, name)


def _chart(
    view: View, most: Sequence[Of], marks: Sequence[Mark], held: Sequence[Sequence[int]], *, rate: bool
) -> Chart:
    return Chart(
        name="Predictions a second, by service" if rate else "Latency of 99 in 100 answers, by service",
        t=view.times,
        begin=int(view.begin.timestamp()),
        end=int(view.end.timestamp()),
        series=[
            Line(label=name, values=_by_time(view, rows, rate=rate), **tones(place))
            for place, (name, rows) in enumerate(most)
        ],
        marks=marks,
        held=held,
        unit="rate" if rate else "ms",
        zero=True,
    )


def _by_time(view: View, rows: Sequence[Row], *, rate: bool) -> list[float | None]:
    by = {int(row.begin.timestamp()): row.n / view.step_s if rate else row.value for row in rows}
    return [by.get(at) for at in view.times]
