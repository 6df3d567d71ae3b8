"""Databases of their own for tests, on the session's ClickHouse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from weir.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client
    from weir.edges.embedded.stack import Stack


class Databases:
    """Migrated databases without a row, one for whoever asks. To migrate one takes longer than most tests.

    One that is given back is emptied for the next, and dropped where it is not what migrations make.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._free: list[Settings] = []
        self._made: dict[str, tuple[str, int | None]] = {}  # what a new one consists of

    def take(self) -> Settings:
        """Settings of a database that nobody else has."""
        from weir.edges.clickhouse import migrations

        if self._free:
            return self._free.pop()
        settings = self._stack.settings.having(clickhouse_database=f"test_{uuid.uuid4().hex[:12]}")
        migrations.apply(settings.recording)
        self._made = self._made or self._consists_of(settings)
        return settings

    def give_back(self, settings: Settings) -> None:
        """Drop what was added and empty what was written to; what inserts are known by goes with the rows."""
        named = {"name": settings.recording.clickhouse_database}
        written = "SELECT DISTINCT table FROM system.parts WHERE database = {name:String} AND table != 'migrations'"
        for table in self._consists_of(settings).keys() - self._made.keys():
            self._command("DROP TABLE {name:Identifier}.{table:Identifier}", table=table, **named)
        for (table,) in self._client.query(written, parameters=named).result_rows:
            self._command("TRUNCATE TABLE {name:Identifier}.{table:Identifier}", table=table, **named)
        if self._consists_of(settings) == self._made:
            self._free.append(settings)
        else:
            self._command("DROP DATABASE {name:Identifier}", **named)

    @cached_property
    def _client(self) -> Client:
        from weir.edges.clickhouse.client import connect

        return connect(self._stack.settings.recording, database="")

    def _command(self, statement: str, **parameters: str) -> None:
        self._client.command(statement, parameters=parameters)

    def _consists_of(self, settings: Settings) -> dict[str, tuple[str, int | None]]:
        """How each table was made, and its rows."""
        name = settings.recording.clickhouse_database
        asked = "SELECT name, create_table_query, total_rows FROM system.tables WHERE database = {name:String}"
        found = self._client.query(asked, parameters={"name": name}).result_rows
        return {table: (made.replace(name, ""), rows) for table, made, rows in found}


@pytest.fixture(scope="session")
def databases(stack: Stack) -> Databases:
    return Databases(stack)


@contextmanager
def migrated(databases: Databases) -> Iterator[Settings]:
    """Settings of a migrated database without a row, which the next one gets afterwards."""
    settings = databases.take()
    yield settings
    databases.give_back(settings)


@pytest.fixture
def database(databases: Databases) -> Iterator[Settings]:
    """The same, for one test."""
    with migrated(databases) as settings:
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
