"""Predictions and what came true of them, counted by window, class and score, as dense arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.signature import Task
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.reports import Meaning
from weir.edges.clickhouse.results import view_of

Floats = npt.NDArray[np.float64]
BINS: Final = 1001  # thousandths of a chance, 0 and 1 included
SPANS: Final = 20  # of predicted numbers


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which service, from when until before when (event time, UTC), in windows of step_s seconds."""

    service: str
    begin: datetime
    end: datetime
    step_s: int

    def parameters(self) -> dict[str, Any]:
        """What the SQL takes."""
        return {"results": view_of(self.service), "from": self.begin, "to": self.end, "step": self.step_s}


@dataclass(frozen=True, slots=True)
class ByChance:
    """Of classes: windows w that have rows, classes k, bins b, called 0 or 1.

    begins: of the windows, seconds since 1970, int64[w]. scores: mean chance of each bin, f8[k, b]. n: rows, known:
    those with an outcome, hits: those of the class, f8[w, k, b, 2].
    """

    begins: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    scores: Floats
    n: Floats
    known: Floats
    hits: Floats


@dataclass(frozen=True, slots=True)
class ByValue:
    """Of numbers: windows w that have rows, spans b of the score; sums of the errors' sizes and squares, f8[w, b]."""

    begins: npt.NDArray[np.int64]
    n: Floats
    known: Floats
    absolute: Floats
    squared: Floats


def by_chance(client: Client, asked: Asked, of: Meaning) -> ByChance:
    """Of a service with classes. Raises Unavailable, Refused."""
    said = {"positive": of.labels[1] if of.task is Task.BINARY else "", "flagging": list(of.flagging)}
    found = sql_files.table(client, "outcomes/cells", **said, **of.parameters(), **asked.parameters())
    begins, window = _windows(found)
    classes, k = np.unique(np.array(found.column("class").to_pylist(), object).astype(str), return_inverse=True)
    at = (window, k, _whole(found, "bin"), _whole(found, "called"))
    shape = (len(begins), max(len(classes), 1), BINS, 2)
    n, known, hits, chances = (_filled(found, name, at, shape) for name in ("rows", "known", "hits", "chances"))
    rows = n.sum((0, 3))
    middle = np.broadcast_to((np.arange(BINS) + 0.5) / 1000, rows.shape)
    scores = np.divide(chances.sum((0, 3)), rows, out=middle.copy(), where=rows > 0)
    return ByChance(begins, tuple(classes.tolist()), scores, n, known, hits)


def by_value(client: Client, asked: Asked) -> ByValue:
    """Of a service that predicts numbers. Raises Unavailable, Refused."""
    found = sql_files.table(client, "outcomes/losses", **asked.parameters())
    begins, window = _windows(found)
    at, shape = (window, _whole(found, "bin")), (len(begins), SPANS)
    return ByValue(begins, *(_filled(found, name, at, shape) for name in ("rows", "known", "absolute", "squared")))


def _windows(found: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    begins, window = np.unique(found.column("time").cast(pa.int64()).to_numpy(), return_inverse=True)
    return begins, window


def _whole(found: pa.Table, name: str) -> npt.NDArray[np.int64]:
    return np.asarray(found.column(name).to_numpy()).astype(np.int64)


def _filled(found: pa.Table, name: str, at: tuple[npt.NDArray[Any], ...], shape: tuple[int, ...]) -> Floats:
    cells = np.zeros(shape)
    cells[at] = np.asarray(found.column(name).to_numpy(zero_copy_only=False), np.float64)
    return np.nan_to_num(cells)
