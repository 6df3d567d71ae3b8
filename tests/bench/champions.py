"""How often a learner that is no better is called better, and how soon one that is: looked at every day, for a year.

Run as a program: `python -m tests.bench.champions [--json PATH]`, half a minute. Two models that are alike answer the
same requests, 2,000 a day of which the outcomes are known; what they know of a request, and of a day, has noise of its
own. Which of the two is called the learner, a coin decides for every day, or for every three days, which then hang
together: so that the truth is 0 whatever the days are like.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from weir.monitor import paired

from tests.bench.figures import listed, told

Floats = npt.NDArray[np.float64]

STREAMS, DAYS, A_DAY, POOL = 1000, 365, 2000, 1500
ALPHA, BETTER_BY = 0.05, 0.005
# Standard deviation of a request's difference in log loss, and how many times larger the variance of a day's sum is
# than independent requests would give: of pairs of models for the flights.
PAIRS = {"another seed": (0.068, 4.4), "fewer trees": (0.07, 17.1), "older": (0.102, 19.9), "no weather": (0.153, 25.1)}


def differences(seed: int = 1) -> Floats:
    """Of POOL days the sums of the differences in log loss of two models that are alike, float64[POOL]."""
    chance = np.random.default_rng(seed)
    sums = np.empty(POOL)
    for day in range(POOL):
        truth = chance.normal(-1.4 + chance.normal(0, 0.5), 1.2, A_DAY)
        y = chance.random(A_DAY) < 1 / (1 + np.exp(-truth))
        losses = []
        for _ in range(2):
            said = 1 / (1 + np.exp(-(truth + chance.normal(0, 0.3, A_DAY) + chance.normal(0, 0.15))))
            losses.append(-np.log(np.where(y, said, 1 - said)))
        sums[day] = (losses[0] - losses[1]).sum()
    return sums


def alike(sums: Floats, together: int, seed: int = 2) -> dict[str, float]:
    """Shares of STREAMS comparisons in which a difference is ever seen. together: days that one coin decides."""
    chance = np.random.default_rng(seed)
    n, found = np.full(DAYS, float(A_DAY)), np.zeros(3)
    for _ in range(STREAMS):
        coins = np.repeat(chance.choice((-1.0, 1.0), -(-DAYS // together)), together)[:DAYS]
        total = np.abs(chance.choice(sums, DAYS)) * coins
        of = paired.advantage(n, total, ALPHA)
        found += [(of.low > 0).any(), ((of.low > 0) | (of.high < 0)).any(), _tested(total / A_DAY)]
    return dict(zip(("called better", "called better or worse", "p < .05 at some look"), found / STREAMS, strict=True))


def _tested(means: Floats) -> bool:
    """Whether Student's t over the days so far ever has p < ALPHA, looked at every day from the 14th on."""
    k = np.arange(1, DAYS + 1)
    mean = np.cumsum(means) / k
    sd = np.sqrt(np.maximum(np.cumsum(means**2) / k - mean**2, 1e-300) * k / np.maximum(k - 1, 1))
    t = np.abs(mean) / (sd / np.sqrt(k))
    return bool((t > stats.t.isf(ALPHA / 2, np.maximum(k - 1, 1)))[paired.LEAST - 1 :].any())


def sooner(sd: float, together: float, seed: int = 3, streams: int = 300) -> dict[str, float]:
    """Days until one that is better by BETTER_BY is called better: the median, nine tenths, and the share in a year."""
    chance = np.random.default_rng(seed)
    n, days = np.full(DAYS, float(A_DAY)), []
    for _ in range(streams):
        total = A_DAY * BETTER_BY + np.sqrt(A_DAY * together) * sd * chance.standard_normal(DAYS)
        low = paired.advantage(n, total, ALPHA).low
        days.append(int(np.argmax(low > 0)) + 1 if (low > 0).any() else DAYS + 1)
    median, most = np.quantile(days, [0.5, 0.9])
    return {"median": float(median), "nine tenths": float(most), "found": float(np.mean(np.array(days) <= DAYS))}


def measure() -> dict[str, Any]:
    """Everything."""
    sums = differences()
    return {
        "alike, each day its own": alike(sums, 1),
        "alike, three days hang together": alike(sums, 3),
        **{f"better by {BETTER_BY}, {name}": sooner(*pair) for name, pair in PAIRS.items()},
    }


def main() -> None:
    """Print the figures, and write them where it is asked for."""
    told(__doc__, measure, lambda name, figures: f"{name:35} {listed(figures)}")


if __name__ == "__main__":
    main()
