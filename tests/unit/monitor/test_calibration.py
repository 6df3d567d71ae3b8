"""Bounds from a history: as many false alarms as were wanted, and none from a history that is too short."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.monitor import calibration
from weir.monitor.calibration import History, calibrate

HOUR_S = 3600
A_MONTH = 30 * 24
SUBJECTS = ("amount", "hour", "constant")


def season(rng, months):
    """Distances of three features: one that is quiet, one that goes with the day and drifts for hours, one constant."""
    n = round(months * A_MONTH)
    slow = np.zeros(n)
    for window in range(1, n):
        slow[window] = 0.8 * slow[window - 1] + rng.normal()
    day = np.sin(np.arange(n) * 2 * np.pi / 24)
    quiet = 0.01 * rng.chisquare(9, n) / 9
    return np.column_stack([quiet, 0.5 + 0.2 * day + 0.05 * np.abs(slow), np.full(n, 0.02)])


def runs(values, bounds):
    return calibration._alarms((values > bounds).any(axis=1))


def test_calibrated_bounds_alarm_as_often_as_was_wanted_in_months_that_were_not_seen():
    """Where the monitor's own bound is beyond reason for a feature that goes with the day."""
    alarms = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        found = calibrate(History(subjects=SUBJECTS, values=season(rng, 6), step_s=HOUR_S), 0.1, 1.0, rng)
        assert found.too_little == ""
        assert found.before_a_month < 5, "it is beyond the bound nearly always: one long alarm"
        assert found.low <= found.a_month <= found.high
        bounds = np.array([found.bounds[subject] for subject in SUBJECTS])
        assert 0.01 < bounds[0] < 0.1
        assert 0.7 < bounds[1] < 2
        alarms.append(runs(season(rng, 12), bounds) / 12)
    assert np.mean(alarms) <= 1.2


def test_a_shift_beyond_what_is_usual_crosses_them():
    rng = np.random.default_rng(5)
    found = calibrate(History(subjects=SUBJECTS, values=season(rng, 6), step_s=HOUR_S), 0.1, 1.0, rng)
    assert found.bounds["amount"] < 0.1, "closer than the monitor's own"
    assert found.bounds["constant"] == pytest.approx(0.02, rel=1e-3)


def test_where_small_figures_are_bad_the_bound_lies_below():
    rng = np.random.default_rng(6)
    auc = 0.75 + 0.01 * rng.normal(size=(6 * A_MONTH, 1))
    found = calibrate(History(subjects=("",), values=auc, step_s=HOUR_S, rising=False), 0.68, 1.0, rng)
    assert 0.70 < found.bounds[""] < 0.73
    assert found.a_month <= 1.0


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.empty((0, 3)), "0 windows say something, and 1,440 are needed"),
        (np.full((5000, 3), np.nan), "0 windows say something"),
        (np.zeros((700, 3)), "700 windows say something, and 1,440 are needed for 1 false alarms a month"),
    ],
)
def test_a_history_that_is_too_short_says_so_and_changes_nothing(values, says):
    found = calibrate(History(subjects=SUBJECTS, values=values, step_s=HOUR_S), 0.1, 1.0, np.random.default_rng(1))
    assert found.too_little.startswith(says)
    assert found.bounds == dict.fromkeys(SUBJECTS, 0.1)
    assert math.isnan(found.low)


def test_the_same_history_and_seed_give_the_same_bounds():
    values = season(np.random.default_rng(7), 3)
    history = History(subjects=SUBJECTS, values=values, step_s=HOUR_S)
    one, two = (calibrate(history, 0.1, 1.0, np.random.default_rng(1)) for _ in range(2))
    assert one == two


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 6))
def test_the_least_bound_is_the_least(scores, allowed):
    scores = np.array(scores, float)

    def alarms(bound):
        return calibration._alarms(scores > bound)

    found = calibration._least(scores, allowed)
    assert all(alarms(level) <= allowed for level in np.unique(scores[scores >= found]))
    below = [level for level in np.unique(scores) if level < found]
    if below:  # a lower one would cross more often while it comes down to it
        assert any(alarms(level) > allowed for level in [*below, -1.0]) or found == scores.min()
