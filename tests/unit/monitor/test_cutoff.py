"""The threshold of least cost: against every threshold tried, and when days cannot tell."""

import math

import numpy as np
import pytest
from weir.monitor import cutoff


def days(count, *, rows=400, seed=3, chance_of=lambda score: score):
    """Days of scores spread evenly over hundredths; what comes true has the chance that is given for it."""
    chance, bins = np.random.default_rng(seed), 100
    at = chance.integers(0, bins, (count, rows))
    came = chance.random((count, rows)) < chance_of((at + 0.5) / bins)
    positives, negatives = (
        np.array([np.bincount(day[kept], minlength=bins) for day, kept in zip(at, mask, strict=True)], float).reshape(
            -1, bins
        )
        for mask in (came, ~came)
    )
    return cutoff.Days(
        scores=np.arange(bins) / bins, rows=positives + negatives, positives=positives, negatives=negatives
    )


def suggest(of, **said):
    given = {"miss": 5.0, "false_alarm": 1.0, "present": 0.5, "capacity": math.inf} | said
    return cutoff.suggest(of, **given, chance=np.random.default_rng(0))


def test_it_is_the_least_of_all_costs():
    of = days(60)
    costs = [5 * of.positives[:, :k].sum() + of.negatives[:, k:].sum() for k in range(101)]
    found = suggest(of)
    assert found.cost == pytest.approx(min(costs) / 60)
    assert found.present_cost == pytest.approx(costs[50] / 60)
    assert found.threshold == pytest.approx(1 / 6, abs=0.04)  # of a calibrated model: false alarm over both
    assert found.low <= 1 / 6 <= found.high
    assert found.doubts == ()
    assert 0 < found.saving_low < found.present_cost - found.cost < found.saving_high


def test_no_more_alerts_than_can_be_looked_at():
    found = suggest(days(60), capacity=100)
    assert found.threshold == pytest.approx(0.79, abs=0.03)  # 400 a day, of which the highest fifth
    assert found.alerts <= 100
    assert suggest(days(60), capacity=0).threshold == math.inf


def test_the_threshold_in_use_may_be_as_good_as_any():
    found = suggest(days(20, rows=50), present=1 / 6)
    assert "is not certain" in found.doubts[0]


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (days(5), "5 days have their outcomes, 14 are needed"),
        (days(0), "no day whose outcomes are known"),
        (days(20, chance_of=lambda score: 0 * score), "one class alone came true"),
        (days(1), "1 days have their outcomes, 14 are needed"),
    ],
)
def test_it_says_when_it_cannot_tell(of, why):
    assert why in suggest(of).doubts[0]


def test_scores_that_tell_nothing_are_not_believed():
    """At these costs every threshold costs the same but for luck."""
    assert suggest(days(60, chance_of=lambda score: 0 * score + 0.3), miss=7, false_alarm=3).doubts != ()
