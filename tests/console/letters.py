"""Letters of the day that `filled` makes which decode, and what redrive needs for them: topics and contracts."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tests.console.filled import FLIGHTS, served

if TYPE_CHECKING:
    from weir.settings import Settings

OFFSETS: Final = (900_001, 900_002)  # beyond all others
IDS: Final = tuple(f"{FLIGHTS.topic}/1/{offset}@log" for offset in OFFSETS)


def send(settings: Settings) -> None:
    """Make topics and contracts, and record the letters."""
    from weir.edges.clickhouse.client import connect
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish

    publish(Registry(settings.registry), settings.paths.schemas_dir, declared(settings))
    good = served(settings)
    ensure(settings, declared(settings))
    rows = [_row(offset, good) for offset in OFFSETS]
    token = {"insert_deduplication_token": uuid.uuid4().hex}
    with connect(settings.recording) as client:
        client.insert("dead_letters", [[*row.values()] for row in rows], column_names=[*rows[0]], settings=token)


def _row(offset: int, good: bytes) -> dict[str, Any]:
    return {
        "source_log": "log",
        "source_topic": FLIGHTS.topic,
        "source_partition": 1,
        "source_offset": offset,
        "service": FLIGHTS.service,
        "stage": "validate",
        "reason": "out_of_range",
        "detail": "amount = -14, below the lowest valid value 0",
        "key": "customer-7",
        "value": good,
        "rejected_at": datetime(2026, 11, 28, 19, 59, tzinfo=UTC),
        "log_id": "dlog",
        "log_topic": "weir.dead-letters",
        "log_partition": 0,
        "log_offset": offset,
    }
