"""The one engine of the process: a chDB directory, and statements run in it."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import chdb

from weir.edges.embedded.clickhouse_facade.configuration import Limits, write_configuration
from weir.edges.embedded.clickhouse_facade.faults import BAD_ARGUMENTS, TOO_MANY_SIMULTANEOUS_QUERIES, Fault
from weir.edges.embedded.clickhouse_facade.sessions import Sessions
from weir.edges.embedded.clickhouse_facade.statement import Statement, split_settings

QUEUE_S = 30.0  # how long a statement waits for one of the slots before it is refused
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of a result under the statement's format, and ClickHouse's summary counters."""

    body: bytes
    summary: Mapping[str, str]


class Engine:
    """chDB on one directory: `data`, `config.xml` and `users.xml` under `path`.

    Raises RuntimeError (chDB's) when another process holds the directory.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        configuration = write_configuration(path, limits)
        self._data = str(path / "data")
        self._root = chdb.connect(
            f"{self._data}?config-file={configuration}"
        )  # held: the engine ends with its last handle
        self._sessions = Sessions(lambda: chdb.connect(self._data))
        self._slots = threading.BoundedSemaphore(limits.max_concurrent_statements)
        self._limits = limits
        self.version, self.timezone = self._root.query("SELECT version(), timezone()", "TSV").bytes().decode().split()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the statements that run, within a bound, then close the directory."""
        for _ in range(self._limits.max_concurrent_statements):
            if not self._slots.acquire(timeout=2.0):
                break
        self._sessions.close()
        self._root.close()

    def run(
        self,
        statement: Statement,
        *,
        database: str,
        settings: Mapping[str, str],
        parameters: Mapping[str, str],
        readonly: int,
        session: str = "",
    ) -> Answer:
        """Run one statement in a handle of its own, or in that of a named session.

        settings: of this statement only; applied before `readonly`, after which the engine lets nothing be changed.
        parameters: for {name:Type} in the statement, bound by the engine.
        readonly: 0, 1 (reads only) or 2 (reads and settings), as in ClickHouse. A readonly handle cannot be turned
            back, so such a statement never uses a session's handle.

        Raises Fault when no slot comes free or a setting's name is none, RuntimeError (chDB's) for everything the
        engine says.
        """
        for name in settings:
            if not _SETTING.fullmatch(name):
                raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"Not the name of a setting: {name!r}")
        if not self._slots.acquire(timeout=QUEUE_S):
            raise Fault(
                TOO_MANY_SIMULTANEOUS_QUERIES,
                "TOO_MANY_SIMULTANEOUS_QUERIES",
                f"{self._limits.max_concurrent_statements} statements have run for {QUEUE_S:g} s",
            )
        try:
            with ExitStack() as undo:
                handle = undo.enter_context(self._sessions.handle("" if readonly else session))
                handle.query("USE {database:Identifier}", "TSV", params={"database": database})
                for name, value in settings.items():  # a name cannot be bound; it is checked above
                    handle.query(f"SET {name} = {{value:String}}", "TSV", params={"value": value})
                    if session and not readonly:
                        undo.callback(handle.query, f"SET {name} = DEFAULT", "TSV")
                if readonly:
                    handle.query(f"SET readonly = {readonly:d}", "TSV")
                return (
                    _insert(handle, statement) if statement.data is not None else _query(handle, statement, parameters)
                )
        finally:
            self._slots.release()


def _insert(handle: chdb.conn.Connection, statement: Statement) -> Answer:
    """From a file: chDB's streaming insert says nothing of what fails when it commits.

    A full disk, a view that throws, too many parts, a constraint: such an insert would be answered as done.
    """
    assert statement.data is not None
    head, settings = split_settings(statement.sql)
    with _file(statement.data) as path:
        sql = f"{head.decode()} FROM INFILE '{path}' COMPRESSION 'none' {settings.decode()} FORMAT {statement.format}"
        result = handle.query(sql, "TSV")
    return Answer(
        b"",
        {
            "written_rows": str(result.rows_written()),
            "written_bytes": str(result.bytes_written()),
            "elapsed_ns": str(int(result.elapsed() * 1e9)),
        },
    )


@contextmanager
def _file(data: bytes) -> Iterator[str]:
    """The path of a file that holds `data`; in memory where the system can, so that a full disk does not matter."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("insert"), "wb") as held:
            held.write(data)
            held.flush()
            yield f"/proc/self/fd/{held.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as held:
            held.write(data)
            held.flush()
            yield held.name


def _query(handle: chdb.conn.Connection, statement: Statement, parameters: Mapping[str, str]) -> Answer:
    result = handle.query(statement.sql.decode(), statement.format, params=dict(parameters))
    return Answer(
        result.bytes() or b"",
        {
            "read_rows": str(result.storage_rows_read()),
            "read_bytes": str(result.storage_bytes_read()),
            "result_rows": str(result.rows_read()),
            "elapsed_ns": str(int(result.elapsed() * 1e9)),
        },
    )
