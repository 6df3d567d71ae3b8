"""Outcomes as they are read to entries of the log: with the requests that they are of, as these were served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver import Client

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


def said(
    rows: pa.RecordBatch, at_ms: np.typing.NDArray[np.int64], services: Iterable[str]
) -> tuple[pa.Table, pa.Array]:
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
class Found:
    """Of n outcomes of a service. rows: to be learned, see labelled/v1.avsc; None: none. waits: bool[n]."""

    rows: pa.Table | None
    waits: np.typing.NDArray[np.bool_]


def joined(client: Client, service: str, wanted: Wanted, outcomes: pa.Table, memory: Memory, now_ms: int) -> Found:
    """n outcomes of a service, in their order, and the requests that they are of. Raises Unavailable, Refused.

    What means nothing is left out, and what was learned lately: a correction comes too late. What a learner has
    answered just now waits for its shadow.
    """
    y = _meant(wanted, outcomes)
    usable = np.isfinite(y)
    pairs = _predictions(client, service, outcomes, usable)
    ids = pa.array([one for one, _ in pairs], pa.string())
    row = np.array([number for _, number in pairs], np.int64)
    first = np.zeros(len(ids), bool)
    first[np.unique(ids.to_numpy(zero_copy_only=False), return_index=True)[1]] = (
        True  # of several the one that came first
    )
    known = memory.known(ids).to_numpy(zero_copy_only=False)
    usable[row[known]] = False  # never asked for again
    chosen = np.flatnonzero(first & ~known)
    wanting = ids.take(pa.array(chosen))
    labels = wanted.classes if wanted.task is Task.MULTICLASS else ()
    served = learning.served(client, service, wanting.to_pylist(), wanted.inputs, labels) if len(wanting) else None
    waits = usable.copy()
    if served is None:
        return Found(None, waits)
    served = with_beside(client, service, served, labels, now_ms)
    place = pc.index_in(wanting, value_set=served.column("id").combine_chunks())
    there = place.is_valid().to_numpy(zero_copy_only=False)
    mine, found = row[chosen[there]], served.take(place.drop_null())
    waits[mine] = False
    waits[row[~first]] = False
    if not found.num_rows:
        return Found(None, waits)
    at_ms = numbers(outcomes, "at_ms")[mine]
    score = found.column("score").to_numpy().astype(np.float64)
    columns = {
        "id": found.column("id"),
        "key": outcomes.column("key").take(pa.array(mine)),
        "at_ms": pa.array(np.maximum.accumulate(np.maximum(at_ms, memory.latest_ms.get(service, 0)))),
        "answered_ms": pa.array(numbers(found, "answered_ms")),
        "tenant": found.column("tenant").cast(pa.string()),
        "x": lists(matrix(found, "x")),
        "y": pa.array(y[mine]),
        "champion": lists(matrix(found, "outputs") if labels else score[:, None]),
        "by": found.column("by"),
        "learner": found.column("learner"),
        "pair": found.column("pair"),
        "beside": found.column("beside"),
    }
    return Found(pa.table(columns), waits)


def _meant(wanted: Wanted, outcomes: pa.Table) -> np.typing.NDArray[np.float64]:
    """What came true, float64[n]: a number or the index of a class; NaN where it means none."""
    if wanted.task is Task.REGRESSION:
        return np.asarray(pc.fill_null(outcomes.column("observed"), np.nan).to_numpy(), np.float64)
    place = pc.index_in(outcomes.column("label"), value_set=pa.array(list(wanted.words), pa.string()))
    classes = pa.array(list(wanted.words.values()), pa.float64()).take(place.combine_chunks())
    return np.asarray(pc.fill_null(classes, np.nan).to_numpy(zero_copy_only=False), np.float64)


def _predictions(
    client: Client, service: str, outcomes: pa.Table, usable: np.typing.NDArray[np.bool_]
) -> Sequence[tuple[str, int]]:
    """Ids of predictions, and the row of the outcome of each, in its order."""
    by_request = outcomes.column("by_request").to_numpy() & usable
    keys = outcomes.column("key").to_pylist()
    asked = sorted({keys[row] for row in np.flatnonzero(by_request).tolist()})
    named = learning.named(client, service, asked) if asked else {}
    pairs: list[tuple[str, int]] = []
    for row in np.flatnonzero(usable).tolist():
        ids = sorted(named.get(keys[row], ())) if by_request[row] else (keys[row].lower(),)
        pairs += [(one, row) for one in ids]
    return pairs


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
