"""The one engine of the process: a chDB directory, and statements run in it."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import chdb

from weir.edges.embedded.clickhouse_facade import columns, guard, query_ids, setting_names
from weir.edges.embedded.clickhouse_facade.asked import Asked, ExternalTable
from weir.edges.embedded.clickhouse_facade.catalogue import Catalogue, Rights
from weir.edges.embedded.clickhouse_facade.configuration import (
    FILES_DATABASE,
    MIB,
    READER_BODY_BYTES,
    Limits,
    prepare_default_database,
    write_configuration,
)
from weir.edges.embedded.clickhouse_facade.faults import (
    ACCESS_DENIED,
    BAD_ARGUMENTS,
    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
    READONLY,
    UNKNOWN_FORMAT,
    Fault,
    engine_errors,
)
from weir.edges.embedded.clickhouse_facade.outlets import Running, path_of
from weir.edges.embedded.clickhouse_facade.reading import Normaliser
from weir.edges.embedded.clickhouse_facade.sessions import Sessions
from weir.edges.embedded.clickhouse_facade.slots import Slots
from weir.edges.embedded.clickhouse_facade.statement import escaped, split_settings
from weir.edges.embedded.clickhouse_facade.words import tokens

_NO_SETTINGS: Mapping[str, str] = {}
_ONLY_VALUES: Mapping[str, str] = {
    "input_format_values_interpret_expressions": "0",
    "input_format_values_deduce_templates_of_expressions": "0",
}
_ONLY_TEMPORARY = "readonly = 2"  # of a statement: it writes temporary tables at most, says the engine
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMAT = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_TAIL = re.compile(r"\nFORMAT (?P<format>\w+)(?P<settings>(?:\nSETTINGS [^\n]*)?)\Z")
_STREAMED = ("SELECT", "WITH", "(")


class Engine:
    """chDB on one directory: `data`, `config.xml` and `users.xml` under `path`.

    Raises RuntimeError (chDB's) when another process holds the directory.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        configuration = write_configuration(path, limits)
        data = path / "data"
        prepare_default_database(data)
        self._data = str(data)
        # held: the engine ends with its last handle
        self._root = chdb.connect(f"{self._data}?config-file={configuration}")
        self._root.query(f"DROP DATABASE IF EXISTS {FILES_DATABASE}", "TSV")
        self.sessions = Sessions(self._connect)
        self._normalisers = {
            Rights.OWNER: Normaliser(self._connect, limits.body_mib * MIB, limits.memory_mib * MIB // 2),
            Rights.READER: Normaliser(self._connect, READER_BODY_BYTES, limits.reader_bytes),
        }
        self._slots = {  # apart, so that no reader keeps the recorder from its insert
            "writes": Slots(limits.writes, "statements that write"),
            "reads": Slots(limits.reads, "statements that read"),
            "reader": Slots(limits.reader_reads, "statements of the read-only user"),
        }
        self._catalogue = Catalogue.read(lambda sql: self._root.query(sql, "TSVRaw").bytes().decode())
        self._looked = guard.Looked(self._catalogue)
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self.version, self.timezone = self._root.query("SELECT version(), timezone()", "TSV").bytes().decode().split()

    def _connect(self) -> chdb.conn.Connection:
        return chdb.connect(self._data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the statements that run, within a bound, then close the directory."""
        for slots in self._slots.values():
            slots.close()
        self.sessions.close()
        for normaliser in self._normalisers.values():
            normaliser.close()
        self._root.close()

    def run(
        self, asked: Asked, sink: Callable[[bytes, str], None], gone: Callable[[], bool] = lambda: False
    ) -> tuple[str, Mapping[str, str]]:
        """Run one statement; the format of its result ("" where it has none) and ClickHouse's summary counters.

        sink: takes the result piece by piece, and the name of its format with each; it may block, and the engine then
            waits. An error can follow pieces that were taken.
        gone: whether nobody waits for the answer any more; a statement that only reads then ends.

        Raises Fault when the statement is not allowed, no slot comes free or a setting's name is none; Gone;
        RuntimeError (chDB's) for everything the engine says.
        """
        for name in asked.settings:
            if not _SETTING.fullmatch(name):
                raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"Not the name of a setting: {name!r}")
        reads = asked.statement.has_result
        slots = self._slots["reader" if asked.rights is Rights.READER else "reads" if reads else "writes"]
        with self._known(asked.query_id), slots.one(gone if reads else lambda: False), engine_errors():
            normal, settings = self._allowed(asked)
            with self._handle(asked, settings) as handle:
                if asked.statement.insert is not None:
                    return "", _insert(handle, asked, normal)
                if not reads:
                    return "", _counters(handle.query(_text(asked.statement.sql), "TSV", dict(asked.parameters)))
                return self._read(handle, asked, normal, sink, gone)

    def kill(self, query_id: str) -> None:
        """Ask the statement that runs under this id to end; nothing when there is none."""
        with closing(self._connect()) as handle:
            handle.query(
                f"KILL QUERY WHERE Settings['{query_ids.SETTING}'] = {{id:String}} ASYNC",
                "Null",
                {"id": escaped(query_id)},
            )

    def _allowed(self, asked: Asked) -> tuple[str, Mapping[str, str]]:
        """The statement as the engine's formatter writes it, and settings that it is held to.

        The first is "" where the formatter need not be asked. Raises Fault.
        """
        statement = asked.statement
        for name in asked.settings:
            setting_names.for_anyone(name)
        if asked.rights is Rights.READER and asked.database.lower() in ("system", FILES_DATABASE):
            raise Fault(ACCESS_DENIED, "ACCESS_DENIED", f"Name tables of the database {asked.database} in full")
        sql, settings = statement.sql, _NO_SETTINGS
        if statement.insert is not None:
            head, name, rows = statement.insert
            if asked.rights < Rights.OWNER:
                raise Fault(READONLY, "READONLY", "Cannot execute INSERT in readonly mode")
            if name.lower() == "values":  # the engine takes formats in any case
                settings = self._values_allowed(head, rows, asked.parameters)
            if guard.is_plain_insert(head.decode("latin-1")):
                return "", settings
            sql = b"%b\nFORMAT %b" % (head, name.encode())
        normal = self._normaliser(asked).normal(sql)
        self._looked.check(normal, asked.rights, asked.parameters)
        return normal, settings

    def _values_allowed(self, head: bytes, rows: bytes, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """What rows of VALUES are held to. Raises Fault when an expression within them leaves the database.

        Rows that name a function that is refused, be it within a literal, are read as a SELECT and checked. Where
        they are no SELECT, such as rows without commas between them, the engine takes values alone, no expressions.
        """
        if guard.has_only_values(rows.decode("latin-1"), self._catalogue):
            return {}
        try:
            normal = self._normalisers[Rights.OWNER].normal(b"SELECT " + rows)
        except RuntimeError:
            if any(name in head.lower() for name in map(str.encode, _ONLY_VALUES)):
                raise
            return _ONLY_VALUES
        guard.check_values(normal, self._catalogue, parameters)
        return {}

    def _normaliser(self, asked: Asked) -> Normaliser:
        return self._normalisers[Rights.READER if asked.rights is Rights.READER else Rights.OWNER]

    @contextmanager
    def _known(self, query_id: str) -> Iterator[None]:
        with self._lock:
            if query_id in self._running:
                raise Fault(
                    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
                    "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
                    f"Query with id = {query_id} is already running",
                )
            self._running.add(query_id)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(query_id)

    @contextmanager
    def _handle(self, asked: Asked, held_to: Mapping[str, str]) -> Iterator[chdb.conn.Connection]:
        """A handle that has the request's database and settings: a session's, or one of its own.

        A read-only handle cannot be turned back, so in a session it is the guard alone that keeps to reads.
        """
        with ExitStack() as undo:
            settings = {**asked.settings, **held_to, query_ids.SETTING: asked.query_id}
            use = "USE {database:Identifier}"
            if asked.session is None:
                handle = self._connect()
                undo.callback(handle.close)
                last = {"readonly": str(asked.readonly)} if asked.readonly else {}  # nothing can be changed after it
            else:
                handle, last = asked.session.handle, {}
                undo.callback(asked.session.restore, asked.session.values({**asked.settings, **held_to}))
                if asked.database and not asked.statement.sql.lstrip()[:4].upper().startswith(b"USE"):
                    undo.callback(handle.query, use, "TSV", {"database": escaped(asked.session.database())})
            if asked.database:
                handle.query(use, "TSV", {"database": escaped(asked.database)})
            if not asked.tables:
                _set(handle, {**settings, **last})
            else:
                # a read-only handle makes no tables, so until they are there it is kept from all other ones
                _set(handle, {**settings, "allow_ddl": "0"} if last else settings)
                for table in asked.tables:
                    self._put(handle, table, asked)
                    if asked.session is not None:
                        undo.callback(handle.query, f"DROP TEMPORARY TABLE IF EXISTS `{table.name}`", "TSV")
                _set(handle, last)
            yield handle

    def _put(self, handle: chdb.conn.Connection, table: ExternalTable, asked: Asked) -> None:
        """Make an external table, whoever asks, as one who may fill temporary tables and nothing else. Raises Fault.

        Rows of VALUES hold values here, no expressions.
        """
        for name in (table.name, table.format):
            if not _SETTING.fullmatch(name):
                raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"Not a name: {name!r}")
        normal = self._normaliser(asked).normal(columns.description(table.name, table.structure))
        listed = columns.listed(normal, table.name, asked.rights, self._catalogue)
        create = f"CREATE TEMPORARY TABLE `{table.name}` ({listed}) ENGINE = Memory SETTINGS {_ONLY_TEMPORARY}"
        handle.query(_again(create), "TSV")
        with _file(table.data) as path:
            only = ", ".join((_ONLY_TEMPORARY, *(f"{name} = {value}" for name, value in _ONLY_VALUES.items())))
            insert = f"INSERT INTO `{table.name}` FROM INFILE '{path}' COMPRESSION 'none' SETTINGS {only}"
            handle.query(f"{insert} FORMAT {table.format}", "TSV")

    def _read(
        self,
        handle: chdb.conn.Connection,
        asked: Asked,
        normal: str,
        sink: Callable[[bytes, str], None],
        gone: Callable[[], bool],
    ) -> tuple[str, Mapping[str, str]]:
        tail = _TAIL.search(normal)
        name = tail["format"] if tail else asked.statement.format
        if not _FORMAT.fullmatch(name):
            raise Fault(UNKNOWN_FORMAT, "UNKNOWN_FORMAT", f"Unknown format {name!r}")
        body, settings = (normal[: tail.start()], tail["settings"]) if tail else (normal, "")
        streamed = normal.startswith(_STREAMED)
        sql = query_ids.with_query_id(body, asked.query_id)

        def call(writing: int) -> Any:
            if streamed:
                into = f"{sql}\nINTO OUTFILE '{path_of(writing)}' APPEND FORMAT {name}{settings}"
                return handle.query(_again(into), "TSV", dict(asked.parameters))
            result = handle.query(_again(sql), name, dict(asked.parameters))
            with os.fdopen(os.dup(writing), "wb") as out:
                out.write(result.bytes() or b"")
            return result

        result = Running(call).pump(lambda piece: sink(piece, name), gone, lambda: self.kill(asked.query_id))
        return name, _counters(result)


def _set(handle: chdb.conn.Connection, settings: Mapping[str, str]) -> None:
    if settings:
        names = ", ".join(f"{name} = {{v{i}:String}}" for i, name in enumerate(settings))
        handle.query(f"SET {names}", "TSV", {f"v{i}": escaped(value) for i, value in enumerate(settings.values())})


def _insert(handle: chdb.conn.Connection, asked: Asked, normal: str) -> Mapping[str, str]:
    """From a file: chDB's streaming insert says nothing of what fails when it commits.

    A full disk, a view that throws, too many parts, a constraint: such an insert would be answered as done.
    """
    assert asked.statement.insert is not None
    sql, name, data = asked.statement.insert
    with _file(data) as path:
        if (reads_input := _input_as_file(normal, path, name)) is not None:
            result = handle.query(_again(reads_input), "TSV", dict(asked.parameters))
        else:
            head, settings = split_settings(sql)
            text = b"%b\nFROM INFILE '%b' COMPRESSION 'none'\n%b\nFORMAT %b"  # a comment may end any part
            whole = text % (head, path.encode(), settings, name.encode())
            result = handle.query(_text(whole), "TSV", dict(asked.parameters))
    return _counters(result)


def _input_as_file(normal: str, path: str, name: str) -> str | None:
    """An INSERT ... SELECT FROM input('structure') that reads its data from `path`; None for every other INSERT."""
    if "input(" not in normal:
        return None
    words = tokens(normal)
    for call, opening, structure in zip(words, words[1:], words[2:], strict=False):
        if call.text == "input" and opening.text == "(" and structure.kind == "literal":
            reads = f"{normal[: call.start]}file('{path}', '{name}', {structure.text}{normal[structure.end :]}"
            return re.sub(r"\sFORMAT \w+\Z", "", reads)
    return None


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


def _counters(result: Any) -> dict[str, str]:
    """ClickHouse's summary of a statement. Source: ClickHouse, src/IO/Progress.cpp."""
    return {
        "read_rows": str(result.storage_rows_read()),
        "read_bytes": str(result.storage_bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "total_rows_to_read": "0",
        "result_rows": str(result.rows_read()),
        "result_bytes": str(result.bytes_read()),
        "elapsed_ns": str(int(result.elapsed() * 1e9)),
    }


def _text(sql: bytes) -> str:
    """What chDB takes: text, or the bytes themselves where they are no UTF-8, which a literal need not be."""
    try:
        return sql.decode()
    except UnicodeDecodeError:
        return cast(str, sql)


def _again(normal: str) -> str:
    """A statement as the engine's formatter wrote it, for the engine."""
    return _text(normal.encode("utf-8", "surrogateescape"))
