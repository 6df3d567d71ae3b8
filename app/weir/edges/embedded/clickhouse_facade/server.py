"""The listening socket and its threads."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from http.server import ThreadingHTTPServer

from weir.core.errors import Refused, Unavailable
from weir.edges.embedded.clickhouse_facade.users import User

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Server(ThreadingHTTPServer):
    """A bound port whose requests are answered once `serve_forever` runs; a thread a connection."""

    daemon_threads = True
    block_on_close = (
        False  # idle keep-alive connections would hold the end up; the engine waits for its statements itself
    )
    request_queue_size = 64


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
