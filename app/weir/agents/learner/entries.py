"""Entries of the log of labelled outcomes, and their rows as Arrow."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.learn.live import Labelled

NO_NUMBER: Final = -1
SAID: Final = pa.schema(
    [
        ("service", pa.string()),
        ("key", pa.string()),
        ("by_request", pa.bool_()),
        ("at_ms", pa.int64()),
        ("label", pa.string()),
        ("observed", pa.float64()),
    ]
)


def whose(outcomes: pa.Table) -> Any:
    """Which prediction or request each of n outcomes is of, string[n]."""
    return pc.binary_join_element_wise(outcomes.column("service"), outcomes.column("key"), "\n")


class Kind(StrEnum):
    """What an entry says."""

    ROWS = "rows"
    READ = "read"
    FREEZE = "freeze"
    RESUME = "resume"


ROWS: Final = frozenset(("id", "key", "at_ms", "answered_ms", "tenant", "x", "y", "champion"))
NEEDED: Final = {
    Kind.ROWS: ("inputs", "classes"),
    Kind.READ: ("upto", "firsts", "begin", "all"),
    Kind.FREEZE: ("reason", "by"),
    Kind.RESUME: ("reason", "by"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """See labelled/v1.avsc. offset: where it stands, once it was read.

    rows: of outcomes also by (the bundle that answered), and learner, pair and beside, see shadows; entries of earlier
    versions lack these four.
    """

    kind: Kind
    number: int = NO_NUMBER
    subject: str = ""
    first: int = 0
    columns: Mapping[str, Any] = field(default_factory=dict)
    rows: pa.Table | None = None
    at_ms: int
    worker: str
    offset: int = -1

    def row(self) -> dict[str, Any]:
        """The fields of labelled/v1.avsc."""
        return {
            "kind": self.kind.value,
            **{name: getattr(self, name) for name in ("number", "subject", "first", "worker")},
            "columns": json.dumps(self.columns, sort_keys=True),
            "rows": b"" if self.rows is None else _packed(self.rows),
            "at": self.at_ms,
        }

    @staticmethod
    def of(row: Mapping[str, Any], offset: int) -> Entry:
        """From a row as it is read, its time as milliseconds. Raises ValueError where it is none."""
        try:
            entry = Entry(
                kind=Kind(row["kind"]),
                **{name: row[name] for name in ("number", "subject", "first", "worker")},
                columns=json.loads(row["columns"]),
                rows=pa.ipc.open_stream(pa.py_buffer(row["rows"])).read_all() if row["rows"] else None,
                at_ms=row["at"],
                offset=offset,
            )
        except (KeyError, TypeError, OSError, RecursionError, pa.ArrowException) as error:
            raise ValueError(f"the entry at offset {offset} is none: {error}") from error
        if lacking := entry._lacking():
            raise ValueError(f"the entry at offset {offset} is none: it lacks {lacking}")
        return entry

    def _lacking(self) -> str:
        """What it does not have of what its kind needs; "" where it has all."""
        said = self.columns if isinstance(self.columns, Mapping) else {}
        if missing := [name for name in NEEDED[self.kind] if name not in said]:
            return ", ".join(missing)
        if self.kind is Kind.ROWS:
            there = self.rows.schema.names if self.rows is not None and self.rows.num_rows else ()
            return ", ".join(sorted(ROWS.difference(there)))
        return "rows as they wait" if self.rows is not None and not self.rows.schema.equals(SAID) else ""

    def labelled(self, inputs: tuple[str, ...], learner: str) -> Labelled | None:
        """Its outcomes with these inputs, as this learner is judged; None where it lacks one of them."""
        names = list(self.columns["inputs"])
        if self.rows is None or not set(inputs) <= set(names):
            return None
        x = matrix(self.rows, "x")
        pairs, reference = self._judged(self.rows, learner)
        return Labelled(
            self.first,
            self.rows.column("id").combine_chunks(),
            numbers(self.rows, "at_ms"),
            numbers(self.rows, "answered_ms"),
            np.ascontiguousarray(x[:, [names.index(name) for name in inputs]]),
            self.rows.column("y").to_numpy(),
            matrix(self.rows, "champion"),
            self.rows.column("tenant").combine_chunks(),
            pairs,
            reference,
        )

    def _judged(self, rows: pa.Table, learner: str) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float64]]:
        """Pairs of this learner, text[n], and what the one that it is judged beside said, float64[n, m]."""
        champion = matrix(rows, "champion")
        if "pair" not in rows.schema.names:  # of an earlier version
            return np.full(rows.num_rows, "", np.str_), champion
        mine = pc.equal(rows.column("learner"), learner)
        pairs = pc.if_else(mine, rows.column("pair"), rows.column("by")).to_numpy().astype(np.str_)
        return pairs, np.where(mine.to_numpy()[:, None], matrix(rows, "beside"), champion)


def _packed(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def numbers(rows: pa.Table, name: str) -> Any:
    """A column of whole numbers."""
    return rows.column(name).to_numpy().astype(np.int64)


def matrix(rows: pa.Table, name: str) -> Any:
    """A column of lists of one length: float64[n, k]."""
    values = pa.chunked_array([chunk.flatten() for chunk in rows.column(name).chunks], pa.float64())
    return np.asarray(values.to_numpy(), np.float64).reshape(rows.num_rows, -1)


def lists(values: Any) -> pa.Array:
    """float64[n, k] as a column of lists."""
    n, k = values.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * k)
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(values).ravel()))
