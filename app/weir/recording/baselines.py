"""What scorers say is normal for their bundles, as rows that drift is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core import reference
from weir.core.arrow import replaced
from weir.core.chunk import LogPartition
from weir.core.reference import Numbers, Reference, Words

UTC_MS = pa.timestamp("ms", tz="UTC")
TYPES: Final = pa.schema(
    {
        "id": pa.string(),
        "service": pa.string(),
        "digest": pa.string(),
        "kind": pa.string(),
        "name": pa.string(),
        "grid": pa.string(),
        "center": pa.float64(),
        "scale": pa.float64(),
        "lo": pa.float64(),
        "hi": pa.float64(),
        "n": pa.uint64(),
        "missing": pa.uint64(),
        "rest": pa.uint64(),
        "whole": pa.bool_(),
        "total": pa.float64(),
        "hist": pa.map_(pa.int16(), pa.uint64()),
        "words": pa.map_(pa.string(), pa.uint64()),
        "written_at": pa.int64(),
        "log_id": pa.string(),
        "log_topic": pa.string(),
        "log_partition": pa.int32(),
        "log_offset": pa.int64(),
    }
)


def of(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table baselines from n rows of contract bundles that passed `tables.check_bundles`."""
    columns = (rows[name].to_pylist() for name in ("digest", "service", "reference"))
    times = rows["written_at"].cast(pa.int64()).to_pylist()
    where = {"log_id": log.log, "log_topic": log.topic, "log_partition": log.partition}
    made = [
        {"id": f"reference:{digest}", "digest": digest, "service": service, "written_at": time, "log_offset": offset}
        | where
        | counted
        for digest, service, text, time, offset in zip(*columns, times, offsets.tolist(), strict=True)
        for counted in _rows(reference.load(text))
    ]
    found = pa.RecordBatch.from_pylist(made, TYPES)
    return replaced(found, "written_at", found["written_at"].cast(UTC_MS))


def _rows(normal: Reference) -> Iterator[dict[str, Any]]:
    for name, numbers in normal.features.items():
        yield _of_numbers("feature", name, numbers, normal.n)
    for name, words in normal.categories.items():
        yield _of_words("category", name, words, normal.n)
    yield _of_numbers("score", "", normal.score, normal.n)
    for name, numbers in normal.classes.items():
        yield _of_numbers("class", name, numbers, normal.n)
    if normal.decisions.words:
        yield _of_words("decision", "", normal.decisions, normal.n)


def _of_numbers(kind: str, name: str, numbers: Numbers, n: int) -> dict[str, Any]:
    grid = numbers.grid
    bounds = {"grid": str(grid.kind), "center": grid.center, "scale": grid.scale, "lo": grid.lo, "hi": grid.hi}
    counts = {"n": n, "missing": numbers.missing, "rest": 0, "total": numbers.total}
    return (
        {"kind": kind, "name": name, "whole": True, "words": [], "hist": sorted(numbers.bins.items())} | bounds | counts
    )


def _of_words(kind: str, name: str, words: Words, n: int) -> dict[str, Any]:
    nowhere = {"grid": "", "center": 0.0, "scale": 1.0, "lo": None, "hi": None, "total": 0.0, "hist": []}
    counts = {"n": n, "missing": words.missing, "rest": words.rest, "whole": words.whole}
    return {"kind": kind, "name": name, "words": list(words.words.items())} | nowhere | counts
