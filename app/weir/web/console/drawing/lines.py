"""Any monitor over time: a line for each of its columns, or for each of its subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from weir.core import numbers
from weir.monitor.spec import Row, Stroke
from weir.monitor.verdict import Scene
from weir.web.console.drawing.chart import MOST_LINES, Band, Chart, Line, Rule, Values, tones
from weir.web.console.drawing.windows import along, by_subject, finite, held, number, seconds, times

DOTTED: Final = (3, 4)
ZEROED: Final = frozenset({"share", "count", "rate", "ms", "s", "usd", "money", "bytes", "psi", "ks"})  # begin at 0
Pick = Callable[[Row], float | None]


def over_time(rows: Sequence[Row], scene: Scene, name: str = "", **more: Any) -> Chart:
    """The monitor of the scene over its windows, with intervals, bounds and gaps: its series, or its value by subject.

    What does not count (it is not complete or not mature, or is of too few rows) is dotted. name: what it shows; the
    monitor's title where it is empty. more: fields of Chart.
    """
    subjects = by_subject(rows)
    alone = len(subjects) <= 1
    bands: Sequence[Band] = ()
    if scene.monitor.series and alone:
        lines, bands = _columns(rows, scene), interval(rows, scene)
    elif alone:
        lines, bands = counted(rows, scene, _value, label=_label(scene)), interval(rows, scene)
    else:
        lines = _subjects(subjects, scene)
    unit = scene.monitor.unit.value
    plain = {
        "name": name or scene.monitor.title,
        "unit": unit,
        "currency": scene.currency,
        "zero": unit in ZEROED and all(row.value is None or row.value >= 0 for row in rows),
        "rules": bounds(scene),
        "held": held(rows, scene),
    }
    return timed(scene, series=lines, bands=bands, **{**plain, **more})


def timed(scene: Scene, **more: Any) -> Chart:
    """A chart along the windows of a scene."""
    return Chart(t=times(scene), begin=seconds(scene.begin), end=seconds(scene.end), **more)


def counted(rows: Sequence[Row], scene: Scene, pick: Pick, *, label: str, tone: str = "s1") -> list[Line]:
    """A line of the windows that count, and a dotted one of the others, joined to it. rows: one a window."""
    every = along(rows, scene, pick)
    sure = along(rows, scene, lambda row: pick(row) if scene.counts(row) else None)
    unsure = [known is not None and solid is None for known, solid in zip(every, sure, strict=True)]
    beside = [any(unsure[max(at - 1, 0) : at + 2]) for at in range(len(unsure))]
    found = [Line(label=label, values=sure, tone=tone, width=2)]
    if any(unsure):
        dotted = [value if near else None for value, near in zip(every, beside, strict=True)]
        found.append(Line(label="too early or too few", values=dotted, tone=tone, dash=DOTTED))
    return found


def interval(rows: Sequence[Row], scene: Scene) -> list[Band]:
    """The 95 % interval around a value, where rows have one."""
    if not any(row.low is not None for row in rows):
        return []
    low, high = along(rows, scene, lambda row: row.low), along(rows, scene, lambda row: row.high)
    return [Band(low=low, high=high, label=f"95{numbers.THIN}% interval")]


def bounds(scene: Scene) -> list[Rule]:
    """What the monitor is held to."""
    monitor, found = scene.monitor, []
    for word, bound, tone in (("warn", monitor.warn, "warn"), ("page", monitor.page, "alarm")):
        if bound is not None:
            found.append(_rule(scene, bound.bound, word, tone))
    if monitor.target is not None:
        found.append(_rule(scene, monitor.target.bound, "target", "base"))
    if monitor.rule is not None:
        found.append(_rule(scene, monitor.rule.at, monitor.rule.label, "warn"))
    return found


def _rule(scene: Scene, at: float, label: str, tone: str) -> Rule:
    text = numbers.figure(at, scene.monitor.unit.value, scene.currency)
    return Rule(at=at, label=f"{label} {text}", tone=tone, soft=True)


def _columns(rows: Sequence[Row], scene: Scene) -> list[Line]:
    """A line for each column that the header names."""
    found: list[Line] = []
    for place, one in enumerate(scene.monitor.series):
        pick = _value if one.column == scene.monitor.value else _detail(one.column)
        if place == 0:
            found += counted(rows, scene, pick, label=one.label)
            continue
        look: dict[str, Any] = {"dash": (6, 3)} if one.stroke is Stroke.DASHED else {}
        tone = "base" if one.stroke is Stroke.BASE else "s1" if look else f"s{place % MOST_LINES + 1}"
        found.append(Line(label=one.label, values=along(rows, scene, pick), tone=tone, **look))
    return found


def _subjects(subjects: dict[str, list[Row]], scene: Scene) -> list[Line]:
    """A line for each of the subjects with the most rows; more than MOST_LINES nobody tells apart."""
    order = sorted(subjects, key=lambda name: -sum(row.n for row in subjects[name]))[:MOST_LINES]
    shown = [name for name in subjects if name in order]
    return [
        Line(label=name or "service", values=along(subjects[name], scene, _value), **tones(place))
        for place, name in enumerate(shown)
    ]


def left_out(rows: Sequence[Row], scene: Scene) -> int:
    """Subjects that a chart over time has no line for."""
    return max(0, len(by_subject(rows)) - MOST_LINES)


def column(rows: Sequence[Row], scene: Scene, name: str) -> Values:
    """A number among the details, along the windows."""
    return along(rows, scene, _detail(name))


def _value(row: Row) -> float | None:
    return finite(row.value)


def _detail(name: str) -> Pick:
    return lambda row: number(row, name)


def _label(scene: Scene) -> str:
    return scene.monitor.unit.value.upper() if scene.monitor.unit.value in ("auc", "psi", "ks") else scene.monitor.value
