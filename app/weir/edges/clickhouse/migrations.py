"""Numbered SQL files, applied once each, in order, and remembered in the database itself."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.edges.clickhouse.client import answering, connect
from weir.edges.clickhouse.sql_files import FOLDER, whole
from weir.setting_groups import RecordingSettings

NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
STATEMENT_END = re.compile(r"^;\s*$", re.MULTILINE)
IS_THERE = "SELECT count() FROM system.databases WHERE name = {database:String}"
CREATE_DATABASE = "CREATE DATABASE IF NOT EXISTS {database:Identifier}"
CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS migrations
    (number UInt32, name String, sha256 FixedString(64), applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
    ENGINE = ReplacingMergeTree ORDER BY number
"""
APPLIED = "SELECT number, toString(sha256) FROM migrations ORDER BY number, applied_at"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. sha256: of its text with its parts put in, hex. statements: split at lines of a semicolon."""

    number: int
    name: str
    sha256: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migrated:
    """What `apply` did: applied ran just now, present had run before."""

    applied: tuple[Migration, ...]
    present: tuple[Migration, ...]


def read(folder: Path = FOLDER / "migrations") -> list[Migration]:
    """All migrations in order. Raises Refused when a file is misnamed or a number is missing or double."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.match(path.name)
        if not match:
            raise Refused(f"{path.name} is no migration", where=str(folder), remedy="name it 0001_what_it_does.sql")
        text = whole(path.read_text(encoding="utf-8"))
        parts = [part.strip() for part in STATEMENT_END.split(text)]
        digest = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(int(match[1]), match[2], digest, tuple(part for part in parts if part)))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise Refused(
            f"migrations are numbered {[migration.number for migration in found]}",
            where=str(folder),
            remedy="number them 1, 2, 3 ... without holes",
        )
    return found


def apply(settings: RecordingSettings, migrations: list[Migration] | None = None) -> Migrated:
    """Bring settings.clickhouse_database up to date, creating it when it is not there.

    Two at a time are harmless: every statement is IF NOT EXISTS, and the same row is written twice at worst.
    Raises Unavailable; Refused when an applied file was changed, or when the database has migrations that this version
    lacks.
    """
    migrations = read() if migrations is None else migrations
    where = f"{settings.clickhouse_url}/{settings.clickhouse_database}"
    with answering(settings.clickhouse_url):
        named = {"database": settings.clickhouse_database}
        anywhere = connect(settings, database="")
        if anywhere.query(IS_THERE, parameters=named).result_rows == [
            (0,)
        ]:  # making one is a right that not everybody has
            anywhere.command(CREATE_DATABASE, parameters=named)
        client = connect(settings)
        client.command(CREATE_TABLE)
        held = {number: digest for number, digest in client.query(APPLIED).result_rows}
    unknown = sorted(held.keys() - {migration.number for migration in migrations})
    if unknown:
        what = f"the database has migrations {unknown} that this version lacks"
        raise Refused(what, where=where, remedy="upgrade Weir")
    for migration in migrations:
        if held.get(migration.number, migration.sha256) != migration.sha256:
            raise Refused(
                f"migration {migration.number:04d}_{migration.name} was changed after it had been applied",
                where=where,
                remedy="restore the file and put the change into a new migration",
            )
    due = [migration for migration in migrations if migration.number not in held]
    for migration in due:
        _run(client, migration, settings.clickhouse_url)
    return Migrated(tuple(due), tuple(migration for migration in migrations if migration.number in held))


def _run(client: Client, migration: Migration, where: str) -> None:
    """All statements, then the row that says so: after a crash between them the file runs again from its start."""
    with answering(where):
        for statement in migration.statements:
            client.command(statement)
        row = [migration.number, migration.name, migration.sha256]
        client.insert("migrations", [row], column_names=["number", "name", "sha256"])
