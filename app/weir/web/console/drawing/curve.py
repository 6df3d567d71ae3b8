"""Pictures over something else than time: chance against what came true, error by value, what is known by an age."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from weir.core import numbers
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene
from weir.web.console.drawing.chart import MOST_LINES, TONES, Band, Chart, Line, Rule, Values
from weir.web.console.drawing.windows import finite, newest, number

SURE: Final = 0.9  # share of outcomes from which a window is called mature
MOST_AGES: Final = 7  # labels of the axis
EDGE: Final = 0.05  # of the days that are usual, on either side


def calibration(
    rows: Sequence[Row], scene: Scene, older: Sequence[Row] = (), names: tuple[str, str] | None = None
) -> Chart:
    """Share that came true by the chance that was given, with its interval: filled in the newest window that counts.

    Of two classes an older version is beside it, hollow; where there is none the window before. Of more classes there
    are the MOST_LINES of the most rows. older: rows of that version; names: of it, and of the other.
    """
    now, before = newest(rows, scene), newest(older, scene)
    classes = _classes(now)
    chances = sorted({chance for row in (*rows, *older) if (chance := number(row, "chance")) is not None})
    lines = []
    if not before and now:
        begins = {row.begin for row in rows if row.begin < now[0].begin}
        before = [row for row in rows if begins and row.begin == max(begins)]
    if len(classes) == 1 and before:
        label = names[0] if names else numbers.day(before[0].begin)
        lines.append(_points(before, scene, chances, label, tone="base", hollow=True))
    for place, name in enumerate(classes):
        mine = [row for row in now if _class(row) == name]
        alone = names[1] if names else numbers.day(now[0].begin)
        label = alone if len(classes) == 1 else name
        lines.append(_points(mine, scene, chances, label, tone=TONES[place], hollow=False))
    return Chart(
        name="Share that came true by the chance that was given",
        kind="points",
        x=chances,
        series=lines,
        unit="chance",
        x_unit="chance",
        range=(0, 1),
        x_range=(0, 1),
        diagonal=(0, 1),
        height=270,
    )


def _points(
    rows: Sequence[Row], scene: Scene, chances: Sequence[float], label: str, *, tone: str, hollow: bool
) -> Line:
    enough = {number(row, "chance"): row for row in rows if row.n >= scene.monitor.minimum}
    found = [enough.get(chance) for chance in chances]
    return Line(
        label=label,
        values=[None if row is None else finite(row.value) for row in found],
        low=[None if row is None else finite(row.low) for row in found],
        high=[None if row is None else finite(row.high) for row in found],
        tone=tone,
        hollow=hollow,
        points=True,
        line=False,
        size=8,
    )


def _class(row: Row) -> str:
    """Of a subject CLASS/TENTH; a class may have strokes in its name."""
    return row.subject.rpartition("/")[0]


def _classes(rows: Sequence[Row]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[_class(row)] = counts.get(_class(row), 0) + row.n
    return sorted(sorted(counts, key=lambda name: -counts[name])[:MOST_LINES])


def error_by_value(rows: Sequence[Row], scene: Scene, unit: str = "number") -> Chart:
    """Mean error with its interval and mean size of errors, by predicted value, of the newest window that counts."""
    now = sorted(newest(rows, scene), key=lambda row: _number(row.subject))
    known = [row for row in now if row.n >= scene.monitor.minimum and row.value is not None]
    places = [float(place) for place in range(len(known))]
    names = [numbers.short(_number(row.subject)) for row in known]
    every = max(1, math.ceil(len(known) / 12))
    return Chart(
        name="Mean error by predicted value",
        kind="points",
        x=places,
        x_says=[f"from {name}" for name in names],
        x_ticks=[(place, names[int(place)]) for place in places[::every]],
        x_range=(-0.5, max(len(known) - 0.5, 0.5)),
        unit=unit,
        height=270,
        series=[
            Line(
                label="mean error",
                values=[finite(row.value) for row in known],
                low=[finite(row.low) for row in known],
                high=[finite(row.high) for row in known],
                points=True,
                line=False,
                size=8,
            ),
            Line(label="mean size", values=[number(row, "mae") for row in known], tone="base", dash=(4, 3)),
        ],
        rules=[Rule(at=0.0, label="", tone="base")],
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def maturity(rows: Sequence[Row], scene: Scene) -> Chart:
    """Share of outcomes that are known by an age: of the usual window, of most of them, and of the newest."""
    ages = sorted({age for row in rows if (age := number(row, "age_s"))})
    by_age = {age: [row for row in rows if number(row, "age_s") == age and row.value is not None] for age in ages}
    begins = sorted({row.begin for row in rows})
    usual = [sorted(float(row.value or 0) for row in by_age[age] if row.begin < begins[-1]) for age in ages]
    lines, bands = [], []
    if any(usual):
        lines.append(Line(label="usual", values=[_quantile(each, 0.5) for each in usual], tone="s4", width=2))
        low, high = ([_quantile(each, share) for each in usual] for share in (EDGE, 1 - EDGE))
        bands.append(Band(low=low, high=high, tone="s4", weight=0.2, label=f"5–95{numbers.THIN}% of windows"))
    if begins:
        lines.append(_newest(begins[-1], by_age, ages))
    return Chart(
        name="Share of outcomes known, by age of the prediction",
        kind="lines",
        x=ages,
        x_unit="s",
        x_log=True,
        x_range=(ages[0], ages[-1]) if len(ages) > 1 else None,
        x_ticks=[(age, numbers.span(age)) for age in _spread(ages)],
        series=lines,
        bands=bands,
        rules=[Rule(at=SURE, label="mature", tone="base")],
        unit="share",
        range=(0, 1),
        height=270,
    )


def _newest(begin: datetime, by_age: dict[float, list[Row]], ages: Sequence[float]) -> Line:
    found: Values = [next((row.value for row in by_age[age] if row.begin == begin), None) for age in ages]
    return Line(label=numbers.day(begin), values=found, tone="s2", width=2, points=True, size=5)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _spread(ages: Sequence[float]) -> list[float]:
    """Some of them, no closer to one another than labels are wide on an axis of logarithms."""
    if len(ages) < 2:
        return list(ages)
    least, found = math.log(ages[-1] / ages[0]) / MOST_AGES, [ages[0]]
    for age in ages[1:]:
        if math.log(age / found[-1]) >= least * 0.9:
            found.append(age)
    return found


def classes_left_out(rows: Sequence[Row], scene: Scene) -> int:
    """Classes that the picture of calibration has no points for."""
    return max(0, len({_class(row) for row in newest(rows, scene)}) - MOST_LINES)
