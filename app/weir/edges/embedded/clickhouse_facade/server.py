"""The listening socket and its threads."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from http.server import ThreadingHTTPServer

from weir.core.errors import Refused, Unavailable
from weir.edges.embedded.clickhouse_facade.users import User
from weir.edges.embedded.origins import LOOPBACK

MAX_WAITING = 64  # connections whose next request is awaited or half there; each holds a thread


class Wait(IntEnum):
    """Why a connection is waited for."""

    UNKNOWN = 0  # it has not shown who it is
    KNOWN_RESTS = 1  # a user's, between two requests
    KNOWN_ASKS = 2  # a user's, whose request has begun


class Waiting:
    """The connections that wait for their client, by what they wait for, the longest first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._connections: dict[Wait, OrderedDict[socket.socket, None]] = {wait: OrderedDict() for wait in Wait}
        self._lock = threading.Lock()

    @contextmanager
    def one(self, connection: socket.socket, *, known: bool = False) -> Iterator[None]:
        """Count a connection in. Where there are too many, the one that can best be spared is closed.

        known: whether it has shown before who it is.
        """
        with self._lock:
            self._connections[Wait.KNOWN_RESTS if known else Wait.UNKNOWN][connection] = None
            if sum(map(len, self._connections.values())) > self._count:
                longest, _ = self._spared().popitem(last=False)
                with contextlib.suppress(OSError):  # its thread reads the end of the stream, and ends
                    longest.shutdown(socket.SHUT_RDWR)
        try:
            yield
        finally:
            self.leave(connection)

    def _spared(self) -> OrderedDict[socket.socket, None]:
        """Those of which one is given up: strangers first, who have half of the places for certain, then who rests."""
        unknown, rest, ask = (self._connections[wait] for wait in Wait)
        return unknown if len(unknown) > self._count // 2 else rest or ask or unknown

    def move(self, connection: socket.socket, wait: Wait) -> None:
        """It is waited for something else from here on; nothing for a connection that was given up."""
        with self._lock:
            for held in self._connections.values():
                if connection in held:
                    del held[connection]
                    self._connections[wait][connection] = None
                    return

    def leave(self, connection: socket.socket) -> None:
        """The request is there: from here on it is this side that is waited for."""
        with self._lock:
            for held in self._connections.values():
                held.pop(connection, None)


class Server(ThreadingHTTPServer):
    """A bound port whose requests are answered once `serve_forever` runs; a thread a connection."""

    daemon_threads = True
    block_on_close = (
        False  # idle keep-alive connections would hold the end up; the engine waits for its statements itself
    )
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type) -> None:
        self.waiting = Waiting(MAX_WAITING)
        super().__init__(address, handler)


def bind(host: str, port: int, users: Mapping[str, User], handler: type) -> Server:
    """Bind, without answering yet.

    Raises Refused for an address beyond this machine without passwords, Unavailable when the port is taken.
    """
    open_doors = sorted(user.name for user in users.values() if not user.password)
    if host not in LOOPBACK and open_doors:
        raise Refused(
            f"users without a password ({', '.join(open_doors)}) may only be served on this machine",
            where=host,
            remedy="set WEIR_CLICKHOUSE_PASSWORD, or use --host 127.0.0.1",
        )
    try:
        return Server((host, port), handler)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        raise Unavailable(
            f"the embedded ClickHouse cannot listen: {error.strerror}",
            where=f"{host}:{port}",
            remedy="stop what listens there, or choose another port",
        ) from error
