"""Engine handles: a fresh one per request, and one that is kept for each named session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import chdb

IDLE_S = 60.0  # ClickHouse's default_session_timeout
MAX_SESSIONS = (
    256  # a client that never reuses its ids must not pile up handles (0.04 MiB each, and their temporary tables)
)


@dataclass(slots=True)
class _Session:
    handle: chdb.conn.Connection
    busy: threading.Lock = field(default_factory=threading.Lock)
    used_s: float = 0.0


class Sessions:
    """The handles of one engine. A session serves one request at a time; two with the same id wait for each other."""

    def __init__(self, connect: Callable[[], chdb.conn.Connection]) -> None:
        self._connect = connect
        self._named: dict[str, _Session] = {}
        self._lock = threading.Lock()

    @contextmanager
    def handle(self, name: str) -> Iterator[chdb.conn.Connection]:
        """A handle for one request; "" gives a fresh one that is closed afterwards."""
        if not name:
            handle = self._connect()
            try:
                yield handle
            finally:
                handle.close()
            return
        session = self._session(name)
        with session.busy:
            yield session.handle

    def _session(self, name: str) -> _Session:
        now_s = time.monotonic()
        with self._lock:
            found = self._named.pop(name, None) or _Session(self._connect())
            found.used_s = now_s
            idle = [key for key, old in self._named.items() if now_s - old.used_s > IDLE_S and not old.busy.locked()]
            spare = [key for key, old in self._named.items() if not old.busy.locked()]  # oldest use first
            for key in {*idle, *spare[: max(0, len(self._named) + 1 - MAX_SESSIONS)]}:
                self._named.pop(key).handle.close()
            self._named[name] = found
            return found

    def close(self) -> None:
        """Close every kept handle."""
        with self._lock:
            for session in self._named.values():
                session.handle.close()
            self._named.clear()
