"""Sessions: an engine handle that stays for several requests, with its temporary tables, settings and database."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import chdb

from weir.edges.embedded.clickhouse_facade.faults import (
    INVALID_SESSION_TIMEOUT,
    SESSION_IS_LOCKED,
    SESSION_NOT_FOUND,
    Fault,
)
from weir.edges.embedded.clickhouse_facade.statement import escaped

IDLE_S = 60.0  # ClickHouse's default_session_timeout
MAX_IDLE_S = 3600.0  # its max_session_timeout
# Of one user. A client that never reuses its ids must not pile up handles (0.04 MiB each, and their temporary tables),
# nor end the sessions of somebody else.
MAX_SESSIONS = 256
ENDING_S = 5.0  # how long a statement may take to end once its client has gone


@dataclass(slots=True)
class Session:
    """One of them. It serves one request at a time."""

    handle: chdb.conn.Connection
    busy: threading.Lock = field(default_factory=threading.Lock)
    used_s: float = 0.0
    idle_s: float = IDLE_S
    gone: Callable[[], bool] = lambda: False  # whether nobody waits any more for the request that uses it

    def values(self, names: Mapping[str, str]) -> dict[str, str | None]:
        """What settings have in this session; None for a default."""
        if not names:
            return {}
        listed = ", ".join(f"'{name}'" for name in names)  # names of settings hold no quotes
        asked = f"SELECT name, value, changed FROM system.settings WHERE name IN ({listed})"
        rows = self.handle.query(asked, "JSONCompactEachRow").bytes().splitlines()
        return {name: value if changed else None for name, value, changed in map(json.loads, rows)}

    def database(self) -> str:
        """The one that names without a database mean."""
        return str(self.handle.query("SELECT currentDatabase()", "TSVRaw").bytes().decode().rstrip("\n"))

    def restore(self, values: Mapping[str, str | None]) -> None:
        """Give settings back what `values` said of them."""
        for name, value in values.items():
            if value is None:
                self.handle.query(f"SET {name} = DEFAULT", "TSV")
            else:
                self.handle.query(f"SET {name} = {{v:String}}", "TSV", {"v": escaped(value)})


class Sessions:
    """The sessions of one engine, by user and name."""

    def __init__(self, connect: Callable[[], chdb.conn.Connection]) -> None:
        self._connect = connect
        self._named: dict[tuple[str, str], Session] = {}
        self._lock = threading.Lock()

    @contextmanager
    def one(
        self, user: str, name: str, *, must_exist: bool, timeout: str = "", gone: Callable[[], bool] = lambda: False
    ) -> Iterator[Session]:
        """The user's session of that name, made if it is not there.

        timeout: seconds for which it stays when nobody uses it; "" for the default.
        gone: whether nobody waits any more for the request that asks for it; its statement is then about to end, so
            the next request waits for that.

        Raises Fault when it must exist and does not, when another request uses it, and for a timeout that is none.
        """
        idle_s = _seconds(timeout)
        session = self._session((user, name), must_exist)
        try:
            session.used_s, session.idle_s, session.gone = time.monotonic(), idle_s, gone
            yield session
        finally:
            session.used_s = time.monotonic()
            session.busy.release()

    def _session(self, name: tuple[str, str], must_exist: bool) -> Session:
        """The session, taken."""
        now_s = time.monotonic()
        with self._lock:
            idle = [
                key for key, old in self._named.items() if now_s - old.used_s > old.idle_s and not old.busy.locked()
            ]
            for key in idle:
                self._named.pop(key).handle.close()
            found = self._named.pop(name, None)
            if found is None and must_exist:
                raise Fault(SESSION_NOT_FOUND, "SESSION_NOT_FOUND", "Session not found")
            found = found or Session(self._connect())
            own = [key for key in self._named if key[0] == name[0]]  # oldest use first
            spare = [key for key in own if not self._named[key].busy.locked()]
            for key in spare[: max(0, len(own) + 1 - MAX_SESSIONS)]:
                self._named.pop(key).handle.close()
            self._named[name] = found
            if found.busy.acquire(blocking=False):
                return found
        if not (found.gone() and found.busy.acquire(timeout=ENDING_S)):
            raise Fault(SESSION_IS_LOCKED, "SESSION_IS_LOCKED", "Session is locked by a concurrent client")
        return found

    def close(self) -> None:
        """Close every kept handle."""
        with self._lock:
            for session in self._named.values():
                session.handle.close()
            self._named.clear()


def _seconds(timeout: str) -> float:
    if not timeout:
        return IDLE_S
    if not (timeout.isascii() and timeout.isdigit() and len(timeout) < 10 and float(timeout) <= MAX_IDLE_S):
        text = f"Session timeout {timeout!r} is no number of seconds up to {MAX_IDLE_S:g}"
        raise Fault(INVALID_SESSION_TIMEOUT, "INVALID_SESSION_TIMEOUT", text)
    return float(timeout)
