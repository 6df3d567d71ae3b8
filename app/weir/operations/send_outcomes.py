"""Outcomes sent, as the recorder will take them, and how many have their prediction already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import sql_files
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.producer import Producer
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.operations.answers import check_service
from weir.recording import tables
from weir.settings import Settings
from weir.wire import plain_rows, shape
from weir.wire.encode import Encoder

IDS: Final = 500  # in one question: they stand in its address
BLOCK: Final = 5_000  # outcomes that are delivered together


@dataclass(frozen=True, slots=True)
class Checked:
    """Outcomes as the contract's columns, and why each other one would be a dead letter, by its number."""

    rows: pa.RecordBatch
    faults: dict[int, str]


class OutcomeSender:
    """Sends outcomes of one service. Raises Unavailable; Refused when there is no such service or no topic."""

    def __init__(self, settings: Settings, service: str) -> None:
        check_service(settings, service)
        self._topic = settings.kafka.names.outcomes
        contract = contract_of(settings, Registry(settings.registry), self._topic)
        self._encoder, self._schema = Encoder(contract), shape.arrow_schema(contract.schema)
        self._partitions = partitions_of(settings.kafka, self._topic)
        self._producer = Producer(settings.kafka, "weir-outcomes")

    def close(self) -> None:
        """Deliver what is left."""
        self._producer.close()

    def check(self, outcomes: Mapping[int, Mapping[str, Any]]) -> Checked:
        """By the recorder's own checks, before anything is sent. outcomes: fields of the contract by number."""
        numbers = list(outcomes)
        plain = [{**one, "attributes": list(one["attributes"].items())} for one in outcomes.values()]
        rows, unfit = plain_rows.rows(self._schema, plain)
        faults = {numbers[index]: why for index, why in unfit.items()}
        kept = [number for number in numbers if number not in faults]
        rejects = tables.check_outcomes(rows)
        faults |= {kept[row]: why for row, why in zip(rejects.record.tolist(), rejects.detail, strict=True)}
        good = [row for row, number in enumerate(kept) if number not in faults]
        return Checked(rows.take(pa.array(good, pa.int64())), faults)

    def send(self, rows: pa.RecordBatch) -> None:
        """Send outcomes, and wait until the broker has them. Raises Unavailable."""
        for number, first in enumerate(range(0, len(rows), BLOCK)):
            frames = self._encoder.frames(rows.slice(first, BLOCK))
            self._producer.write(self._topic, number % self._partitions, frames)
            self._producer.flush()


def joined(settings: Settings, service: str, rows: pa.RecordBatch) -> int:
    """How many of these outcomes have a prediction that is recorded. Raises Unavailable, Refused."""
    with clickhouse.connect(settings.recording) as client:
        there = {
            (name, found)
            for name in ("prediction_id", "request_id")
            for found in _found(client, service, name, rows[name].drop_null().unique().to_pylist())
        }
    ids = zip(*(rows[name].to_pylist() for name in ("prediction_id", "request_id")), strict=True)
    return sum(
        (("prediction_id", one.lower()) if one is not None else ("request_id", other)) in there for one, other in ids
    )


def _found(client: Client, service: str, name: str, ids: Sequence[str]) -> Iterator[str]:
    for first in range(0, len(ids), IDS):
        part = [one.lower() if name == "prediction_id" else one for one in ids[first : first + IDS]]
        asked: dict[str, Sequence[str]] = {"prediction_ids": [], "request_ids": [], f"{name}s": part}
        yield from (str(row[name]) for row in sql_files.rows(client, "outcomes/predicted", service=service, **asked))
