"""Traffic and speed of every service on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from weir.core.numbers import figure
from weir.monitor.spec import Row
from weir.web.console import words
from weir.web.console.asking import Asker
from weir.web.console.panel import Panel
from weir.web.console.view import View

QUESTION: Final = "How much, and how fast?"
MONITOR: Final = "health/traffic"
MOST: Final = 5  # lines; of more services those with most traffic
TONES: Final = ("s1", "s2", "s3", "s4", "s5")
DASHES: Final = ((), (6, 3), (2, 3), (8, 3, 2, 3), (4, 2))  # so that lines are told apart in grey


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    names = [view.service] if view.service else list(asker.services())
    answers = asker.all(*(partial(asker.rows, MONITOR, view, service=name) for name in names))
    most = sorted(zip(names, answers, strict=True), key=lambda one: -sum(row.n for row in one[1]))[:MOST]
    some = any(rows for _, rows in most)
    rate = [(name, _by_time(view, rows, rate=True)) for name, rows in most]
    speed = [(name, _by_time(view, rows, rate=False)) for name, rows in most]
    return Panel(
        name="traffic",
        question=QUESTION,
        template="traffic.html",
        context={
            "rate": _chart(view, rate, "rate", "Predictions a second, by service") if some else None,
            "speed": _chart(view, speed, "ms", "Latency of 99 in 100 answers, by service") if some else None,
        },
        note=f"The {MOST} services with most traffic." if len(names) > MOST else "",
        monitor=MONITOR if view.service else "",
    )


def _by_time(view: View, rows: Sequence[Row], *, rate: bool) -> list[float | None]:
    by = {int(row.begin.timestamp()): row.n / view.step_s if rate else row.value for row in rows}
    return [by.get(at) for at in view.times]


def _chart(view: View, lines: Sequence[tuple[str, list[float | None]]], unit: str, label: str) -> Any:
    series = [
        {"label": name, "values": values, "tone": tone, **({"dash": list(dash)} if dash else {})}
        for (name, values), tone, dash in zip(lines, TONES, DASHES, strict=False)
    ]
    told = [
        ", ".join(f"{name} {figure(values[place], unit)}" for name, values in lines) for place in range(len(view.times))
    ]
    data = {"t": view.times, "series": series, "unit": unit, "zero": True, "height": 190, "says": told}
    return words.chart(data, "lines", label, "h190")
