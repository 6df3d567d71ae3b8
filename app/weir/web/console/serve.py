"""Serves the console until it is told to end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection

import structlog
import uvicorn

from weir.core.errors import Unavailable
from weir.edges.clickhouse.rights import RECIPE
from weir.settings import Settings
from weir.web.console.app import make
from weir.web.console.asking import Asker
from weir.web.console.security import doorman
from weir.web.console.site import Site

log = structlog.get_logger(__name__)

BACKLOG = 128
AT_ONCE = 200  # requests that are being answered; more are told to come again
IDLE_S = 30  # for which a connection without a request is kept


def serve(
    settings: Settings,
    host: str,
    port: int,
    *,
    names: Collection[str] = (),
    act: bool = False,
    told: Callable[[str], None],
) -> None:
    """Serve on an address until SIGINT or SIGTERM; port 0 takes a free one. told: gets the address of the overview.

    Raises Unavailable where the address is taken; Refused where it would be open to everybody, or what ClickHouse's
    reader may do is more than to read. A ClickHouse that is away may come later: pages say so, and look again then.
    """
    site = Site(
        settings=settings,
        asker=Asker(settings),
        doorman=doorman(host, names, settings.console.console_token.get_secret_value(), act=act),
    )
    _meet(site.asker)
    listener = _listen(host, port)
    name = f"[{host}]" if ":" in host else host
    told(f"http://{name}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(
        make(site),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=AT_ONCE,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=2,
        ws="none",
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _meet(asker: Asker) -> None:
    """Raises Refused."""
    try:
        unbounded = asker.meet()
    except Unavailable as error:
        log.warning("ClickHouse does not answer yet", why=str(error))
        return
    if unbounded:
        user = asker.settings.recording.clickhouse_reader
        said = f"ClickHouse's user {user} has no limit of these that holds: its questions may keep others waiting"
        log.warning(said, limits=", ".join(unbounded), remedy=f"{RECIPE} has them")


def _listen(host: str, port: int) -> socket.socket:
    """Raises Unavailable."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        raise Unavailable(
            f"the port of the console is taken: {error.strerror}",
            where=f"{host}:{port}",
            remedy="stop what listens there, or choose another with --port (0 takes any)",
        ) from error
