"""A window's histogram beside its baseline's: of numbers as steps, of words as pairs of bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from weir.core import numbers
from weir.monitor.spec import Row
from weir.web.console.drawing.chart import Chart, Line

MOST_BINS: Final = 56
FAR: Final = 110  # bins of the grid from one end to the other: beyond some 15 scales the axis is the grid's own
UNIT: Final = 1000  # bins of a grid from 0 to 1
ASINH: Final = 16  # bins of the other to a unit of asinh
MOST_WORDS: Final = 12


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the bins of a row lie: as `grid_id` names it (see sql/parts/drift_numbers.sql)."""

    unit: bool
    center: float = 0.0
    scale: float = 1.0

    @staticmethod
    def of(text: str) -> Grid:
        """`unit`, or `asinh CENTER SCALE`.

        >>> Grid.of("asinh 0 0.5").value(16) == 0.5 * math.sinh(1)
        True
        """
        words = text.split()
        return Grid(False, float(words[1]), float(words[2])) if words[:1] == ["asinh"] else Grid(True)

    def place(self, value: float) -> int:
        """The bin of a value."""
        return math.floor(value * UNIT + 1e-6) if self.unit else round(self.position(value))

    def position(self, value: float) -> float:
        """Where it lies on the grid's own axis."""
        return value * UNIT if self.unit else ASINH * math.asinh((value - self.center) / self.scale)

    def value(self, position: float) -> float:
        """The value at a place of that axis."""
        return position / UNIT if self.unit else self.center + self.scale * math.sinh(position / ASINH)

    def edge(self, place: int) -> float:
        """Where a bin begins."""
        return self.value(place if self.unit else place - 0.5)


def histogram(row: Row, name: str, unit: str = "number", height: int = 190) -> Chart | None:
    """Of a row of drift/feature or drift/score_histogram; None where it holds no number. name: what it shows."""
    grid = Grid.of(str(row.details["grid_id"]))
    shares = _shares(row, grid)
    if not shares:
        return None
    low, high = min(shares), max(shares)
    width = max(1, math.ceil((high - low + 1) / MOST_BINS))
    places = list(range(low, high + width, width))
    sides = [[sum(shares.get(at, (0, 0))[side] for at in range(p, p + width)) for p in places] for side in (0, 1)]
    far = not grid.unit and high - low > FAR
    x: list[float] = [float(place) for place in (*places, places[-1] + width)]
    series = [
        Line(label="window", values=[*sides[0], sides[0][-1]], tone="s2", step=True, fill=0.2),
        Line(label="baseline", values=[*sides[1], sides[1][-1]], tone="base", step=True, dash=(4, 3)),
    ]
    values = [grid.edge(int(at)) for at in x]
    along: dict[str, Any] = {"x": values}
    if far:
        along = {"x": x, "x_ticks": _ticks(grid, low, high), "x_says": [numbers.short(value) for value in values]}
    return Chart(
        name=name, kind="histograms", series=series, unit="share", zero=True, height=height, x_unit=unit, **along
    )


def pooled(rows: Sequence[Row]) -> Row:
    """Rows of several windows as one: shares weigh as many as their window has rows. The grid is the newest one's.

    Windows that were counted on another grid are left out.
    """
    last = rows[-1]
    mine = [row for row in rows if row.details["grid_id"] == last.details["grid_id"]]
    whole = sum(row.n for row in mine) or 1
    found: dict[float, list[float]] = {}
    for row in mine:
        for value, share, base in zip(
            row.details["values"], row.details["share"], row.details["base_share"], strict=True
        ):
            each = found.setdefault(value, [0.0, 0.0])
            each[0] += share * row.n / whole
            each[1] += base * row.n / whole
    values = sorted(found)
    sides = {"values": values, "share": [found[at][0] for at in values], "base_share": [found[at][1] for at in values]}
    return replace(last, n=whole, details={**last.details, **sides})


def _shares(row: Row, grid: Grid) -> dict[int, tuple[float, float]]:
    """Of window and baseline, by bin; without what is infinite."""
    found: dict[int, tuple[float, float]] = {}
    columns = (row.details["values"], row.details["share"], row.details["base_share"])
    for value, share, base in zip(*columns, strict=True):
        if math.isfinite(value):
            place = grid.place(value)
            before = found.get(place, (0.0, 0.0))
            found[place] = (before[0] + share, before[1] + base)
    return found


def _ticks(grid: Grid, low: int, high: int, count: int = 5) -> list[tuple[float, str]]:
    """Round values that lie about evenly on the grid's own axis."""
    found: dict[float, str] = {}
    for each in range(count):
        value = grid.value(low + (high - low) * (each + 0.5) / count)
        size = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 1.0
        near = round(value / size) * size
        found[round(grid.position(near), 2)] = numbers.short(near)
    return sorted(found.items())


@dataclass(frozen=True, slots=True)
class Word:
    """How often a word is, and was; wide, base_wide: the same on a scale to 100."""

    word: str
    share: float
    base_share: float
    wide: float
    base_wide: float
    kind: str = ""


def words(details: Mapping[str, Any], names: Sequence[str]) -> tuple[list[Word], int]:
    """Pairs of bars, the most frequent first, and how many are left out. names: of the cells, in their order."""
    cells = sorted(
        zip(names, details["share"], details["base_share"], strict=True), key=lambda one: -max(one[1], one[2])
    )
    most = max((max(share, base) for _, share, base in cells), default=0) or 1
    shown = [
        Word(name, share, base, round(100 * share / most, 1), round(100 * base / most, 1))
        for name, share, base in cells[:MOST_WORDS]
    ]
    return shown, max(0, len(cells) - MOST_WORDS)
