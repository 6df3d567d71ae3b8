"""A monitor worker without Kafka: books in memory that outlive it, and a crash anywhere in what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clickhouse_connect.driver import Client
from weir.agents.monitor.rounds import Rounds
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import monitors
from weir.edges.clickhouse.client import connect
from weir.monitor.action import Action
from weir.monitor.alert import Transition
from weir.monitor.left import Left, Work
from weir.monitor.measurement import Measurement
from weir.settings import Settings
from weir.telemetry import Telemetry

SERVICE = "made-up"
TOPIC = f"weir.requests.{SERVICE}"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HEADER = """-- name: {name}
-- question: How is it?
-- title: {name}
-- source: this test
-- tasks: all
-- time: begin
-- subject: {subject}
-- value: value
-- unit: share
-- n: rows
-- window: 5m
-- panel: lines
-- page: {page}
"""
SHARE = """SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32})) AS begin, variant,
       avg(score) AS value, count() AS rows
FROM predictions
WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
GROUP BY begin, variant
"""


class Killed(BaseException):
    """The worker is gone, as by SIGKILL."""


class MemoryBooks:
    """Implements Books over two lists. budget: records that are still written before the worker is killed."""

    def __init__(self) -> None:
        self.measurements: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.budget = float("inf")

    def left(self, client: Client, since: datetime, run: timedelta) -> tuple[Left, list[Measurement]]:
        found, told = Left("weir.outcomes"), [Measurement.of(row) for row in self.measurements]
        for one in told:
            found.measured(one)
        for row in self.alerts:
            found.changed(Transition.of(row))
        found.proposed.update(row["action_id"] for row in self.actions)
        if found.last is None:
            return found, []
        work, begin = found.last
        first_ms = 1000 * (begin - run).timestamp()
        latest = {
            (one.begin_ms, one.key): one
            for one in told
            if Work(one.key.service, one.key.monitor, one.key.step_s) == work
        }
        return found, [one for one in latest.values() if one.begin_ms >= first_ms]

    def measured(self, found: Sequence[Measurement]) -> None:
        self._write(self.measurements, [one.row() for one in found])

    def changed(self, changes: Sequence[Transition]) -> None:
        self._write(self.alerts, [one.row() for one in changes])

    def proposed(self, actions: Sequence[Action]) -> None:
        self._write(self.actions, [one.row() for one in actions])

    def _write(self, log: list[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> None:
        for row in rows:
            if self.budget <= 0:
                raise Killed
            self.budget -= 1
            log.append(row)


def worker(settings: Settings, books: MemoryBooks, **parts: Any) -> Rounds:
    """One life. parts: of Rounds, instead of those of a test."""
    own = lambda: {name: one for name, one in monitors.looked(settings)[0].items() if one.own}  # noqa: E731
    given: dict[str, Any] = {
        "monitors": own,
        "connect": lambda: connect(settings.recording),
        "bounds": lambda _service: {},
        "notes": lambda: (),
        "holds": lambda: True,
        "calibrated": lambda _client, _service: {},
        "tell": lambda _changes: None,
        "now": lambda: NOON + timedelta(days=30),
        "monotonic_s": lambda: 0.0,
        "worker": "w",
    }
    return Rounds(settings=settings, telemetry=Telemetry(), books=books, **{**given, **parts})


def monitor(folder: Path, name: str, sql: str = SHARE, subject: str = "variant", page: str = "> 0.6") -> None:
    """A monitor of the project."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(HEADER.format(name=name, subject=subject, page=page) + sql)


def predict(
    client: Client,
    first: int,
    last: int,
    *,
    begin: datetime,
    gap_s: float = 1.0,
    score: str = "0.5",
    predictions: bool = True,
    ledger: bool = True,
) -> None:
    """Predictions of offsets first to last of partition 0 that are answered and in the ledger, `gap_s` apart.

    score: SQL over `number`, the offset. predictions, ledger: which of both is recorded.
    """
    if predictions:
        _predict(client, first, last, begin, gap_s, score)
    if ledger:
        rows = last - first + 1
        client.command(
            "INSERT INTO ledger (role, service, source_log, source_topic, source_partition, first, last, read, scored) "
            f"SETTINGS insert_deduplication_token = 'l{first}-{last}' "
            f"VALUES ('scorer', '{SERVICE}', 'log', '{TOPIC}', 0, {first}, {last}, {rows}, {rows})"
        )


def _predict(client: Client, first: int, last: int, begin: datetime, gap_s: float, score: str) -> None:
    at = f"fromUnixTimestamp64Milli(toInt64({begin.timestamp() * 1000:.0f} + {1000 * gap_s} * (number - {first})))"
    client.command(
        "INSERT INTO predictions (service, variant, source_log, source_topic, source_partition, source_offset, "
        f"event_time, scored_at, score) SETTINGS insert_deduplication_token = '{first}-{last}-{begin}' "
        f"SELECT '{SERVICE}', if(number % 2, 'a', 'b'), 'log', '{TOPIC}', 0, number, {at} AS at, at, {score} "
        f"FROM numbers({first}, {last - first + 1})"
    )


def batch(client: Client, first: int, last: int, *, at: datetime, rejected: int = 0) -> None:
    """The batch of offsets first to last of partition 0, scored then, of which some were rejected."""
    rows, when = last - first + 1, f"fromUnixTimestamp64Milli({at.timestamp() * 1000:.0f})"
    client.command(
        "INSERT INTO batches (batch_id, service, scored_at, oldest_at, rows, scored, rejected, source_log, "
        f"source_topic, ranges) SETTINGS insert_deduplication_token = 'b{first}-{last}' VALUES "
        f"({first}, '{SERVICE}', {when}, {when}, {rows}, {rows - rejected}, {rejected}, 'log', '{TOPIC}', "
        f"[(0, {first}, {last})])"
    )


def reject(client: Client, first: int, last: int, *, at: datetime) -> None:
    """Records of these offsets, all of which became dead letters then; with their batch and their ledger."""
    rows, when = last - first + 1, f"fromUnixTimestamp64Milli({at.timestamp() * 1000:.0f})"
    batch(client, first, last, at=at, rejected=rows)
    client.command(
        "INSERT INTO dead_letters (service, source_log, source_topic, source_partition, source_offset, stage, reason, "
        f"rejected_at) SETTINGS insert_deduplication_token = 'd{first}-{last}' SELECT '{SERVICE}', 'log', "
        f"'{TOPIC}', 0, number, 'decode', 'malformed', {when} FROM numbers({first}, {rows})"
    )
    client.command(
        "INSERT INTO ledger (role, service, source_log, source_topic, source_partition, first, last, read, rejected) "
        f"SETTINGS insert_deduplication_token = 'l{first}-{last}' "
        f"VALUES ('scorer', '{SERVICE}', 'log', '{TOPIC}', 0, {first}, {last}, {rows}, {rows})"
    )


def bounds(end: int) -> Any:
    """What a log holds that ends there."""
    return lambda _service: {LogPartition("log", TOPIC, 0): (0, end)}
