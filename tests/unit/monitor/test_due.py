"""Which windows are due: complete ones, once, and again when what they cover has grown."""

from datetime import UTC, datetime, timedelta

from weir.core.chunk import LogPartition
from weir.core.standing import Cover
from weir.monitor.due import Done, due, runs
from weir.monitor.gate import Window

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REQUESTS, OUTCOMES = LogPartition("log", "requests", 0), LogPartition("log", "outcomes", 0)


def window(hour, last=9, why=""):
    return Window(NOON + hour * HOUR, (Cover(REQUESTS, 0, last),), why)


def done(last=9, outcomes=None, age=HOUR, revision=0):
    came = None if outcomes is None else frozenset({Cover(OUTCOMES, 0, outcomes)})
    return Done(covers=frozenset({Cover(REQUESTS, 0, last)}), outcomes=came, age=age, revision=revision)


def asked(windows, known, outcomes=None, before=None, newest=NOON + 10 * HOUR):
    return due(windows, known, outcomes, before or {}, step=HOUR, newest=newest)


def test_complete_windows_are_due_once_and_again_when_late_rows_came():
    windows = [window(0), window(1, why="it has not ended"), window(2, last=12), window(3)]
    known = {NOON: done(), NOON + 2 * HOUR: done(revision=4)}
    found = asked(windows, known)
    assert [(item.window.begin.hour, item.what.revision) for item in found] == [(14, 5), (15, 0)]


def test_outcomes_make_a_window_anew_when_it_is_a_good_deal_older_or_no_more_come():
    came = {NOON: [Cover(OUTCOMES, 0, 20)]}
    covers = frozenset(came[NOON])
    for known, before, again in [
        (done(outcomes=20), {}, False),  # nothing new
        (done(outcomes=7, age=9 * HOUR), {}, False),  # more has come, and more will
        (done(outcomes=7, age=9 * HOUR), {NOON: covers}, True),  # it has stopped
        (done(outcomes=7, age=3 * HOUR), {}, True),  # it was three hours old and is nine
        (done(outcomes=7, age=9 * HOUR, last=3), {}, True),  # late rows
    ]:
        assert bool(asked([window(0)], {NOON: known}, came, before)) is again


def test_one_question_is_about_neighbours():
    found = asked([window(hour) for hour in (0, 1, 2, 5, 6)], {})
    hours = lambda most, rows: [[item.window.begin.hour for item in run] for run in runs(found, HOUR, most, rows)]  # noqa: E731
    assert hours(2, 1000) == [[12, 13], [14], [17, 18]]
    assert hours(200, 29) == [[12, 13], [14], [17, 18]], "a window has ten rows"
    assert hours(200, 5) == [[12], [13], [14], [17], [18]], "one that has more is alone"
