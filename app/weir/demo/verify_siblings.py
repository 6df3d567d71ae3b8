"""What ClickHouse holds of the demo's further services, beside what it should hold: nothing here is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver import Client

from weir.core.bundle import Bundle
from weir.core.decide import decide
from weir.core.signature import Task
from weir.demo import check
from weir.demo.flights import Flights
from weir.demo.siblings import CLASSES, SIBLINGS, Sibling, class_of
from weir.edges.bundles import folder
from weir.edges.bundles.onnx_model import Model
from weir.edges.clickhouse import reports

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

RECORDED = """
    SELECT request_id, score, decision, mapValues(outputs) AS outs, mapValues(features) AS vals,
           mapKeys(outputs) = {outputs:Array(String)} AND mapKeys(features) = {names:Array(String)} AS named
    FROM predictions WHERE service = {service:String}
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """How good predictions were. by_sql: as the service's report says. reference: as a library says, of the truth."""

    name: str
    library: str
    by_sql: float
    reference: float

    def agrees(self, tolerance: float) -> bool:
        """Whether they are the same, within this share of the reference, or of 1 where that is larger."""
        return abs(self.by_sql - self.reference) <= tolerance * max(1.0, abs(self.reference))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What was found of one service.

    max_output_diff: largest |recorded output - ONNX Runtime's on the recorded features|, of 1 or of the output where it
    is larger. other_decisions: rows whose decision is not the one of their recorded output.
    """

    bundle: Bundle
    answered: int
    outcomes: int
    max_output_diff: float
    other_decisions: int
    figures: tuple[Figure, ...]


def verify(client: Client, bundles: Mapping[str, Path], flights: Flights) -> dict[str, Beside]:
    """What is recorded of each service that was asked, by service. bundles: theirs. Raises Unavailable, Refused."""
    asked = [sibling for sibling in SIBLINGS if sibling.service in bundles]
    return {sibling.service: _found(client, sibling, bundles[sibling.service], flights) for sibling in asked}


def _found(client: Client, sibling: Sibling, path: Path, flights: Flights) -> Beside:
    table, asked = _recorded(client, sibling), reports.Asked(service=sibling.service)
    given = Model(path).run(matrix(table["vals"], len(sibling.signature.names)))
    score, decision = table["score"].to_numpy(), np.array(table["decision"].to_pylist())
    outputs = matrix(table["outs"], sibling.signature.width) if sibling.signature.outputs else score[:, None]
    words = np.array(sibling.signature.decisions)[decide(sibling.signature, outputs).index]
    late_min = actual(flights, table["request_id"])
    regression = sibling.signature.task is Task.REGRESSION
    (row,) = reports.report(client, asked, reports.meaning(client, sibling.service))
    return Beside(
        bundle=folder.read(path).bundle,
        answered=len(table),
        outcomes=int(row["outcomes"]),
        max_output_diff=max(apart(outputs, given), apart(score, decide(sibling.signature, given).score)),
        other_decisions=int(np.count_nonzero(decision != words)),
        figures=_of_numbers(row, score, late_min) if regression else _of_classes(row, decision, late_min),
    )


def _recorded(client: Client, sibling: Sibling) -> pa.Table:
    asked = {
        "service": sibling.service,
        "outputs": list(sibling.signature.outputs),
        "names": list(sibling.signature.names),
    }
    table = client.query_arrow(RECORDED, parameters=asked, use_strings=True)
    if strange := len(table) - int(np.count_nonzero(table["named"].to_numpy())):
        raise AssertionError(f"{strange} rows of {sibling.service} do not carry its inputs and outputs in their order")
    return table


def matrix(column: pa.ChunkedArray, width: int) -> Floats:
    """Rows of lists of one length as float32[n, width]."""
    flat = column.combine_chunks().flatten() if column.num_chunks else pa.array([], pa.float32())
    return np.asarray(flat.to_numpy(), np.float32).reshape(-1, width)


def actual(flights: Flights, request_ids: pa.ChunkedArray) -> Doubles:
    """Minutes late of these requests' flights, NaN for one that never landed: float64[n]."""
    late_min = np.full(flights.requests.num_rows, np.nan)
    late_min[flights.outcomes["request_row"].to_numpy()] = flights.outcomes["observed"].to_numpy()
    row = pc.index_in(request_ids, flights.requests["request_id"].combine_chunks()).to_numpy()
    return np.asarray(late_min[row])


def apart(found: Floats, expected: Floats) -> float:
    """Largest difference, of 1 or of what is expected where that is larger; 0 of nothing.

    >>> apart(np.array([200.0], np.float32), np.array([100.0], np.float32))
    1.0
    """
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max(initial=0.0))


def _of_numbers(row: Mapping[str, Any], score: Floats, late_min: Doubles) -> tuple[Figure, ...]:
    known = ~np.isnan(late_min)
    error = float(np.abs(score[known].astype(np.float64) - late_min[known]).mean())
    return (Figure("MAE", "NumPy", float(row["mae"]), error),)


def _of_classes(row: Mapping[str, Any], decision: npt.NDArray[np.str_], late_min: Doubles) -> tuple[Figure, ...]:
    known = ~np.isnan(late_min)
    accuracy, macro_f1 = check.of_classes(np.array(CLASSES)[class_of(late_min[known])], decision[known])
    return (
        Figure("accuracy", "scikit-learn", float(row["accuracy"]), accuracy),
        Figure("macro F1", "scikit-learn", float(row["macro_f1"]), macro_f1),
    )
