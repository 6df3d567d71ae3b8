"""Any monitor as its header asks for it: points, a histogram, strips, a waterfall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from weir.core import numbers
from weir.monitor.held import beyond
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State
from weir.web.console.drawing.chart import MOST_LINES, Chart, Line, tones
from weir.web.console.drawing.fall import WIDE, Bar
from weir.web.console.drawing.histogram import histogram, pooled
from weir.web.console.drawing.lines import bounds, timed
from weir.web.console.drawing.windows import along, by_subject, finite, held, newest, seconds, times

GRID: Final = frozenset({"grid_id", "values", "share", "base_share"})  # details of a monitor that counts by bins
LABELS: Final = 12  # of an axis of names


def points(rows: Sequence[Row], scene: Scene) -> Chart:
    """A point a window with its interval, of the subjects with the most rows."""
    subjects = by_subject(rows)
    most = sorted(subjects, key=lambda name: -sum(row.n for row in subjects[name]))[:MOST_LINES]
    unit = scene.monitor.unit.value
    series = [
        Line(
            label=name or scene.monitor.value,
            values=along(subjects[name], scene, lambda row: finite(row.value)),
            low=along(subjects[name], scene, lambda row: finite(row.low)),
            high=along(subjects[name], scene, lambda row: finite(row.high)),
            points=True,
            line=False,
            size=6,
            tone=str(tones(place)["tone"]),
        )
        for place, name in enumerate(name for name in subjects if name in most)
    ]
    plain = {"unit": unit, "currency": scene.currency, "rules": bounds(scene), "held": held(rows, scene)}
    return timed(scene, name=scene.monitor.title, kind="points", series=series, **plain)


def counts(rows: Sequence[Row], scene: Scene) -> Chart | None:
    """A window beside its baseline, where the monitor counts by bins; else its newest figures by subject.

    Of subjects that are numbers the axis is theirs. The window before is dashed. None where there is no figure.
    """
    if rows and rows[-1].details.keys() >= GRID:
        return histogram(pooled(rows), scene.monitor.title)
    now = {row.subject: finite(row.value) for row in newest(rows, scene)}
    begin = max((row.begin for row in newest(rows, scene)), default=None)
    earlier = [row.begin for row in rows if begin is not None and row.begin < begin]
    was = {row.subject: finite(row.value) for row in rows if earlier and row.begin == max(earlier)}
    names = sorted({*now, *was}, key=lambda name: (_number(name), name))
    if not any(value is not None for value in now.values()):
        return None
    axis: list[float] = [_number(name) for name in names]
    is_number = all(math.isfinite(at) for at in axis) and len(set(axis)) == len(axis)
    xs = axis if is_number else [float(place) for place in range(len(names))]
    every = max(1, math.ceil(len(names) / LABELS))
    ticks = [(at, name or "service") for at, name in list(zip(xs, names, strict=True))[::every]]
    series = [Line(label="newest window", values=[now.get(name) for name in names], bars=True, fill=0.2, tone="s2")]
    if was:
        before = [was.get(name) for name in names]
        series.append(Line(label="the window before", values=before, tone="base", points=True, line=False, hollow=True))
    edge = 0.5 if len(xs) < 2 else (xs[-1] - xs[0]) / (2 * (len(xs) - 1))
    return Chart(
        name=f"{scene.monitor.title}, by {', '.join(scene.monitor.subject) or 'service'}",
        kind="histograms",
        x=xs,
        x_ticks=() if is_number else ticks,
        x_says=[name or "service" for name in names],
        x_range=(xs[0] - edge, xs[-1] + edge),
        series=series,
        unit=scene.monitor.unit.value,
        currency=scene.currency,
        zero=True,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


@dataclass(frozen=True, slots=True)
class Strip:
    """A subject. runs: (begin, length, kind), in windows; kind: ok, look, alarm, few, or nothing. state: its newest."""

    name: str
    runs: Sequence[tuple[int, int, str]]
    state: State
    newest: str


def strips(rows: Sequence[Row], scene: Scene, most: int) -> list[Strip]:
    """How each window of each subject stands to the bounds; those that are furthest off first."""
    order = (State.ALARM, State.LOOK, State.OK, State.UNKNOWN)
    found = [_strip(name, mine, scene) for name, mine in by_subject(rows).items()]
    return sorted(found, key=lambda one: order.index(one.state))[:most]


def _strip(name: str, rows: Sequence[Row], scene: Scene) -> Strip:
    by = {seconds(row.begin): _kind(row, scene) for row in rows}
    runs, place = [], 0
    for kind, group in groupby(by.get(at, "nothing") for at in times(scene)):
        length = len(list(group))
        runs.append((place, length, kind))
        place += length
    last = newest(rows, scene)[-1]
    kind = _kind(last, scene)
    state = State(kind) if kind != "few" else State.UNKNOWN
    text = numbers.figure(last.value, scene.monitor.unit.value, scene.currency)
    return Strip(name or scene.service, runs, state, text)


def _kind(row: Row, scene: Scene) -> str:
    if not scene.counts(row):
        return "few"
    for state, bound in ((State.ALARM, scene.monitor.page), (State.LOOK, scene.monitor.warn)):
        if bound is not None and beyond(row, bound):
            return state.value
    return State.OK.value


def waterfall(rows: Sequence[Row], scene: Scene, most: int) -> list[Bar]:
    """Figures of the newest window behind each other, the largest first, and their sum."""
    now = [(row.subject or scene.service, row.value) for row in newest(rows, scene) if finite(row.value) is not None]
    known = [(name, float(value or 0.0)) for name, value in now]
    known.sort(key=lambda one: -abs(one[1]))
    if left := known[most:]:
        known = [*known[:most], (f"{len(left)} others", sum(value for _, value in left))]
    upto = [0.0]
    for _, value in known:
        upto.append(upto[-1] + value)
    low, wide = min(upto), (max(upto) - min(upto)) or 1.0
    bars = [
        _bar(name, "metered", min(at, at + value) - low, abs(value), wide, value)
        for at, (name, value) in zip(upto, known, strict=False)
    ]
    total = upto[-1]
    return [*bars, _bar("all", "whole", min(0.0, total) - low, abs(total), wide, total)] if known else []


def _bar(name: str, kind: str, at: float, length: float, wide: float, amount: float) -> Bar:
    return Bar(name, kind, round(WIDE * at / wide, 1), max(round(WIDE * length / wide, 1), 2.0), amount)
