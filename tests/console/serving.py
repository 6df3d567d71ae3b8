"""A console on a port of its own, for as long as somebody looks at it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.waiting import START_S, WAIT_S, until

if TYPE_CHECKING:
    from weir.web.console.site import Site


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """Its address."""
    import uvicorn
    from weir.web.console.app import make

    server = uvicorn.Server(uvicorn.Config(make(site), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, name="console", daemon=True)
    thread.start()
    until(lambda: server.started, START_S, "the console")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
