"""A snapshot is the whole state: a learner that goes on from it is one that never stopped, to the bit."""

import json

import numpy as np
import pyarrow as pa
import pytest
from weir.core.signature import Task
from weir.learn import snapshot
from weir.learn.learner import Limits

from tests.unit.learn.streams import stream, subject
from tests.unit.learn.test_run import W, linear, nth_outcome

LEARNER = {"name": "one", "service": "returns", "model": "{}", "window": W}
VERSIONS = {"weir": "0.1.0", "river": "0.26.1"}


def dumped(run, task):
    return snapshot.dump(run.good, subject(task), LEARNER, VERSIONS)


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
@pytest.mark.parametrize("ended", [3, 1777, 4000])
def test_resumed_is_never_stopped(task, ended):
    events = stream(task)
    straight, killed = linear(task, rate=0.001), linear(task, rate=0.001)
    said = straight.take(events)
    killed.take(events.cut(0, ended))
    good, versions = snapshot.load(dumped(killed, task), subject(task), LEARNER)
    assert versions == VERSIONS
    resumed = linear(task, good=good, rate=0.001)
    behind = 0 if not good.outcomes else nth_outcome(events, good.outcomes - 1) + 1
    assert good.position == (events.position(behind - 1) if behind else type(good.position)())
    again = resumed.take(events.cut(behind, len(events.y)))
    for name in ("learner", "no_change", "last"):
        assert getattr(again, name).tobytes() == getattr(said, name)[behind:].tobytes()
    assert dumped(resumed, task) == dumped(straight, task)
    assert resumed.good.outcomes == 4000


def test_one_that_was_stopped_stays_stopped():
    events = stream(Task.BINARY)
    events.x[nth_outcome(events, 700), 2] = np.inf
    run = linear()
    run.take(events)
    good, _ = snapshot.load(dumped(run, Task.BINARY), subject(Task.BINARY), LEARNER)
    assert good.stop == run.stop
    resumed = linear(good=good)
    resumed.take(events.cut(nth_outcome(events, W - 1) + 1, len(events.y)))
    assert dumped(resumed, Task.BINARY) == dumped(run, Task.BINARY)


def test_it_says_what_it_is_of():
    run = linear()
    run.take(stream(Task.BINARY))
    table = pa.ipc.open_file(dumped(run, Task.BINARY)).read_all()
    said = json.loads(table.schema.metadata[b"weir.learner"])
    assert (said["learner"], said["versions"], said["outcomes"]) == (LEARNER, VERSIONS, 4000)
    assert table.column("column").to_pylist() == ["c0", "c1", "c2", "c3"]
    assert table.column("weight").to_pylist() == run.good.kept[0][3].tolist()


@pytest.mark.parametrize(
    ("content", "of", "learner", "why"),
    [
        (b"", subject(Task.BINARY), LEARNER, "no snapshot"),
        (b"\x80\x04N.", subject(Task.BINARY), LEARNER, "no snapshot"),
        (None, subject(Task.REGRESSION), LEARNER, "another task"),
        (None, subject(Task.BINARY, 3), LEARNER, "other features"),
        (None, subject(Task.BINARY), {**LEARNER, "model": "[]", "window": 7}, "whose model, window differs"),
    ],
)
def test_what_is_another_is_refused(content, of, learner, why):
    content = dumped(linear(), Task.BINARY) if content is None else content
    with pytest.raises(ValueError, match=why):
        snapshot.load(content, of, learner)


@pytest.mark.parametrize("lacking", ["numbers", "usual", "seen", "position", "outcomes", "stop", "learner", "versions"])
def test_a_part_that_is_missing_is_said(lacking):
    table = pa.ipc.open_file(dumped(linear(), Task.BINARY)).read_all()
    said = json.loads(table.schema.metadata[b"weir.learner"])
    del said[lacking]
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata({"weir.learner": json.dumps(said)})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ValueError, match="a part is missing"):
        snapshot.load(bytes(sink.getvalue()), subject(Task.BINARY), LEARNER)


def test_limits_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match=r"window is 3, not from 20 to 1e\+06, and missing is 2, not from 0 to 1"):
        Limits(window=3, missing=2)
