"""The engine's own reading of a statement: one statement, without comments, every word in one spelling."""

from __future__ import annotations

import re
from collections.abc import Callable
from queue import Empty, SimpleQueue

import chdb

from weir.edges.embedded.clickhouse_facade.faults import engine_errors, read_engine_error
from weir.edges.embedded.clickhouse_facade.kept import Kept

KEPT_BYTES = 8 << 20  # of texts whose reading is remembered
READING_S = 60  # that a reading may take
_ASIDE = re.compile(r": In scope SELECT formatQuery\(.*\Z|: while executing .*\Z", re.DOTALL)


class Normaliser:
    """Asks the engine how it reads a text. The text is data all the way: nothing in it runs.

    longest: bytes of a text.
    memory: bytes that reading one may take.
    """

    def __init__(self, connect: Callable[[], chdb.conn.Connection], longest: int, memory: int) -> None:
        self._connect, self._longest, self._memory = connect, longest, memory
        self._idle: SimpleQueue[chdb.conn.Connection] = SimpleQueue()
        self._known = Kept[bytes, str](KEPT_BYTES)

    def normal(self, sql: bytes) -> str:
        """The statement as the engine's formatter writes it.

        Raises RuntimeError, as the statement itself would, for a text that is no statement or several.
        """
        normal = self._known.get(sql)
        if normal is None:
            normal = self._ask(sql)
            self._known.put(sql, normal, len(sql) + len(normal))
        return normal

    def _ask(self, sql: bytes) -> str:
        try:
            handle = self._idle.get_nowait()
        except Empty:
            handle = self._connect()
            # the text is doubled in hexadecimal, and a word longer where it is asked for within another statement
            handle.query(
                f"SET max_query_size = {2 * self._longest + 4096}, max_memory_usage = {self._memory},"
                f" max_execution_time = {READING_S}",
                "TSV",
            )
        try:
            # in hexadecimal: bytes that are no UTF-8 come through, and no escaping can go wrong
            with engine_errors():
                found = handle.query("SELECT formatQuery(unhex({sql:String}))", "TSVRaw", {"sql": sql.hex()})
        except RuntimeError as error:
            code, text = read_engine_error(str(error))
            name = text[text.rfind("(") :] if text.endswith(")") else f"({code})"
            raise RuntimeError(f"{_ASIDE.sub('', text)}. {name}" if _ASIDE.search(text) else text) from None
        finally:
            self._idle.put(handle)
        return str(found.bytes().decode("utf-8", "surrogateescape")).strip()

    def close(self) -> None:
        """Close the handles."""
        while not self._idle.empty():
            self._idle.get().close()
