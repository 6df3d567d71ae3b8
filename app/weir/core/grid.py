"""The grid on which values are counted: fine near the bulk of them, coarse far away, the same for ever.

Counts on one grid can be added and compared, whatever the time, the segment and the baseline are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

STEPS: Final = 16  # bins to a scale near the center: KS of two samples is off by 0.002 at most, by 0.0007 in the mean
PARTS: Final = 1000  # bins of a unit grid
ROUNDING: Final = 1e-4  # of a bin of a unit grid: more than float32 moves a value of three decimals by
INFINITE: Final = 32_766  # bin of +infinity; of -infinity its negative
MISSING: Final = 32_767  # bin of NaN
LARGEST: Final = float(np.finfo(np.float32).max)
LARGEST_SCALE: Final = 2.0**1000


class GridKind(StrEnum):
    """ASINH: any number. UNIT: probabilities, and scores that are as good as such."""

    ASINH = "asinh"
    UNIT = "unit"


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the bins of one input, score or class lie.

    center, scale: of an asinh grid, in the value's unit; bin = round(16 * asinh((value - center) / scale)).
    A unit grid has neither: bin = floor(1000 * value + ROUNDING), -1 below 0 and 1001 above 1.
    lo, hi: least and largest value of the reference; None where it has none. What lies outside is counted as such.
    """

    kind: GridKind = GridKind.ASINH
    center: float = 0.0
    scale: float = 1.0
    lo: float | None = None
    hi: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.center):
            raise ValueError(f"center {self.center} is no number")
        if not 0 < self.scale <= LARGEST_SCALE:
            raise ValueError(f"scale {self.scale} is not above 0, or too large")
        if any(bound is not None and not math.isfinite(bound) for bound in (self.lo, self.hi)):
            raise ValueError(f"[{self.lo}, {self.hi}] is no range of numbers")


UNIT: Final = Grid(GridKind.UNIT)
AGES: Final = Grid(center=0.0, scale=60.0)  # of feature ages in seconds: 4 s apart up to a minute, 6 % above


def grid_of(values: npt.NDArray[np.float64]) -> Grid:
    """An asinh grid for values like these, float64[n]; NaN and infinities do not count.

    Its scale is the power of two below the lesser of the two sides of their middle 68 % (skewed values lie close to
    each other on one of them), or of what else says how far apart they are; its center the multiple of the scale that
    is nearest to their median. So two samples of one population have the same grid as a rule, and can be compared bin
    by bin.

    >>> grid_of(np.array([1.0, 2.0, 3.0, np.nan]))
    Grid(kind=<GridKind.ASINH: 'asinh'>, center=2.0, scale=1.0, lo=1.0, hi=3.0)
    >>> grid_of(np.array([8.0, 8.0])), grid_of(np.array([np.inf]))  # doctest: +NORMALIZE_WHITESPACE
    (Grid(kind=<GridKind.ASINH: 'asinh'>, center=8.0, scale=0.5, lo=8.0, hi=8.0),
     Grid(kind=<GridKind.ASINH: 'asinh'>, center=0.0, scale=1.0, lo=None, hi=None))
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Grid()
    lo, low, median, high, hi = np.quantile(finite, [0, 0.16, 0.5, 0.84, 1], method="inverted_cdf").tolist()
    spread = min(median - low, high - median) or (high / 2 - low / 2) or (hi / 2 - lo / 2) / STEPS
    spread = spread or abs(median) / STEPS or 1.0
    scale = 2.0 ** math.floor(math.log2(min(spread, LARGEST_SCALE)))
    center = round(median / scale) * scale if abs(median / scale) < 2.0**53 else median
    return Grid(GridKind.ASINH, center, scale, lo, hi)


def bins(values: npt.NDArray[np.floating], grid: Grid) -> npt.NDArray[np.int32]:
    """The bin of each of n values.

    >>> bins(np.array([0.0, 1.0, -1e300, np.nan, np.inf, -np.inf]), Grid()).tolist()
    [0, 14, -1431, 32767, 32766, -32766]
    >>> bins(np.array([0.0, 0.7, 1.0, -0.1, 2.0], np.float32), UNIT).tolist()
    [0, 700, 1000, -1, 1001]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        found = _unit_bins(values) if grid.kind is GridKind.UNIT else _asinh_bins(values, grid)
    odd = ~np.isfinite(values)
    if odd.any():
        found[odd] = np.where(np.isnan(values[odd]), MISSING, np.where(values[odd] > 0, INFINITE, -INFINITE))
    return found


def _unit_bins(values: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
    return np.clip(np.floor(values.astype(np.float64) * PARTS + ROUNDING), -1, PARTS + 1).astype(np.int32)


def _asinh_bins(values: npt.NDArray[np.floating], grid: Grid) -> npt.NDArray[np.int32]:
    """By a table rather than by numpy's arcsinh, which takes ten times as long and differs between processors.

    A cell of the table is what float32 values with the same first 16 bits have in common, 1 % of their size: no cell
    has more than one edge between two bins.
    """
    at = values.astype(np.float64)
    at -= grid.center
    at /= grid.scale
    near = np.clip(at, -LARGEST, LARGEST).astype(np.float32)
    cells = (near.view(np.uint32) >> np.uint32(16)).astype(np.intp)
    found: npt.NDArray[np.int32] = _BELOW.take(cells)
    found += np.abs(near) >= _NEXT.take(cells)
    signs = near.view(np.int32) >> 31  # -1 of a negative: all its bits turned, and one more, are the negative bin
    found ^= signs
    found -= signs
    return found


def _table() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Of each cell the bin of its least magnitude, and the magnitude from which on the next bin begins."""
    edges = np.array([math.sinh((k - 0.5) / STEPS) for k in range(1, round(STEPS * math.asinh(LARGEST)) + 1)])
    rounded = edges.astype(np.float32)
    up = np.where(rounded < edges, np.nextafter(rounded, np.float32(np.inf)), rounded)
    magnitudes = np.abs((np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)).view(np.float32))
    below = np.searchsorted(up, magnitudes, side="right")
    return below.astype(np.int32), np.append(up, np.float32(np.inf))[below]


_BELOW, _NEXT = _table()
