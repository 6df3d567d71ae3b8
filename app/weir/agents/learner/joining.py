"""Outcomes as they are read to entries of the log: with the requests that they are of, as these were served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver import Client

from weir.agents.learner.clock import APART_MS
from weir.agents.learner.entries import SAID, Entry, Kind, lists, matrix, numbers, whose
from weir.agents.learner.memory import Memory
from weir.agents.learner.shadows import with_beside
from weir.core.signature import Task
from weir.edges.clickhouse import learning
from weir.recording import tables

ENTRY_BYTES: Final = 900_000  # of rows; brokers take a megabyte unless they are told otherwise
KEY_BYTES: Final = 512  # of an id or a label; ClickHouse is asked for many at once, and many wait in one entry
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is learned of a service. words: what an outcome may be called -> index of its class; none of a number."""

    task: Task
    classes: tuple[str, ...]
    words: Mapping[str, int]
    inputs: tuple[str, ...]


def said(rows: pa.RecordBatch, at_ms: npt.NDArray[np.int64], services: Iterable[str]) -> tuple[pa.Table, pa.Array]:
    """Outcomes of these services among n rows of contract outcomes, and whose outcome is withdrawn by the last of them.

    at_ms: int64[n], when they came. Without those that are withdrawn or at fault, and those whose id or label is longer
    than any that is of use.
    """
    good = np.ones(rows.num_rows, bool)
    good[tables.check_outcomes(rows).record] = False
    good &= pc.is_in(rows["service"], value_set=pa.array(list(services), pa.string())).to_numpy(zero_copy_only=False)
    for name in ("request_id", "label"):
        size = pc.fill_null(pc.binary_length(rows[name].cast(pa.string())), 0).to_numpy(zero_copy_only=False)
        good &= size <= KEY_BYTES
    columns = {
        "service": rows["service"].cast(pa.string()),
        "key": pc.coalesce(rows["prediction_id"].cast(pa.string()), rows["request_id"].cast(pa.string())),
        "by_request": rows["request_id"].is_valid(),
        "at_ms": pa.array(at_ms),
        "label": rows["label"].cast(pa.string()),
        "observed": rows["observed"],
    }
    withdrawn = rows["withdrawn"].filter(pa.array(good))
    outcomes = pa.table(columns, schema=SAID).filter(pa.array(good))
    latest = (
        dict(zip(whose(outcomes).to_pylist(), withdrawn.to_pylist(), strict=True)) if pc.any(withdrawn).as_py() else {}
    )
    gone = pa.array([one for one, last in latest.items() if last], pa.string())
    outcomes = outcomes.filter(pc.invert(withdrawn))
    return outcomes.filter(pc.invert(pc.is_in(whose(outcomes), value_set=gone))), gone


@dataclass(frozen=True, slots=True)
class Looked:
    """What is recorded of n outcomes.

    y: float64[n], see _meant. ids: text[p], of predictions; row: int64[p], of which outcome each is, ascending.
    served: rows of learning.served, some of these predictions; None: none.
    """

    y: npt.NDArray[np.float64]
    ids: pa.Array
    row: npt.NDArray[np.int64]
    served: pa.Table | None

    def before(self, other: Looked) -> Looked:
        """With what is recorded of outcomes that stand behind these."""
        served = [each for each in (self.served, other.served) if each is not None]
        return Looked(
            np.concatenate([self.y, other.y]),
            pa.concat_arrays([self.ids, other.ids]),
            np.concatenate([self.row, len(self.y) + other.row]),
            pa.concat_tables(served) if served else None,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Of n outcomes of a service. rows: to be learned, see labelled/v1.avsc; None: none. waits: bool[n].

    ahead: requests that are left out, since they were answered in the future.
    """

    rows: pa.Table | None
    waits: npt.NDArray[np.bool_]
    ahead: int = 0


def looked(client: Client, service: str, wanted: Wanted, outcomes: pa.Table) -> Looked:
    """What is recorded of n outcomes of a service, in one question. Raises Unavailable, Refused."""
    y = _meant(wanted, outcomes)
    ids, row = _predictions(client, service, outcomes, np.isfinite(y))
    labels = wanted.classes if wanted.task is Task.MULTICLASS else ()
    asked = pc.unique(ids).to_pylist()
    return Looked(y, ids, row, learning.served(client, service, asked, wanted.inputs, labels) if asked else None)


def joined(
    client: Client, service: str, wanted: Wanted, outcomes: pa.Table, of: Looked, memory: Memory, now_ms: int
) -> Found:
    """n outcomes of a service, in their order, and the requests that they are of. Raises Unavailable, Refused.

    What means nothing is left out, and what was learned lately: a correction comes too late. So is a request that was
    answered more than APART_MS from now: its day would never be over. What a learner has answered just now waits for
    its shadow.
    """
    usable, ids, row = np.isfinite(of.y), of.ids, of.row
    first = np.zeros(len(ids), bool)  # of several of one prediction the one that came first
    places = ids.dictionary_encode().indices.to_numpy() if len(ids) else np.zeros(0, np.int64)
    first[np.unique(places, return_index=True)[1]] = True
    known = memory.known(ids).to_numpy(zero_copy_only=False)
    usable[row[known]] = False  # never asked for again
    chosen = np.flatnonzero(first & ~known)
    waits = usable.copy()
    if of.served is None:
        return Found(None, waits)
    labels = wanted.classes if wanted.task is Task.MULTICLASS else ()
    served = with_beside(client, service, of.served, labels, now_ms)
    place = pc.index_in(ids.take(pa.array(chosen)), value_set=served.column("id").combine_chunks())
    there = place.is_valid().to_numpy(zero_copy_only=False)
    mine, found = row[chosen[there]], served.take(place.drop_null())
    waits[mine] = False
    waits[row[~first]] = False
    now = numbers(found, "answered_ms") <= now_ms + APART_MS
    ahead = int(np.count_nonzero(~now))
    mine, found = mine[now], found.filter(pa.array(now))
    if not found.num_rows:
        return Found(None, waits, ahead)
    at_ms = numbers(outcomes, "at_ms")[mine]
    score = found.column("score").to_numpy().astype(np.float64)
    columns = {
        "id": found.column("id"),
        "key": outcomes.column("key").take(pa.array(mine)),
        "at_ms": pa.array(np.maximum.accumulate(np.maximum(at_ms, memory.latest_ms.get(service, 0)))),
        "answered_ms": pa.array(numbers(found, "answered_ms")),
        "tenant": found.column("tenant").cast(pa.string()),
        "x": lists(matrix(found, "x")),
        "y": pa.array(of.y[mine]),
        "champion": lists(matrix(found, "outputs") if labels else score[:, None]),
        "by": found.column("by"),
        "learner": found.column("learner"),
        "pair": found.column("pair"),
        "beside": found.column("beside"),
    }
    return Found(pa.table(columns), waits, ahead)


def _meant(wanted: Wanted, outcomes: pa.Table) -> npt.NDArray[np.float64]:
    """What came true, float64[n]: a number or the index of a class; NaN where it means none."""
    if wanted.task is Task.REGRESSION:
        return np.asarray(pc.fill_null(outcomes.column("observed"), np.nan).to_numpy(), np.float64)
    place = pc.index_in(outcomes.column("label"), value_set=pa.array(list(wanted.words), pa.string()))
    classes = pa.array(list(wanted.words.values()), pa.float64()).take(place.combine_chunks())
    return np.asarray(pc.fill_null(classes, np.nan).to_numpy(zero_copy_only=False), np.float64)


def _predictions(
    client: Client, service: str, outcomes: pa.Table, usable: npt.NDArray[np.bool_]
) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Ids of predictions, text[p], and the row of the outcome of each, ascending."""
    by_request = outcomes.column("by_request").to_numpy() & usable
    keys = outcomes.column("key").combine_chunks()
    own = np.flatnonzero(usable & ~by_request)
    ids, rows = [pc.utf8_lower(keys.take(pa.array(own)))], [own]
    requests = keys.filter(pa.array(by_request)).to_pylist()
    named = learning.named(client, service, sorted(set(requests))) if requests else {}
    for place, key in zip(np.flatnonzero(by_request).tolist(), requests, strict=True):
        found = sorted(named.get(key, ()))
        ids.append(pa.array(found, pa.string()))
        rows.append(np.full(len(found), place, np.int64))
    row = np.concatenate(rows).astype(np.int64)
    order = np.argsort(row, kind="stable")
    return pa.concat_arrays(ids).take(pa.array(order)), row[order]


def entries_of(service: str, wanted: Wanted, rows: pa.Table, memory: Memory, at_ms: int, worker: str) -> list[Entry]:
    """Rows as entries that a broker takes, in their order; numbered from the memory's next on."""
    size = max(1, int(ENTRY_BYTES * rows.num_rows / max(rows.nbytes, 1)))
    number, first = memory.number or 0, memory.firsts.get(service, 0)
    return [
        Entry(
            kind=Kind.ROWS,
            number=number + place,
            subject=service,
            first=first + begin,
            columns={"inputs": list(wanted.inputs), "classes": list(wanted.classes)},
            rows=rows.slice(begin, size),
            at_ms=at_ms,
            worker=worker,
        )
        for place, begin in enumerate(range(0, rows.num_rows, size))
    ]
