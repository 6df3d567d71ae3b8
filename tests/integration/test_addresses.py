"""An address at which something else answers: said so, once, and nobody is told to start it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from weir.core.errors import Refused, Unavailable, WeirError
from weir.edges.clickhouse.client import connect
from weir.edges.schemas.registry import Registry
from weir.settings import load

pytestmark = pytest.mark.one_broker("tansu")


@contextmanager
def answering(status: int, body: bytes, kind: str = "text/html") -> Iterator[str]:
    """Address of a server that says the same to everybody."""

    class Same(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def ask_clickhouse(url: str) -> None:
    connect(load(clickhouse_url=url).recording)


def ask_registry(url: str) -> None:
    registry = Registry(load(registry_url=url).registry)
    try:
        registry.contract("x-value")
    finally:
        registry.close()


ASK = {"ClickHouse": ask_clickhouse, "schema registry": ask_registry}


@pytest.mark.parametrize("service", ASK)
@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>hello</html>"), (404, b"<html>hello</html>"), (501, b"no"), (302, b""), (200, b"{}"), (200, b"[]")],
)
def test_what_is_another_service_is_refused(service: str, status: int, body: bytes) -> None:
    with answering(status, body) as url, pytest.raises(Refused, match=f"there is not .*{service}") as said:
        ASK[service](url)
    assert str(said.value).count(url) == 1
    assert "start it" not in str(said.value)


@pytest.mark.parametrize("service", ASK)
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_gateway_before_a_service_that_is_away_is_waited_for(service: str, status: int) -> None:
    with answering(status, b"<html>bad gateway</html>") as url, pytest.raises(Unavailable) as said:
        ASK[service](url)
    assert str(said.value).count(url) == 1


def test_a_registry_is_not_clickhouse_nor_clickhouse_a_registry(stack) -> None:
    with pytest.raises(WeirError, match="not a schema registry") as said:
        ask_registry(stack.settings.recording.clickhouse_url)
    assert isinstance(said.value, Refused)
    with pytest.raises(Refused, match="not ClickHouse"):
        ask_clickhouse(stack.settings.registry.registry_url)
