"""States that a learner had, so that what it says of a request is what it would have said when that was answered."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.learn import baselines
from weir.learn.baselines import Seen
from weir.learn.learner import Subject
from weir.learn.model import Floats, Model

BYTES: Final = 1 << 17  # of all states in a snapshot: it is written every second
LEAST, MOST = 16, 256  # states
FEWEST: Final = 4  # of a model whose pickle is large
LARGE: Final = 1 << 20  # bytes of all states of such a one
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class State:
    """What it knew from a time on. kept: the model's, see Model. seen: outcomes, for the baselines."""

    since_ms: int
    kept: Any
    seen: Seen


@dataclass(frozen=True, slots=True)
class History:
    """States in the order of time: all of the newest, of those before fewer the older they are. A value."""

    states: tuple[State, ...] = ()

    def with_one(self, state: State) -> History:
        """And one more. Of the older half of too many every second one goes."""
        states = (*self.states, state)
        if len(states) <= _room(state):
            return History(states)
        half = len(states) // 2
        return History((*states[:half:2], *states[half:]))

    def known(self, at_ms: Whole) -> Whole:
        """How many outcomes were known when requests were answered: int64[n]; 0 before the first state."""
        counts = np.array([0, *(state.seen.count for state in self.states)], np.int64)
        since = np.array([state.since_ms for state in self.states], np.int64)
        return counts[np.searchsorted(since, at_ms, "right")]

    def answers(self, model: Model, x: Floats, at_ms: Whole, subject: Subject) -> tuple[Whole, tuple[Floats, ...]]:
        """What was known when requests were answered: the rows that there was a state for, and what is said of them.

        model: one to work with. x: float64[n, k]. at_ms: int64[n]. Of r rows float64[r, m] each: the learner's, no
        change's, and last's.
        """
        since = np.array([state.since_ms for state in self.states], np.int64)
        which = np.searchsorted(since, at_ms, "right") - 1
        rows = np.flatnonzero(which >= 0)
        said = tuple(np.full((len(rows), subject.width), np.nan) for _ in range(3))
        for number in np.unique(which[rows]).tolist():
            state, mine = self.states[number], np.flatnonzero(which[rows] == number)
            out, none = np.full((len(mine), subject.width), np.nan), np.zeros(len(mine), bool)
            model.restore(state.kept)
            model.run(x[rows[mine]], np.zeros(len(mine)), none, out)
            told = baselines.told(state.seen, np.zeros(len(mine)), none, subject)
            for each, values in zip(said, (out, told.no_change, told.last), strict=True):
                each[mine] = values
        return rows, said


def _room(state: State) -> int:
    pickled = not isinstance(state.kept, tuple)
    size = len(state.kept) if pickled else sum(one.nbytes for one in state.kept)
    least = max(FEWEST, min(LEAST, LARGE // size)) if pickled else LEAST
    return max(least, min(MOST, BYTES // max(size, 1)))


def dump(history: History) -> bytes:
    """Of a linear learner, as an Arrow IPC stream. The same states give the same bytes."""
    states = history.states
    columns = {
        "since_ms": pa.array([state.since_ms for state in states], pa.int64()),
        "state": _lists([state.kept[0].ravel() for state in states]),
        "numbers": _lists([state.kept[1] for state in states]),
        "count": pa.array([state.seen.count for state in states], pa.int64()),
        "sums": _lists([state.seen.sums for state in states]),
        "last": pa.array([None if math.isnan(state.seen.last) else state.seen.last for state in states], pa.float64()),
    }
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def load(content: bytes, columns: int) -> History:
    """What `dump` made of a learner of so many columns. Raises ValueError."""
    try:
        table = pa.ipc.open_stream(pa.py_buffer(content)).read_all()
        rows = table.to_pylist()
        return History(
            tuple(
                State(
                    row["since_ms"],
                    (np.array(row["state"], np.float64).reshape(-1, columns), np.array(row["numbers"], np.float64)),
                    Seen(
                        row["count"],
                        np.array(row["sums"], np.float64),
                        math.nan if row["last"] is None else row["last"],
                    ),
                )
                for row in rows
            )
        )
    except (KeyError, TypeError, OSError, pa.ArrowInvalid) as error:
        raise ValueError("it has no states of a learner") from error


def _lists(values: Sequence[Floats]) -> pa.Array:
    return pa.array([one.tolist() for one in values], pa.list_(pa.float64()))
