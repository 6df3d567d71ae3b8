"""`python -m weir.edges.embedded.clickhouse_facade`: serve one chDB directory until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from weir.core.errors import Unavailable, WeirError
from weir.edges.embedded.clickhouse_facade import environment
from weir.edges.embedded.clickhouse_facade.body import Room
from weir.edges.embedded.clickhouse_facade.configuration import MIB, Limits
from weir.edges.embedded.clickhouse_facade.handler import Handler
from weir.edges.embedded.clickhouse_facade.server import bind
from weir.edges.embedded.clickhouse_facade.users import User, from_environment
from weir.edges.embedded.origins import LOOPBACK

POLL_S = 0.05  # how late the end is noticed
BODIES_AT_ONCE = 3  # of the largest size; of the recorder's usual ones many times as many


def main() -> int:
    """Bind first, so that a taken port is said at once; then open the engine; then answer."""
    defaults = Limits()
    parser = argparse.ArgumentParser(prog="python -m weir.edges.embedded.clickhouse_facade", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="directory of the data and its configuration")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--memory-mib", type=int, default=defaults.memory_mib)
    parser.add_argument("--body-mib", type=int, default=defaults.body_mib)
    parser.add_argument("--name", action="append", default=[], help="a host name under which clients may ask for it")
    parser.add_argument(environment.OPTION, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fsync", action="store_true", help="flush each insert to the disk before it is acknowledged")
    asked = parser.parse_args()
    if asked.secrets_fd is None:
        environment.shed(os.environ)
    limits = Limits(memory_mib=asked.memory_mib, body_mib=asked.body_mib, fsync=asked.fsync)

    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        users = from_environment(environment.secrets(asked.secrets_fd), limits)
        serve(asked.path, (asked.host, asked.port), limits, users, stop, names=asked.name)
    except WeirError as error:
        sys.stderr.write(f"{error}\n")
        return error.status
    return 0


def serve(
    path: Path,
    address: tuple[str, int],
    limits: Limits,
    users: Mapping[str, User],
    stop: threading.Event,
    names: Sequence[str] = (),
) -> None:
    """Serve until `stop` is set, then finish what runs.

    names: that clients may use for this host, beside those of the loopback and the address itself.

    Raises Unavailable for a taken port or directory, Refused for an address that needs passwords.
    """
    host = address[0]
    bound = {
        "users": users,
        "names": frozenset({*LOOPBACK, host.lower(), *(name.lower() for name in names)}),
        "room": Room(BODIES_AT_ONCE * limits.body_mib * MIB),
        "max_body_bytes": limits.body_mib * MIB,
    }
    handler = type("BoundHandler", (Handler,), bound)
    with bind(*address, users, handler) as server:
        from weir.edges.embedded.clickhouse_facade.engine import Engine  # noqa: PLC0415  0.7 s and 270 MiB: only once the port is ours

        try:
            engine = Engine(path, limits)
        except RuntimeError as error:
            raise Unavailable(
                f"chDB cannot open its directory: {error}",
                where=str(path),
                remedy="end the process that uses it, or choose another directory",
            ) from error
        with engine:
            handler.engine = engine  # type: ignore[attr-defined]  # the class made above
            answering = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="http", daemon=True)
            answering.start()
            sys.stderr.write(
                f"ready on {host}:{server.server_address[1]}, ClickHouse {engine.version} (chDB), {path}\n"
            )
            stop.wait()
            server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
