"""Databases of their own for tests, on the session's ClickHouse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from weir.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client
    from weir.edges.embedded.stack import Stack


@contextmanager
def migrated(stack: Stack) -> Iterator[Settings]:
    """Settings of a migrated database that is dropped afterwards."""
    from weir.edges.clickhouse import migrations
    from weir.edges.clickhouse.client import connect

    name = f"test_{uuid.uuid4().hex[:12]}"
    settings = stack.settings.having(clickhouse_database=name)
    migrations.apply(settings.recording)
    yield settings
    connect(settings.recording, database="").command("DROP DATABASE {name:Identifier}", parameters={"name": name})


@pytest.fixture
def database(stack: Stack) -> Iterator[Settings]:
    """The same, for one test."""
    with migrated(stack) as settings:
        yield settings


@pytest.fixture
def client(database: Settings) -> Client:
    """A client of that database."""
    from weir.edges.clickhouse.client import connect

    return connect(database.recording)


def aged(client: Client) -> None:
    """Let all announcements of redrives be an hour old: whoever made them sends no more."""
    client.command(
        "ALTER TABLE redrives UPDATE announced_at = announced_at - INTERVAL 1 HOUR WHERE true",
        settings={"mutations_sync": 1},
    )


def put(client: Client, table: str, rows: Any) -> None:
    """Insert rows without the recorder; each call under a token of its own."""
    import pyarrow as pa

    client.insert_arrow(
        table,
        pa.Table.from_batches([rows]),
        settings={"insert_deduplication_token": uuid.uuid4().hex, "max_partitions_per_insert_block": 0},
    )
