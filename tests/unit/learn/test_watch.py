"""Two channels of drift: one that rises within hundreds of outcomes and passes, one that wanders off for days."""

import math
from itertools import pairwise

import numpy as np
import pytest
from weir.core.signature import Task
from weir.learn import losses
from weir.learn.learner import Slow
from weir.learn.watch import Watch

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BEGIN = 1_779_926_400_000
SLOW = Slow()


def outcomes(task, days, share, off=0.0, a_day=400, seed=1):
    """Answers that are right but for a part of the time, share(day) -> bool, in which they are off by so much."""
    chance = np.random.default_rng(seed)
    n = days * a_day
    at = BEGIN + (np.arange(n) * DAY_MS) // a_day
    bad = share((at - BEGIN) / DAY_MS)
    if task is Task.REGRESSION:
        said = chance.normal(40, 10, (n, 1))
        return at, said, said[:, 0] + 5 * (chance.normal(size=n) + off * bad)
    if task is Task.BINARY:
        said = chance.beta(2, 5, (n, 1))
        return at, said, (chance.random(n) < said[:, 0] + off * bad).astype(float)
    said = chance.dirichlet([5, 2, 1], n)
    y = np.array([chance.choice(3, p=row) for row in said])
    lost = chance.random(n) < off * bad
    return at, said, np.where(lost, said.argmin(1), y).astype(float)


def watched(task, events, cuts=(), terms=SLOW):
    watch, at = Watch(task, terms), events[0]
    ends = [0, *cuts, len(at)]
    for begin, end in pairwise(ends):
        watch.take(*(each[begin:end] for each in events))
    return watch.alarms


@pytest.mark.parametrize("task", list(Task))
def test_where_nothing_changes_nothing_drifts(task):
    assert watched(task, outcomes(task, 100, lambda day: day < 0)).drifts == ()


@pytest.mark.parametrize("task", list(Task))
def test_what_stays_off_is_a_drift_with_its_begin_and_an_incident_before(task):
    events = outcomes(task, 60, lambda day: day >= 40, {Task.REGRESSION: 1.5}.get(task, 0.3))
    found = watched(task, events, cuts=(1, 1777, 9000))
    assert found == watched(task, events)  # however they are cut
    first = found.drifts[0]
    assert 40 < (first.at_ms - BEGIN) / DAY_MS < 47
    assert 38.5 <= (first.begin_ms - BEGIN) / DAY_MS <= 40.5
    assert first.evidence >= first.limit == 365 * 4
    expected = {Task.BINARY: 0.3, Task.REGRESSION: 7.5, Task.MULTICLASS: -0.17}[task]
    assert first.residual == pytest.approx(expected, rel=0.3)
    assert first.name.startswith("drift-202607")
    opened = [one for one in found.incidents if one.begin_ms >= BEGIN + 40 * DAY_MS]
    assert (opened[0].begin_ms - BEGIN) / DAY_MS < 42
    assert opened[0].loss > opened[0].usual


def test_an_incident_is_one_however_often_it_alarms_and_is_over_by_itself():
    events = outcomes(Task.BINARY, 60, lambda day: (day >= 40) & (day < 41), 0.5)
    (found,) = watched(Task.BINARY, events).incidents
    assert 40 < (found.begin_ms - BEGIN) / DAY_MS < 40.5
    assert found.end_ms == found.last_ms + DAY_MS
    assert found.alarms >= 2
    assert set(found.by) == {"ADWIN", "Page-Hinkley"}
    assert watched(Task.BINARY, events).drifts == ()  # a day is no drift
    assert found.name.startswith("incident-20260707T")


def test_what_is_within_the_tolerance_is_no_drift_and_so_are_answers_that_are_no_number():
    at, said, y = outcomes(Task.BINARY, 60, lambda day: day >= 10, 0.06)
    assert watched(Task.BINARY, (at, said, y)).drifts
    assert not watched(Task.BINARY, (at, said, y), terms=Slow(tolerance=0.08)).drifts
    assert watched(Task.BINARY, (at, np.full_like(said, np.nan), y)).drifts == ()


@pytest.mark.parametrize("place", [10, 900, 5000, 17_000])
@pytest.mark.parametrize("value", [1e12, -1e200])
def test_a_number_far_beyond_all_others_makes_neither_channel_blind(place, value):
    """Nor does it call for anything by itself: it was once the spread of all, and nothing after it was far."""
    at, said, y = outcomes(Task.REGRESSION, 60, lambda day: day >= 40, 1.5)
    plain = watched(Task.REGRESSION, (at, said, y))
    y = y.copy()
    y[place] = value
    found = watched(Task.REGRESSION, (at, said, y), cuts=(1, 1777, 9000))
    assert [one.at_ms for one in found.drifts[:1]] == pytest.approx([plain.drifts[0].at_ms], abs=2 * DAY_MS)
    assert found.opened[0].begin_ms == pytest.approx(plain.opened[0].begin_ms, abs=DAY_MS)
    assert all(one.begin_ms > BEGIN + 39 * DAY_MS for one in found.opened)


def test_losses_and_residuals():
    said, y = np.array([[0.2], [0.2]]), np.array([0.0, 1.0])
    assert losses.loss(Task.BINARY, said, y) == pytest.approx([-math.log(0.8), -math.log(0.2)])
    assert losses.residual(Task.BINARY, said, y) == pytest.approx([-0.2, 0.8])
    several = np.array([[0.5, 0.3, 0.2], [0.1, 0.0, 0.9]])
    assert losses.loss(Task.MULTICLASS, several, np.array([1.0, 1.0])) == pytest.approx(
        [-math.log(0.3), -math.log(1e-6)]
    )
    assert losses.residual(Task.MULTICLASS, several, np.array([0.0, 1.0])) == pytest.approx([0.5, -0.9])
    assert losses.loss(Task.REGRESSION, said, y) == pytest.approx([0.2, 0.8])


def test_terms_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match=r"tolerance is 0.5, not from 0.001 to 0.2, and block_h is 0"):
        Slow(tolerance=0.5, block_h=0)
