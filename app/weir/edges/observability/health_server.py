"""The pages a worker serves for machines: /metrics, /live and /ready, from a thread of their own.

Not Faust's web server: that one shares the event loop with the agents, and a probe must answer while a batch runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TypeAlias

import structlog
from prometheus_client.exposition import choose_encoder

from weir.core.errors import Unavailable
from weir.setting_groups import TelemetrySettings
from weir.telemetry import Telemetry

Check: TypeAlias = Callable[[], tuple[bool, str]]
IDLE_S = 10.0  # a client that sends nothing is dropped; scrapers and probes answer within one second

log = structlog.get_logger(__name__)


def running() -> tuple[bool, str]:
    """A process that answers is alive."""
    return True, "running"


class HealthServer:
    """Serves the pages from construction until `close`.

    ready: (True, what) when the worker polls for work, (False, what it waits for) otherwise; called for each probe,
    from other threads, and must not block. live: the same; False asks the supervisor for a restart.
    Raises Unavailable when settings.http_port cannot be bound.
    """

    def __init__(self, settings: TelemetrySettings, telemetry: Telemetry, ready: Check, live: Check = running) -> None:
        address = (settings.http_host, settings.http_port)
        try:
            self._server = ThreadingHTTPServer(address, _handler(telemetry, {"/ready": ready, "/live": live}))
        except OSError as error:
            raise Unavailable(
                f"the metrics port cannot be bound: {error.strerror}",
                where=f"{settings.http_host}:{settings.http_port}",
                remedy="set WEIR_HTTP_PORT to a free port, or to 0 to have one chosen",
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://{settings.http_host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> HealthServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _handler(telemetry: Telemetry, checks: dict[str, Check]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_S
        server_version = "weir"
        sys_version = ""  # the interpreter's version is nobody's business

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(HTTPStatus.OK, encode(telemetry.registry), content_type)
            elif path in checks:
                good, text = _ask(path, checks[path])
                status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, f"{text}\n".encode(), "text/plain; charset=utf-8")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"/metrics, /live, /ready\n", "text/plain; charset=utf-8")

        do_HEAD = do_GET

        def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            log.debug("http", line=format % args)

    return Handler


def _ask(path: str, check: Check) -> tuple[bool, str]:
    try:
        return check()
    except Exception as error:
        # A probe that cannot tell is a probe that failed; the supervisor must hear so, and the log why.
        log.exception("health check failed", path=path)
        return False, f"the check itself failed: {error!r}"
