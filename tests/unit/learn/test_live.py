"""A live learner is a function of its log: stopped and gone on from anywhere it comes to the same bits."""

import json

import numpy as np
import pyarrow as pa
import pytest
from weir.core.signature import Task
from weir.learn import history, linear_river, river_parts, snapshot
from weir.learn.evidence import Evidence
from weir.learn.history import History, State
from weir.learn.learner import Limits
from weir.learn.live import Held, Labelled, Live
from weir.learn.river_model import RiverModel
from weir.learn.tally import Tally

from tests.unit.learn.streams import BAYES, LINEAR, LOGISTIC, SCALER, learner, stream, subject

MODELS = {Task.BINARY: (SCALER, LOGISTIC), Task.REGRESSION: (SCALER, LINEAR), Task.MULTICLASS: (BAYES,)}
EVERY_MS = 1000


def life(task, held=None, every_ms=EVERY_MS, **limits):
    of = subject(task)
    declared = learner(*MODELS[task], rate=0.01 if task is not Task.MULTICLASS else None)

    def made():
        model = river_parts.made(declared, task)
        return linear_river.arrays_of(model, of.columns) or RiverModel(model, of)

    evidence = Evidence(of, declared, held.evidence if held else None)
    return Live(made, of, Limits(window=100, **limits), every_ms, held, evidence)


def entries(task, n=1500, size=70):
    """The log: (offset, time, outcomes), each request answered ten minutes before its outcome came."""
    events = stream(task, n)
    rows = np.flatnonzero(events.learns)
    at_ms = events.at_ms[rows]
    champion = events.champion[rows]
    ids, tenants = (each.take(pa.array(rows)) for each in (events.ids, events.tenants))
    x, y = events.x[rows], events.y[rows]
    whole = Labelled(0, ids, at_ms, at_ms - 600_000, x, y, champion, tenants, np.full(len(y), ""), champion)
    cuts = range(0, len(rows), size)
    return [(5 + 2 * i, int(at_ms[min(c + size, n) - 1]), whole.cut(c, min(c + size, n))) for i, c in enumerate(cuts)]


def said(live, task):
    """All of its state that a restart goes on from, as bytes where it has some."""
    held = live.held
    good = snapshot.dump(held.good, subject(task), {}, {}), history.dump(held.history)
    return good, held.next, held.tally, held.blind, held.left, held.published_ms, json.dumps(held.evidence)


def restarted(live, task):
    """Another life, from what a snapshot holds."""
    held = live.held
    good, _ = snapshot.load(snapshot.dump(held.good, subject(task), {}, {}), subject(task), {})
    states = history.load(history.dump(held.history), len(subject(task).columns))
    found = json.loads(json.dumps(held.evidence, allow_nan=False))
    kept = Held(good, held.next, states, held.tally, held.blind, held.left, held.published_ms, found)
    return life(task, kept)


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_killed_behind_any_entry_it_comes_to_the_same_bits(task):
    log = entries(task)
    whole = life(task)
    for number, (offset, at_ms, rows) in enumerate(log):
        whole.take(rows, offset, at_ms)
        if number == 9:
            whole.freeze("looked odd", "ada", offset + 1, at_ms)
        if number == 12:
            whole.resume(offset + 1, at_ms)
    one = life(task)
    for number, (offset, at_ms, rows) in enumerate(log):
        one.take(rows, offset, at_ms)
        if number == 9:
            one.freeze("looked odd", "ada", offset + 1, at_ms)
        if number == 12:
            one.resume(offset + 1, at_ms)
        one = restarted(one, task)
        for again, (earlier, then_ms, before) in enumerate(log[: number + 1]):  # of the log it may find too much
            if again < number - 3:
                continue
            one.take(before, earlier, then_ms)
            if again == 9:
                one.freeze("looked odd", "ada", earlier + 1, then_ms)
            if again == 12:
                one.resume(earlier + 1, then_ms)
    assert said(one, task) == said(whole, task)
    assert [a.tobytes() for a in one.answering] == [a.tobytes() for a in whole.answering]
    assert one.now.tally == whole.now.tally
    assert whole.now.left == 3 * 70
    assert whole.learned == whole.held.good.outcomes + (1500 - 910) % 100


def test_it_is_judged_by_what_it_would_have_said_when_the_request_was_answered():
    """With a state behind each outcome: the same as asking first, as of ten minutes before."""
    task = Task.BINARY
    log = [(i, int(rows.at_ms[0]), rows) for i, (_, _, rows) in enumerate(entries(task, 200, 1))]
    live, plain = life(task, every_ms=0), life(task, every_ms=0)
    states, losses = [], []
    for offset, at_ms, rows in log:
        known = [state for since, state in states if since <= rows.answered_ms[0]]
        if known:
            model = plain._scratch
            model.restore(known[-1])
            out = np.empty((1, 1))
            model.run(rows.x, np.zeros(1), np.zeros(1, bool), out)
            losses.append(-np.log(out[0, 0] if rows.y[0] else 1 - out[0, 0]))
        live.take(rows, offset, at_ms)
        plain._model.run(rows.x, rows.y, np.ones(1, bool), np.empty((1, 1)))
        states.append((at_ms, plain._model.keep()))
    assert live.now.tally.n == len(losses) == 200 - live.now.blind > 100
    assert live.now.tally.told()["learner"]["log_loss"] == pytest.approx(np.mean(losses), rel=1e-12)
    assert set(live.now.tally.told()) == {"learner", "champion", "no change", "last"}


def test_a_model_without_snapshots_lives_and_is_judged_too():
    live = life(Task.MULTICLASS)
    for offset, at_ms, rows in entries(Task.MULTICLASS):
        live.take(rows, offset, at_ms)
    told = live.now.tally.told()
    assert told["learner"]["log_loss"] < told["no change"]["log_loss"] < told["last"]["log_loss"]
    assert told["learner"]["accuracy"] > told["champion"]["accuracy"]


def test_a_guard_stops_it_and_it_answers_with_its_last_good_state():
    """An outlier that is poisoned in; and what it would have said since is what that state says."""
    task = Task.REGRESSION
    live, log = life(task), entries(task)
    for offset, at_ms, rows in log[:11]:
        live.take(rows, offset, at_ms)
    good = live.held.good
    assert live.learned > good.outcomes
    offset, at_ms, rows = log[11]
    rows.y[20] = 1e9
    live.take(rows, offset, at_ms)
    assert (live.held.good.stop.guard, live.held.good.stop.evidence["column"]) == ("outlier_sd", "outcome")
    assert live.answering is live.held.good.kept is live.now.history.states[-1].kept is good.kept
    assert restarted(live, task).held.good.stop == live.held.good.stop
    told = live.now
    live.take(log[12][2], log[12][0], log[12][1])
    assert live.now.left == told.left + 70
    assert live.now.history == told.history
    assert live.now.tally.n > told.tally.n


def test_a_history_keeps_all_of_the_newest_and_fewer_of_those_before():
    seen = life(Task.BINARY).held.good.seen
    some = History()
    for since in range(2000):
        some = some.with_one(State(since, (np.zeros((4, 4)), np.zeros(4)), seen))
    since = [state.since_ms for state in some.states]
    assert len(since) <= history.MOST
    assert since[-100:] == list(range(1900, 2000))
    assert since[0] == 0
    assert history.load(history.dump(some), 4).states[3].since_ms == since[3]
    with pytest.raises(ValueError, match="no states"):
        history.load(b"what", 4)
    assert Tally().with_more(subject(Task.BINARY), {}, np.empty(0)) == Tally()
