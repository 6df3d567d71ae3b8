"""How right is it probably, before the truth arrives: the estimate with its interval, beside what later came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from weir.core import numbers
from weir.monitor.spec import Row
from weir.monitor.verdicts import foreseen
from weir.web.console.asking import Asker
from weir.web.console.drawing import lines
from weir.web.console.drawing.chart import Band, Chart, Line
from weir.web.console.drawing.windows import along, finite
from weir.web.console.panel import Panel
from weir.web.console.told import DAY_S, Told, in_steps, told
from weir.web.console.view import View

NAME: Final = "outcome/foreseen"
QUESTION: Final = "How right is it probably, before the truth arrives?"
FOUR_WEEKS: Final = timedelta(days=28)
UNSURE: Final = "cannot be trusted"


def build(asker: Asker, view: View) -> Panel:
    """Days of the view, and of four weeks at least: a day alone says nothing of how good estimates are."""
    found = told(asker, view, NAME, **_days(view))
    mine = [row for row in foreseen.of_first(found.rows, found.scene) if row.details["estimate"] is not None]
    called = foreseen.name(mine[0].subject) if mine else ""
    return Panel(
        name="foreseen",
        question=QUESTION,
        verdict=found.verdict,
        template="picture.html",
        context={"chart_of": drawn(mine, found) if mine else None},
        note=f"{words_of(called)}by days. Estimated before outcomes are known; band: nine of ten estimates were off by"
        f" no more. Dotted: the estimate {UNSURE}. Points: what came true, where nine tenths of the outcomes are in.",
        monitor=NAME,
        asked=found.query,
        unsplit=asker.unsplit(NAME, view),
    )


def words_of(called: str) -> str:
    """The figure's name at the begin of a sentence."""
    return f"{called[:1].upper()}{called[1:]} " if called else "Figures "


def drawn(rows: Sequence[Row], found: Told) -> Chart:
    """One figure: its estimate where it is trusted and where not, its interval, and what came true."""
    scene = found.scene
    subject = rows[0].subject
    sure, low, high = (
        along(rows, scene, pick)
        for pick in (lambda row: finite(row.value), lambda row: finite(row.low), lambda row: finite(row.high))
    )
    unsure = along(rows, scene, lambda row: row.details["estimate"] if row.value is None else None)
    came = along(rows, scene, lambda row: row.details["realised"])
    looks: list[tuple[str, Any, dict[str, Any]]] = [
        ("estimate", sure, {"tone": "s1", "width": 2}),
        (f"estimate that {UNSURE}", unsure, {"tone": "s1", "dash": lines.DOTTED, "points": True}),
        ("came true", came, {"tone": "s2", "points": True, "line": False}),
    ]
    series = [Line(label=label, values=values, **look) for label, values, look in looks if _any(values)]
    band = [Band(low=low, high=high, label=f"90{numbers.THIN}% interval")] if _any(low) else []
    name = f"{words_of(foreseen.name(subject))}estimated, and what came true"
    made = lines.timed(scene, name=name, series=series, bands=band, unit=foreseen.unit(subject))
    return replace(made, height=230)


def _any(values: Sequence[float | None]) -> bool:
    return any(value is not None for value in values)


def _days(view: View) -> dict[str, Any]:
    days = in_steps(view, DAY_S)
    return days | {"begin": min(days["begin"], days["end"] - FOUR_WEEKS)}
