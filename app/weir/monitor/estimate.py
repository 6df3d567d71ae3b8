"""How good predictions probably are while nobody knows what came true of them, and whether that can be believed.

Of classes by their own chances (CBPE), of numbers by the losses that such values had (DLE). Both take it that what a
score means does not change: so the past is estimated, too, each window from those before it alone, and what came true
of it says how far such estimates are off.

Rows come as counts by cell: windows w in their order, bins b of the score from low to high, classes k (of two classes
one, the positive), and called: 0 where the class was not decided, 1 where it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEVEL: Final = 0.9  # of the band: so many of the past estimates were off by no more
COMPARED: Final = 9  # windows of the past that the band needs: of fewer no finite one has this level
FITTED: Final = 500  # outcomes below which no score's meaning is learned
LEARNED: Final = 2  # mature windows below which it is not: whether to calibrate is learned on one and seen on another
UNSEEN: Final = 0.05  # share of a window in bins of which no outcome is known, from which on nothing is said of it
SHARE_OFF, LOSS_OFF = 0.03, 0.1  # errors that matter: of a share and an AUC as they are, of a loss relative to it
NAIVE: Final = 1.25  # times the error of saying what the window before had


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a score means: chances f8[b] at scores f8[b], straight lines between them, level beyond both ends."""

    scores: Floats
    chances: Floats

    def __call__(self, scores: Floats) -> Floats:
        """The chance of each score, f8[n]."""
        return np.interp(scores, self.scores, self.chances)


def isotonic(scores: Floats, n: Floats, hits: Floats) -> Calibration:
    """The rising chances that fit best by least squares; as they are where no row is known.

    scores: ascending, [b]. n, hits: rows of each, and those of them that came true, [b].
    Source: pool adjacent violators, Barlow et al. 1972; the same as scikit-learn's IsotonicRegression.

    >>> isotonic(np.array([0.1, 0.2, 0.9]), np.array([4.0, 4, 2]), np.array([2.0, 1, 2])).chances.tolist()
    [0.375, 0.375, 1.0]
    """
    there = np.flatnonzero(n > 0)
    if len(there) == 0:
        return Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    pools: list[tuple[float, float, int]] = []  # hits, rows, bins
    for rows, came in zip(n[there].tolist(), hits[there].tolist(), strict=True):
        pool = (came, rows, 1)
        while pools and pools[-1][0] * pool[1] >= pool[0] * pools[-1][1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    chances = np.repeat([came / rows for came, rows, _ in pools], [bins for _, _, bins in pools])
    return Calibration(scores[there], chances)


def auc(scores: Floats, positives: Floats, negatives: Floats) -> float:
    """Area under the ROC curve, ties counted half; nan without any of a kind.

    scores: [n], in any order. positives, negatives: rows of each score, whole or expected, [n].

    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0.0, 1, 0, 1]), np.array([1.0, 0, 1, 0]))
    0.875
    """
    _, at = np.unique(scores, return_inverse=True)
    pos, neg = np.bincount(at, positives), np.bincount(at, negatives)
    if not pos.sum() > 0 or not neg.sum() > 0:
        return math.nan
    below = np.cumsum(neg) - neg / 2
    return float(pos @ below / (pos.sum() * neg.sum()))


def of_classes(scores: Floats, n: Floats, hits: Floats) -> dict[str, float]:
    """Accuracy, F1 and AUC of one window; of more than two classes the plain means over classes of the last two.

    scores: [k, b]. n, hits: rows by cell, and those that are of the class, whole or expected, [k, b, 2].
    nan for what no row tells.
    """
    total = float(n[0].sum())
    if total == 0:
        return {"accuracy": math.nan, "f1": math.nan, "auc": math.nan}
    caught = hits[:, :, 1].sum(1)
    right = float(caught.sum()) if len(n) > 1 else float(caught[0] + (n - hits)[0, :, 0].sum())
    decided, true = n[:, :, 1].sum(1), hits.sum((1, 2))
    there = decided + true > 0
    f1 = float(np.mean(2 * caught[there] / (decided + true)[there])) if there.any() else math.nan
    areas = [auc(at, came.sum(1), (rows - came).sum(1)) for at, rows, came in zip(scores, n, hits, strict=True)]
    known = [area for area in areas if not math.isnan(area)]
    return {"accuracy": right / total, "f1": f1, "auc": float(np.mean(known)) if known else math.nan}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure by window, f8[w]: as it was to be expected, and as it came true.

    expected: nan where nothing is to be said. realised: nan of windows that are not mature.
    """

    name: str
    expected: Floats
    realised: Floats
    relative: bool = False


def classes(scores: Floats, n: Floats, known: Floats, hits: Floats, mature: Bools) -> tuple[list[Figure], Floats]:
    """Accuracy, F1 and AUC by window, each estimated from the mature windows before it; and what was never seen.

    scores: mean of each bin, [k, b]. n: rows, known: those with an outcome, hits: those of the class, [w, k, b, 2].
    mature: which windows have the outcomes that they will have, [w].
    Returns figures, and by window the share of its rows in bins of which no outcome was known, f8[w].
    Source: confidence-based performance estimation, as NannyML has it, but for ties, which count half.
    """
    counted, came = known.sum(3), hits.sum(3)
    expected, realised, unseen = [], [], np.ones(len(n))
    for window in range(len(n)):
        past = np.flatnonzero(mature[:window])
        seen = counted[past].sum(0)
        if len(past) >= LEARNED and seen[0].sum() >= FITTED:
            chances = np.array([_chances(*one) for one in zip(scores, *_by_class(counted, came, past), strict=True)])
            expected.append(of_classes(scores, n[window], n[window] * chances[:, :, None]))
            rows = n[window].sum(2)
            unseen[window] = rows[seen == 0].sum() / max(rows.sum(), 1)
        else:
            expected.append(dict.fromkeys(("accuracy", "f1", "auc"), math.nan))
        realised.append(of_classes(scores, known[window], hits[window]))
    return [
        Figure(
            name,
            np.array([one[name] for one in expected]),
            np.where(mature, [one[name] for one in realised], math.nan),
        )
        for name in ("accuracy", "f1", "auc")
    ], unseen


def _by_class(counted: Floats, came: Floats, past: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Rows and hits of the past windows by class: [k, w, b]."""
    return counted[past].transpose(1, 0, 2), came[past].transpose(1, 0, 2)


def _chances(scores: Floats, n: Floats, hits: Floats) -> Floats:
    """The chance that each score of a class means, [b]: as the model gives it, unless calibrating it helped before.

    n, hits: by past window, [w, b].
    """
    plain = np.clip(scores, 0, 1)
    return isotonic(scores, n.sum(0), hits.sum(0))(scores) if helps(scores, n, hits) else plain


def helps(scores: Floats, n: Floats, hits: Floats) -> bool:
    """Whether a calibration by the first half of the windows had a smaller Brier score on the second half.

    scores: [b]. n, hits: rows, and those that came true, [w, b].
    """
    half = (len(n) + 1) // 2
    first = isotonic(scores, n[:half].sum(0), hits[:half].sum(0))(scores)
    rows, came = n[half:].sum(0), hits[half:].sum(0)
    if rows.sum() == 0:
        return False
    plain = np.clip(scores, 0, 1)
    brier = [float(came @ (1 - chance) ** 2 + (rows - came) @ chance**2) for chance in (plain, first)]
    return brier[1] < brier[0]


def losses(n: Floats, known: Floats, absolute: Floats, squared: Floats, mature: Bools) -> tuple[list[Figure], Floats]:
    """Mean absolute error and root of the mean square by window, from what such predictions were off by before.

    n: rows, known: those with an outcome, absolute, squared: sums of their errors' sizes and squares, [w, b], bins
    by predicted value. mature: [w]. Returns figures, and the shares that were never seen, f8[w].
    Source: direct loss estimation; the loss is regressed on the predicted value alone, as a mean by bin (regressogram,
    Tukey 1961), so it follows a change of what is predicted and is blind to one of what else the model reads.
    """
    unseen = np.ones(len(n))
    expected, realised = np.full((2, len(n)), math.nan), np.full((2, len(n)), math.nan)
    for window, rows in enumerate(n):
        past = np.flatnonzero(mature[:window])
        seen, sums = known[past].sum(0), np.array([absolute[past].sum(0), squared[past].sum(0)])
        if len(past) >= LEARNED and seen.sum() >= FITTED and rows.sum() > 0:
            there = seen > 0
            unseen[window] = rows[~there].sum() / rows.sum()
            if rows[there].sum() > 0:
                expected[:, window] = (sums[:, there] / seen[there]) @ rows[there] / rows[there].sum()
        if mature[window] and known[window].sum() > 0:
            realised[:, window] = np.array([absolute[window].sum(), squared[window].sum()]) / known[window].sum()
    expected[1], realised[1] = np.sqrt(expected[1]), np.sqrt(realised[1])
    return [Figure(name, expected[i], realised[i], relative=True) for i, name in enumerate(("mae", "rmse"))], unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one window's figure probably is. low, high: nan where the past tells no band.

    compared: windows of the past whose estimate and truth are both known. error: mean size of their difference,
    bias: its mean, naive_error: what saying the figure of the window before would have been off by.
    doubts: why it cannot be trusted; empty where it can.
    """

    value: float
    low: float
    high: float
    realised: float
    compared: int
    error: float
    bias: float
    naive_error: float
    doubts: tuple[str, ...]


def judge(figure: Figure, window: int, unseen: float) -> Estimate:
    """The estimate of one window, held to those before it whose truth is known.

    unseen: share of its rows in bins of which no outcome was known.
    """
    value, real = float(figure.expected[window]), figure.realised[:window]
    both = np.isfinite(figure.expected[:window]) & np.isfinite(real)
    off = (figure.expected[:window] - real)[both]
    error, bias = (float(np.mean(np.abs(off))), float(np.mean(off))) if len(off) else (math.nan, math.nan)
    naive = np.abs(np.diff(real[np.isfinite(real)]))
    naive_error = float(np.mean(naive)) if len(naive) else math.nan
    band = _band(off)
    matters = LOSS_OFF * float(np.mean(real[both])) if figure.relative and len(off) else SHARE_OFF
    doubts = []
    if math.isnan(value):
        doubts.append(f"fewer than {LEARNED} mature windows with {FITTED} outcomes lie before it")
    elif unseen > UNSEEN:
        doubts.append(f"{unseen:.0%} of its predictions are where no outcome is known")
    if len(off) < COMPARED:
        doubts.append(f"of {len(off)} windows before it estimate and truth are known, {COMPARED} are needed")
    else:
        spread = 2 * float(np.std(off, ddof=1)) / math.sqrt(len(off))
        if abs(bias) > max(matters, spread):
            doubts.append(f"estimates before it were too {'high' if bias > 0 else 'low'} by {abs(bias):.3g} on average")
        if error > max(NAIVE * naive_error, matters):
            repeated = f"to repeat the window before would have been off by {naive_error:.3g}"
            doubts.append(f"estimates before it were off by {error:.3g}, and {repeated}")
    return Estimate(
        value=value,
        low=value - band,
        high=value + band,
        realised=float(figure.realised[window]),
        compared=len(off),
        error=error,
        bias=bias,
        naive_error=naive_error,
        doubts=tuple(doubts),
    )


def _band(off: Floats) -> float:
    """What `LEVEL` of the estimates are off by at most, if the next is like those before; nan of too few.

    Source: split conformal prediction, Lei et al. 2018: the ceil((n + 1) LEVEL)-th of n sizes.
    """
    rank = math.ceil((len(off) + 1) * LEVEL)
    return float(np.sort(np.abs(off))[rank - 1]) if rank <= len(off) else math.nan
