"""When the outcomes of one tenant are unlike those of all others: they may be poisoned.

What the champion was off by on them is compared with what it was off by on the others' of the same window: what moves
all moves both. A tenant who always differs is compared with what it differed by before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.signature import Task
from weir.learn.guards import Fault, Usual
from weir.learn.learner import Limits, Subject
from weir.learn.model import Floats

LEAST: Final = 30  # outcomes of a window, of a tenant and of all others: fewer tell nothing
SURE: Final = 6.0  # standard errors: luck comes so far once in 500 million times, and tenants of a window are many
ROUNDING: Final = 1e-9  # a spread this small beside a gap is that of floats
MEASURES: Final = {
    Task.BINARY: ("outcome less the champion's chance", "squared error of the champion's chance"),
    Task.MULTICLASS: ("chance that the champion gave to other classes", "squared error of the champion's chances"),
    Task.REGRESSION: ("outcome less the champion's number", "distance from the champion's number"),
}
Gaps = Mapping[str, "Gap"]


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a tenant was from all others in whole windows, the mean over its rows of each of two measures."""

    rows: int
    means: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Compared:
    """Tenants of a window beside all others, those alone that have enough rows: t of them.

    names: text[t]. n: int64[t]. gaps: float64[t, 2], mean less that of the others. errors: their standard errors.
    spreads: float64[t, 2], standard deviation within the tenant and within the others.
    """

    names: tuple[str, ...]
    n: npt.NDArray[np.int64]
    gaps: Floats
    errors: Floats
    spreads: Floats


def compared(tenants: pa.Array, champion: Floats, y: Floats, usual: Usual, subject: Subject) -> Compared:
    """A window's tenants: tenants text[n], champion float64[n, m], what it had answered, y float64[n].

    Numbers are measured by the standard deviation of outcomes; before the first whole window they are not compared.
    """
    off = _off(champion, y, usual, subject)
    known = np.isfinite(off).all(1)
    coded = tenants.dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)[known]
    off, t = off[known], len(coded.dictionary)
    off = off - off.mean(0) if len(off) else off  # squares of numbers near 0 lose no digits
    n = np.bincount(codes, minlength=t)
    others = len(codes) - n
    enough = np.flatnonzero((n >= LEAST) & (others >= LEAST))
    if not len(enough):
        return Compared((), n[:0], np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 2)))
    sums, squares = (_by_code(codes, values, t) for values in (off, off * off))
    own, rest = _moments(n, sums, squares), _moments(others, sums.sum(0) - sums, squares.sum(0) - squares)
    rows, beside = n[:, None], others[:, None]
    spread = np.sqrt((rows * own[1] + beside * rest[1]) / len(codes))
    error = np.sqrt(own[1] / np.maximum(rows, 1) + rest[1] / np.maximum(beside, 1))
    names = tuple(coded.dictionary.take(pa.array(enough)).to_pylist())
    return Compared(names, n[enough], (own[0] - rest[0])[enough], error[enough], spread[enough])


def tenant_fault(found: Compared, before: Gaps, limits: Limits, subject: Subject) -> Fault | None:
    """The tenant that is furthest from where it was, if that is too far and no luck.

    before: its gaps so far; of a tenant that is new none, as if it were like the others.
    """
    if not found.names:
        return None
    earlier = [before.get(name, Gap(0, (0.0, 0.0))) for name in found.names]
    was, rows = np.array([each.means for each in earlier]), np.array([[each.rows] for each in earlier])
    error = found.errors * np.sqrt(1 + found.n[:, None] / np.maximum(rows, 1) * (rows > 0))
    there = (found.spreads > ROUNDING * np.abs(found.gaps)) & (error > 0)
    moved = found.gaps - was
    far = np.divide(np.abs(moved), found.spreads, out=np.zeros_like(moved), where=there)
    sure = np.divide(np.abs(moved), error, out=np.zeros_like(moved), where=there)
    far = np.where(sure > SURE, far, 0)
    tenant, measure = np.unravel_index(int(far.argmax()), far.shape)
    if far[tenant, measure] <= limits.tenant_sd:
        return None
    name, what = found.names[tenant], MEASURES[subject.task][measure]
    evidence: dict[str, float | str] = {
        "tenant": name,
        "outcomes": int(found.n[tenant]),
        "measure": what,
        "gap": float(found.gaps[tenant, measure]),
        "gap_before": float(was[tenant, measure]),
        "sd": float(found.spreads[tenant, measure]),
        "limit": limits.tenant_sd,
    }
    said = f"outcomes of {name} are {far[tenant, measure]:.1f} standard deviations further from the others' than before"
    return Fault("tenant_sd", f"{said}: {what}", evidence)


def after(before: Gaps, found: Compared) -> dict[str, Gap]:
    """The gaps with a window more."""
    gaps = dict(before)
    for name, n, (first, second) in zip(found.names, found.n.tolist(), found.gaps.tolist(), strict=True):
        was = gaps.get(name, Gap(0, (0.0, 0.0)))
        rows = was.rows + n
        share = n / rows
        gaps[name] = Gap(
            rows, (was.means[0] + share * (first - was.means[0]), was.means[1] + share * (second - was.means[1]))
        )
    return gaps


def _off(champion: Floats, y: Floats, usual: Usual, subject: Subject) -> Floats:
    """Two measures of what the champion was off by, float64[n, 2]; NaN where it had no number."""
    if subject.task is Task.MULTICLASS:
        true = np.arange(champion.shape[1]) == y[:, None]
        return np.column_stack([1 - (champion * true).sum(1), ((champion - true) ** 2).sum(1)])
    off = y - champion[:, 0]
    if subject.task is Task.BINARY:
        return np.column_stack([off, off * off])
    spread = float(np.sqrt(usual.squares[-1] / usual.rows)) if usual.rows else 0.0
    off = off / spread if spread > 0 else np.full(len(off), np.nan)
    return np.column_stack([off, np.abs(off)])


def _by_code(codes: npt.NDArray[np.int64], values: Floats, codes_n: int) -> Floats:
    return np.column_stack([np.bincount(codes, column, codes_n) for column in values.T])


def _moments(n: npt.NDArray[np.int64], sums: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Mean and variance within each; 0 of nothing."""
    rows = np.maximum(n, 1)[:, None]
    mean = sums / rows
    return mean, np.maximum(squares / rows - mean * mean, 0)
