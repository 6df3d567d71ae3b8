"""A reverse proxy over TLS, as a company puts it before its services: a path of its own, and rights of its own."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit

from tests.kafka.secured import Authority
from tests.waiting import WAIT_S

HOP = {"host", "connection", "transfer-encoding", "content-length"}
FORBIDDEN = b"Code: 497. DB::Exception: u: Not enough privileges, CREATE DATABASE ON *.* is needed. (ACCESS_DENIED)"


@contextmanager
def gateway(target: str, path: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Forwards https://127.0.0.1:PORT/path/... to `target`; its address, and the authority of its certificate.

    Nobody may create a database through it, and nothing is found outside of the path.
    """
    behind = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.body()
            rest = self.path.removeprefix(path)
            if rest == self.path or rest[:1] not in ("", "/", "?"):
                return self.answer(404, [], b"no such path")
            if "CREATE DATABASE" in unquote_plus(self.path) + body.decode(errors="replace"):
                return self.answer(403, [("X-ClickHouse-Exception-Code", "497")], FORBIDDEN)
            kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            with closing(http.client.HTTPConnection(str(behind.hostname), behind.port, timeout=WAIT_S)) as connection:
                connection.request(self.command, rest if rest.startswith("/") else f"/{rest}", body, kept)
                answer = connection.getresponse()
                return self.answer(answer.status, answer.getheaders(), answer.read())

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = forward

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    authority = Authority.new(folder / "authority", "a company")
    certificate, key = authority.sign("gateway")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}{path}", authority.ca
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
