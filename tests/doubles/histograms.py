"""Histograms and references of made-up values, as the recorder and `weir bundle build` would have made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from weir.core import reference as references
from weir.core.chunk import LogPartition
from weir.core.grid import UNIT, Grid
from weir.core.reference import Numbers, Reference
from weir.edges.bundles.reference import of_numbers, of_words
from weir.recording import baselines

from tests.databases import put

LOG = LogPartition("log", "weir.predictions", 0)
SERVICE = "drifting"
SEGMENT = {"service": SERVICE, "digest": "d1", "version": "1", "variant": "champion", "tenant": "t", "team": "a"}
COUNTS = ("n", "missing", "below", "above", "rest")
TYPES = pa.schema(
    {
        **dict.fromkeys((*SEGMENT, "kind", "name"), pa.string()),
        "window": pa.timestamp("s", tz="UTC"),
        **dict.fromkeys(COUNTS, pa.uint64()),
        "total": pa.float64(),
        "hist": pa.map_(pa.int16(), pa.uint64()),
        "words": pa.map_(pa.string(), pa.uint64()),
        "log_id": pa.string(),
        "log_topic": pa.string(),
        "log_partition": pa.int32(),
        "log_offset": pa.int64(),
    }
)


def numbers(
    window: datetime, name: str, values: Any, grid: Grid, kind: str = "feature", **segment: str
) -> dict[str, Any]:
    """One histogram of numbers, NaN where one is missing."""
    values = np.asarray(values, np.float64)
    found = of_numbers(values, grid)
    lo, hi = -np.inf if grid.lo is None else grid.lo, np.inf if grid.hi is None else grid.hi
    counted = {"missing": found.missing, "below": int((values < lo).sum()), "above": int((values > hi).sum())}
    said = {"kind": kind, "name": name, "window": window, "n": len(values), "total": found.total}
    return _row(segment, **said, **counted, hist=sorted(found.bins.items()))


def words(
    window: datetime,
    name: str,
    counts: Mapping[str, int],
    *,
    missing: int = 0,
    rest: int = 0,
    kind: str = "category",
    **segment: str,
) -> dict[str, Any]:
    """One histogram of words."""
    n = sum(counts.values()) + missing + rest
    said = {"kind": kind, "name": name, "window": window, "n": n, "missing": missing, "rest": rest}
    return _row(segment, **said, words=sorted(counts.items()))


def _row(segment: Mapping[str, str], **counted: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(COUNTS, 0) | {"total": 0.0, "hist": [], "words": []}
    where = {"log_id": LOG.log, "log_topic": LOG.topic, "log_partition": 0, "log_offset": 0}
    return SEGMENT | segment | nothing | counted | where


def record(client: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put histograms into the record; the views add them up."""
    put(client, "histogram_blocks", pa.RecordBatch.from_pylist(list(rows), TYPES))


def describe(
    client: Any,
    digest: str = "d1",
    *,
    service: str = SERVICE,
    features: Mapping[str, Numbers] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    score: Numbers | None = None,
    decisions: Sequence[str] = (),
    n: int = 0,
) -> None:
    """Let a bundle's scorer say what is normal. categories, decisions: the words of the baseline rows."""
    said = Reference(
        n=n,
        features=features or {},
        categories={name: of_words(found, 0) for name, found in (categories or {}).items()},
        score=score or Numbers(UNIT),
        decisions=of_words(decisions, 0),
    )
    columns = {"digest": [digest], "service": [service], "reference": [references.dump(said)]}
    times = pa.array([0], pa.int64()).cast(pa.timestamp("ms", tz="UTC"))
    rows = pa.RecordBatch.from_pydict(columns | {"written_at": times})
    put(client, "baselines", baselines.of(rows, LOG, np.arange(1)))
