"""What the demo claims, checked on what ClickHouse holds: every number here is read back, none is remembered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.bundle import Bundle
from weir.core.chunk import LogPartition
from weir.demo import check, verify_siblings
from weir.demo.flights import Flights, Progress
from weir.demo.signature import VALUE
from weir.demo.verify_siblings import Beside
from weir.edges.bundles import folder
from weir.edges.bundles.onnx_model import Model
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import ledger, reports, results, sql_files
from weir.edges.kafka.logs import bounds_of
from weir.settings import Settings

SAMPLE = 1_000  # requests whose features are recomputed from the raw events
LIMIT_ROWS = 4096  # batch of ONNX Runtime alone, the scorer's own largest
LIMIT_ROUNDS = 5
STALE = """
    SELECT count() FROM predictions WHERE service = {service:String} AND has(mapValues(feature_status), 'stale')
"""
ALL_TIME = {"from": datetime(2013, 1, 1, tzinfo=UTC), "to": datetime(2014, 1, 2, tzinfo=UTC)}

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found.

    beside: of the further services, by service. ledger: of all services. max_score_diff: largest |recorded score - ONNX
    Runtime's on the recorded features|.
    """

    bundle: Bundle
    beside: Mapping[str, Beside]
    ledger: ledger.LedgerReport
    max_score_diff: float
    compared_rows: int
    auc_sql: float
    auc_reference: float
    outcomes_received: int
    outcomes_joined: int
    business_value_usd: float
    stale_rows: int
    future_rows: int
    sampled: int
    mismatches: int
    onnx_rows_per_s: float


def verify(
    settings: Settings, bundles: Mapping[str, Path], flights: Flights, first: int, rows: int, progress: Progress
) -> Findings:
    """Check the record of a finished replay of requests [first, first + rows). Raises Unavailable, Refused.

    bundles: by service.
    """
    client, service = clickhouse.connect(settings.recording), settings.scoring.named_service
    bundle, model = folder.read(bundles[service]).bundle, Model(bundles[service])
    progress(0, 5, "checks")
    whole = ledger.read(client, "", _bounds(settings, bundles))
    beside = verify_siblings.verify(client, bundles, flights)
    progress(1, 5, "checks")
    mine = [one.source_partition for one in whole.partitions if one.service == service]
    worst, compared, matrix = _scores(client, bundle, model, settings.kafka.names.requests(service), mine)
    progress(2, 5, "checks")
    results.make(client, {service: VALUE})
    (figures,) = reports.binary(client, reports.Asked(service=service))
    auc_reference = _auc(client, service)
    received = {row["service"]: row for row in sql_files.rows(client, "outcomes/received")}
    progress(3, 5, "checks")
    ages = sql_files.rows(client, "features/ages", service=service, **ALL_TIME)
    stale = client.query(STALE, parameters={"service": service}).result_rows[0][0]
    sampled, mismatches = _point_in_time(client, bundle, flights, first, rows)
    progress(4, 5, "checks")
    rate = _limit(model, matrix)
    progress(5, 5, "checks")
    return Findings(
        bundle=bundle,
        beside=beside,
        ledger=whole,
        max_score_diff=worst,
        compared_rows=compared,
        auc_sql=float(figures["auc"]),
        auc_reference=auc_reference,
        outcomes_received=received[service]["received"],
        outcomes_joined=received[service]["joined"],
        business_value_usd=float(figures["value"]),
        stale_rows=int(stale),
        future_rows=sum(row["from_the_future"] for row in ages),
        sampled=sampled,
        mismatches=mismatches,
        onnx_rows_per_s=rate,
    )


def _bounds(settings: Settings, bundles: Mapping[str, Path]) -> dict[LogPartition, tuple[int, int]]:
    """First offset and end of every partition of every service's requests."""
    found: dict[LogPartition, tuple[int, int]] = {}
    for service in bundles:
        found |= bounds_of(settings.kafka, settings.kafka.names.requests(service))
    return found


def _scores(
    client: Client, bundle: Bundle, model: Model, topic: str, partitions: list[int]
) -> tuple[float, int, Floats]:
    """Largest difference, rows compared, and the features of the last partition, for the limit."""
    worst, compared, matrix = 0.0, 0, np.empty((0, model.width), np.float32)
    for partition in partitions:
        found = _recorded(client, bundle, topic, partition)
        matrix = found[1]
        if len(matrix):
            worst = max(worst, float(np.abs(model.run(matrix)[:, 0] - found[0]).max()))
        compared += len(matrix)
    return worst, compared, matrix


def _recorded(client: Client, bundle: Bundle, topic: str, partition: int) -> tuple[Floats, Floats]:
    """Scores float32[n] and features float32[n, k] of one request partition, as recorded."""
    names = list(bundle.signature.names)
    table = client.query_arrow(
        "SELECT score, mapKeys(features) = {names:Array(String)} AS named, mapValues(features) AS vals "
        "FROM predictions WHERE source_topic = {topic:String} AND source_partition = {partition:Int32}",
        parameters={"names": names, "topic": topic, "partition": partition},
    )
    strange = len(table) - int(np.count_nonzero(table["named"].to_numpy()))
    if strange:
        raise AssertionError(f"{strange} recorded rows do not carry the inputs of the signature in their order")
    return table["score"].to_numpy(), verify_siblings.matrix(table["vals"], len(names))


def _auc(client: Client, service: str) -> float:
    joined = client.query_arrow(
        "SELECT score, label = '1' AS label FROM results WHERE service = {service:String} AND has_outcome",
        parameters={"service": service},
    )
    return check.auc(joined["label"].to_numpy(), joined["score"].to_numpy())


def _point_in_time(client: Client, bundle: Bundle, flights: Flights, first: int, rows: int) -> tuple[int, int]:
    """Requests sampled over the whole replay, and how many of their values differ from the raw events'."""
    picked = np.unique(np.linspace(first, first + rows - 1, min(SAMPLE, rows)).astype(np.int64))
    ids = flights.requests["request_id"].take(pa.array(picked)).to_pylist()
    place = {request: i for i, request in enumerate(ids)}
    table = client.query_arrow(
        "SELECT request_id, mapValues(features) AS vals FROM predictions "
        "WHERE service = {service:String} AND request_id IN {ids:Array(String)}",
        parameters={"ids": ids, "service": bundle.service},
        use_strings=True,
    )
    seen = np.full((len(picked), len(bundle.signature.inputs)), np.inf, np.float32)
    seen[[place[request] for request in table["request_id"].to_pylist()]] = table["vals"].to_pylist()
    return len(picked), int(np.count_nonzero(check.differing(check.matrix(flights, picked), seen)))


def _limit(model: Model, matrix: Floats) -> float:
    """Rows a second of ONNX Runtime alone, one thread, on recorded feature rows: the median of some rounds."""
    rates = []
    for _ in range(LIMIT_ROUNDS):
        began = time.perf_counter()
        for batch in _batches(matrix):
            model.run(batch)
        rates.append(len(matrix) / (time.perf_counter() - began))
    return float(np.median(rates))


def _batches(matrix: Floats) -> Iterator[Floats]:
    for begin in range(0, len(matrix), LIMIT_ROWS):
        yield matrix[begin : begin + LIMIT_ROWS]
