"""What a learner worker writes to its log: no entry of it is left unread, and none counts without those before it."""

import numpy as np
import pyarrow as pa
import pytest
from weir.agents.learner import clock, joining, kept
from weir.agents.learner.books import NotHeld, written
from weir.agents.learner.entries import Entry, Kind
from weir.agents.learner.memory import Memory
from weir.agents.learner.rounds import Open, Rounds
from weir.core.errors import Refused, Unavailable
from weir.core.signature import Task

from tests.doubles import labelled
from tests.unit.learn.streams import LOGISTIC, learner

MINE, OTHER = "mine", "other"


class Log:
    """The log of labelled outcomes, in memory. others: what others write, by what is written before it."""

    log = "log"

    def __init__(self, others=None):
        self.entries, self.others, self.read_to = [], dict(others or {}), 0

    def write(self, entries):
        for one in entries:
            self.entries += [one, *self.others.pop(one.number, [])]

    def read(self):
        found, self.read_to = self.entries[self.read_to :], len(self.entries)
        return found


def read_entry(number, worker=MINE):
    columns = {"upto": {}, "firsts": {}, "all": False}
    return Entry(kind=Kind.READ, number=number, at_ms=0, worker=worker, columns=columns)


def test_what_a_person_says_right_behind_an_entry_is_heard():
    freeze = Entry(kind=Kind.FREEZE, subject="some", at_ms=0, worker="ada")
    log, heard = Log({0: [freeze]}), []
    written(log, read_entry(0), heard.append)
    assert heard == [read_entry(0), freeze]


def test_entries_behind_a_void_one_are_not_written():
    """Else they would count, and what stands in the void one would be lost: outcomes are read beyond it."""
    log, memory = Log(), Memory()
    log.entries = [read_entry(0, OTHER)]
    opened = Open(log, None, None, memory, [], {}, {})
    rounds = Rounds(settings=None, connect=None, now_ms=None, worker=MINE)
    with pytest.raises(NotHeld):
        rounds._write(opened, [read_entry(0), read_entry(1), read_entry(2)])
    assert [one.number for one in log.entries] == [0, 0]


def test_a_learner_that_does_not_fit_makes_the_others_begin_anew_only_when_it_does(monkeypatch):
    """Each time the log is read again, and all of it is learned again by a model without snapshots."""
    some = {"some": learner(LOGISTIC)}
    rounds = Rounds(settings=None, connect=lambda: None, now_ms=None, monotonic_s=iter(range(0, 10_000, 100)).__next__)
    monkeypatch.setattr(Rounds, "_declared", lambda self: some)
    opened = Open(None, None, None, Memory(), [], {}, some)

    def refused(*_):
        raise Refused("no bundle has scored yet")

    monkeypatch.setattr(kept, "opened", refused)
    assert not rounds._other_files(opened)
    monkeypatch.setattr(kept, "opened", lambda *_: None)
    assert rounds._other_files(opened)


@pytest.mark.parametrize(
    ("kind", "columns"),
    [("freeze", "{}"), ("rows", "{}"), ("read", "[]"), ("rows", '{"inputs": [], "classes": []}'), ("read", "[" * 9999)],
)
def test_what_is_no_entry_is_none_before_anybody_goes_on_with_it(kind, columns):
    row = {"kind": kind, "number": 0, "subject": "some", "first": 0, "columns": columns, "rows": b"", "at": 0}
    with pytest.raises(ValueError, match="at offset 7 is none"):
        Entry.of({**row, "worker": "somebody"}, 7)


def batch_of(rows):
    fields = [(name, pa.string()) for name in ("service", "prediction_id", "request_id", "label")]
    more = [("observed", pa.float64()), ("attributes", pa.map_(pa.string(), pa.float64())), ("revision", pa.int64())]
    schema = pa.schema([*fields, *more, ("withdrawn", pa.bool_()), ("occurred_at", pa.timestamp("ms", "UTC"))])
    return pa.RecordBatch.from_pylist(rows, schema)


def test_what_is_sent_with_a_huge_id_or_from_the_future_harms_no_other():
    """ClickHouse would refuse the question for the one, and all would be as late as the other."""
    of = labelled.made("fragile", "binary", 3, ("whole", "broken"))
    rows = [labelled.outcome(of, i, by_request=True) for i in range(3)]
    rows[1]["request_id"] = "/" * 400_000
    rows[2]["label"] = "x" * 400_000
    batch = batch_of(rows)
    now_ms = labelled.BEGIN_MS
    said, _ = joining.said(batch, np.array([now_ms + 10**12, 5, 5]), ["fragile"])
    said, ahead = clock.by_now(said, now_ms)
    assert ahead == 1
    assert said.column("key").to_pylist() == [rows[0]["request_id"]]
    assert said.column("at_ms").to_pylist() == [now_ms]


def test_what_is_withdrawn_before_its_prediction_is_there_is_not_learned():
    """Whether it waits already, or comes in the same read; one that is said anew after that counts."""
    of = labelled.made("fragile", "binary", 4, ("whole", "broken"))
    first, second, third, fourth = (labelled.outcome(of, i) for i in range(4))

    def read(*rows):
        return joining.said(batch_of(rows), np.arange(len(rows)), ["fragile"])

    memory = Memory()
    waiting, gone = read(first, second)
    memory.fold(memory.read_entry(0, waiting, gone, {}, 0, MINE))
    took_back = [{**one, "withdrawn": True, "label": None} for one in (first, third, fourth)]
    more, gone = read(took_back[0], third, took_back[1], took_back[2], fourth)
    assert more.column("key").to_pylist() == [fourth["prediction_id"]]
    assert memory.without(gone).column("key").to_pylist() == [second["prediction_id"]]
    memory.fold(memory.read_entry(1, more, gone, {}, 0, MINE))
    assert memory.waiting.column("key").to_pylist() == [second["prediction_id"], fourth["prediction_id"]]


def test_a_request_that_was_answered_in_the_future_is_left_out_and_counted():
    """Its day would never be over; within ten minutes clocks are merely apart."""
    of = labelled.made("fragile", "binary", 3, ("whole", "broken"))
    said, _ = joining.said(batch_of([labelled.outcome(of, i) for i in range(3)]), np.full(3, 5), ["fragile"])
    now_ms = labelled.BEGIN_MS
    answered = [now_ms, now_ms + clock.APART_MS, now_ms + 10 * 365 * 86_400_000]
    served = {"id": of.ids, "answered_ms": answered, "tenant": [""] * 3, "score": [0.5] * 3}
    served |= {
        "by": ["d"] * 3,
        "learned": [False] * 3,
        "x": [[1.0, 2.0, 3.0]] * 3,
        "outputs": pa.array([[]] * 3, pa.list_(pa.float64())),
    }
    looked = joining.Looked(np.ones(3), pa.array(of.ids), np.arange(3), pa.table(served))
    wanted = joining.Wanted(Task.BINARY, ("whole", "broken"), {}, labelled.INPUTS)
    found = joining.joined(None, "fragile", wanted, said, looked, Memory(), now_ms)
    assert found.rows.column("id").to_pylist() == list(of.ids[:2])
    assert (found.ahead, found.waits.any()) == (1, False)


def test_a_clock_that_is_ahead_of_others_lets_learners_wait(monkeypatch):
    """Years ahead it would close all days until then, for good."""
    monkeypatch.setattr(clock.sql_files, "rows", lambda *_: [{"now_ms": 1000, "zone": "UTC"}])
    clock.check(None, 1000 + clock.APART_MS)
    with pytest.raises(Unavailable, match=r"clock is 87,600\.0 hours ahead of ClickHouse's"):
        clock.check(None, 1000 + 10 * 365 * 86_400_000)
