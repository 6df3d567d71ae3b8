"""Intervals of a paired difference by days: their formula, what they say of few days, and how rarely they are false."""

import numpy as np
import pytest
from weir.monitor import paired, sequence


def off(n, total, days):
    """Squares of what blocks of so many days are off the mean, summed."""
    begins = range(0, len(n), days)
    sums = np.array([[each[begin : begin + days].sum() for each in (n, total)] for begin in begins])
    return ((sums[:, 1] - total.sum() / n.sum() * sums[:, 0]) ** 2).sum()


@pytest.mark.parametrize("together", [1, 3])
def test_it_is_the_interval_of_blocks_with_the_scale_of_the_first_days(together):
    """Where days do not hang together, with the formula's golden numbers held elsewhere; else of blocks of three."""
    chance = np.random.default_rng(1)
    n = chance.integers(50, 150, 60)
    sign = np.repeat(np.where(np.arange(60 // together) % 2, 1, -1), together)
    total = n * (0.01 + 0.1 * sign * chance.uniform(0.5, 1, 60))
    found = paired.advantage(n, total, 0.05)
    few = 20 / 19 if together == 1 else 7 / 6
    tightest = few * 30 / 20 * off(n[:20], total[:20], together)
    assert np.isnan(found.low[:19]).all()
    seen, mean = np.cumsum(n), np.cumsum(total) / np.cumsum(n)
    for day in (19, 20, 40, 59):
        blocks = day // together + 1
        variance = blocks / (blocks - 1) * off(n[: day + 1], total[: day + 1], together)
        radius = sequence.normal_mixture_bound(variance, 0.05, sequence.best_rho(tightest, 0.05)) / seen[day]
        assert (found.low[day], found.high[day]) == pytest.approx((mean[day] - radius, mean[day] + radius), rel=1e-9)
    assert found.mean == pytest.approx(mean)
    assert found.days == 60


def test_a_day_without_a_figure_changes_nothing():
    chance = np.random.default_rng(2)
    n, total = np.full(40, 100.0), chance.normal(2, 5, 40)
    there = np.arange(40) % 3 != 0
    some, all_ = paired.advantage(n[there], total[there], 0.05), paired.advantage(n * there, total * there, 0.05)
    for name in ("mean", "low", "high"):
        assert getattr(all_, name)[there].tolist() == pytest.approx(getattr(some, name).tolist(), nan_ok=True)
        assert getattr(all_, name)[-1] == getattr(some, name)[-1]  # the last day has none
    assert all_.days == some.days
    assert np.isnan(paired.advantage(np.zeros(3), np.zeros(3), 0.05).mean).all()
    assert paired.advantage([], [], 0.05).days == 0


def test_those_who_never_differ_are_never_told_apart_and_those_who_do_so_later_are():
    same = paired.advantage(np.full(50, 10.0), np.zeros(50), 0.05)
    assert (same.low[-1], same.high[-1]) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    assert not (same.low > 0).any()
    later = np.where(np.arange(400) < 20, 0, np.random.default_rng(3).normal(3, 1, 400))
    found = paired.advantage(np.full(400, 10.0), later, 0.05)
    assert not (found.low[:30] > 0).any()
    assert found.low[-1] > 0


def test_looked_at_every_day_it_is_rarely_false():
    """The bench has the long form: thousands of comparisons, of days that hang together."""
    chance = np.random.default_rng(4)
    claims = 0
    for _ in range(300):
        n = chance.integers(1500, 2500, 180)
        total = n * 0.02 * chance.standard_t(4, 180)  # heavy tails
        found = paired.advantage(n, total, 0.05)
        claims += bool(((found.low > 0) | (found.high < 0)).any())
    assert claims <= 9  # 3 %, of 5 % that are allowed
