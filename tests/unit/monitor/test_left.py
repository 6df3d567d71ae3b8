"""What is gone on from where outcomes come long after their windows."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from weir.core.signature import Task
from weir.monitor import assess
from weir.monitor.left import Left, Work
from weir.monitor.measurement import Measurement, State
from weir.monitor.spec import Monitor, Row, Unit
from weir.monitor.usual import Way

DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORK = Work("fraud", "outcome/auc", 86_400)
AUC = Monitor(
    name=WORK.monitor,
    question="Does it still put those that come true first?",
    title="AUC",
    source="this test",
    tasks=(Task.BINARY,),
    time="time",
    value="auc",
    unit=Unit.AUC,
    n="n",
    maturity=0.9,
    usual={"": Way.FALLS},
    parameters={},
    sql="",
    sha256="0",
)
FALLS_AT = 30


def measured(left, day, revision, value, known):
    """The state of one computation of a window, which is written and remembered."""
    shown = (None, None) if value is None else (value - 0.02, value + 0.02)
    row = Row(
        begin=BEGIN + day * DAY,
        subject="",
        value=value,
        n=1000,
        low=shown[0],
        high=shown[1],
        details={"maturity": known},
    )
    what = assess.Computed(
        work=WORK, begin=row.begin, covers=(), revision=revision, age=timedelta(0), at=BEGIN, worker="w"
    )
    (found,) = assess.of_rows(AUC, assess.rule_of(AUC), [row], what, left)
    left.measured(Measurement.of(found.measurement.row()), found.alert)
    return found.measurement.state


@pytest.mark.parametrize("delay", [0, 1, 2, 9])  # days until outcomes are known
@pytest.mark.parametrize("early", [None, 0.7])  # what the few outcomes say that are there at once
def test_a_figure_has_its_history_however_late_its_outcomes_come(delay, early):
    chance, left, states = random.Random(3), Left("weir.outcomes"), []
    for day in range(FALLS_AT + 8 + delay):
        if delay:
            assert measured(left, day, 0, early, 0.1) in (State.FEW, State.IMMATURE)
        if day >= delay:
            value = chance.gauss(0.8, 0.01) - (0.2 if day - delay >= FALLS_AT else 0)
            states.append(measured(left, day - delay, 1 if delay else 0, value, 1.0))
    assert states == [State.OK] * FALLS_AT + [State.WARN] * 8


def test_a_window_whose_outcomes_are_taken_back_is_forgotten():
    chance, left = random.Random(3), Left("weir.outcomes")
    for day in range(10):
        measured(left, day, 0, chance.gauss(0.8, 0.01), 1.0)
    (before,) = left.memories.values()
    measured(left, 10, 0, 0.8, 1.0)
    measured(left, 10, 1, None, 0.0)
    (after,) = left.memories.values()
    assert after.after == before.after


def test_windows_that_are_never_due_again_are_forgotten():
    left, other = Left("weir.outcomes"), Work("fraud", "outcome/auc", 3600)
    for work in (WORK, other):
        for day in range(9):
            left.computed(work, BEGIN + day * DAY, (), 0, 0.0, early=False)
        left.began(work, 7)
        left.began(work, 9)
    left.forget([WORK], BEGIN + 5 * DAY)
    assert sorted(left.windows[WORK]) == [BEGIN + day * DAY for day in range(5, 9)]
    left.forget([WORK], BEGIN + 50 * DAY)
    assert sorted(left.windows[WORK]) == [BEGIN + 8 * DAY], "from its newest it goes on"
    assert len(left.windows[other]) == 9
    assert left.begun == {WORK: 7, other: 7}
