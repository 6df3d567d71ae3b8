"""The answer to one request: its head as late as it can be, its body piece by piece."""

from __future__ import annotations

import secrets
import tempfile
from http.server import BaseHTTPRequestHandler

from weir.edges.embedded.clickhouse_facade.codecs import Encoder
from weir.edges.embedded.clickhouse_facade.faults import NOT_ENOUGH_SPACE, Fault

TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
}
TEXT = "text/plain; charset=UTF-8"
# Held back before the head is sent, so that a statement that fails by then is answered with its error and nothing else.
HELD_BYTES = 1 << 20
HELD_ON_DISK_BYTES = 4 << 30  # where the client asks for all or nothing (wait_end_of_query)


class Reply:
    """Takes a result's pieces; small ones go out whole and with their counters, large ones in chunks as they come.

    head: of the answer; more can be added until it is sent.
    encoder: what the body goes through.
    whole: hold everything back until the statement has ended.
    """

    def __init__(self, request: BaseHTTPRequestHandler, head: dict[str, str], encoder: Encoder, *, whole: bool) -> None:
        self._request, self._head, self._encoder, self._whole = request, head, encoder, whole
        self._held = tempfile.SpooledTemporaryFile(HELD_BYTES)  # noqa: SIM115  closed in `close`
        self._size = 0
        self.begun = False

    def add(self, piece: bytes, name: str) -> None:
        """Take a piece of a result in the format of that name. Raises Fault when it cannot be held, OSError."""
        if not self.begun:
            self._head |= {"X-ClickHouse-Format": name, "Content-Type": TYPES.get(name, TEXT)}
        self._put(self._encoder.add(piece))

    def _put(self, data: bytes) -> None:
        if self._request.command == "HEAD":
            self._size += len(data)
        elif self.begun:
            self._chunk(data)
        elif self._whole or self._held.tell() + len(data) <= HELD_BYTES:
            if self._held.tell() + len(data) > HELD_ON_DISK_BYTES:
                text = f"The result is above {HELD_ON_DISK_BYTES} bytes; ask for it without wait_end_of_query"
                raise Fault(NOT_ENOUGH_SPACE, "NOT_ENOUGH_SPACE", text)
            self._held.write(data)
        else:
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        """The result is a long one: send the head and what was held back, then everything as it comes."""
        self.begun = True
        self._tag = secrets.token_hex(8)
        self._head["X-ClickHouse-Exception-Tag"] = self._tag
        self._chunked = self._request.request_version != "HTTP/1.0"
        if self._chunked:
            self._head["Transfer-Encoding"] = "chunked"
        else:
            self._request.close_connection = True  # the end of the connection is the end of the body
        self._send_head(200)
        self._held.seek(0)
        while piece := self._held.read(HELD_BYTES):
            self._chunk(piece)
        self._chunk(data)

    def _chunk(self, data: bytes) -> None:
        if data:
            self._request.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
            self._request.wfile.flush()

    def _send_head(self, status: int) -> None:
        self._request.send_response(status)
        for name, value in self._head.items():
            self._request.send_header(name, value)
        if self._request.close_connection:
            self._request.send_header("Connection", "close")
        self._request.end_headers()

    def end(self, counters: str) -> None:
        """The statement has ended well. counters: the summary as the header's value."""
        self._put(self._encoder.end())
        if self.begun:
            if self._chunked:
                self._request.wfile.write(b"0\r\n\r\n")
            return
        self._head.setdefault("Content-Type", TEXT)
        self._head["X-ClickHouse-Summary"] = counters
        self._head["Content-Length"] = str(self._size or self._held.tell())
        self._send_head(200)
        self._held.seek(0)
        while piece := self._held.read(HELD_BYTES):
            self._request.wfile.write(piece)

    def break_off(self, text: str) -> None:
        """The statement failed after part of its result was sent: say so as a server does, and end the connection.

        Source: ClickHouse, src/Server/HTTP/WriteBufferFromHTTPServerResponse.cpp.
        """
        said = text.encode()
        self._request.close_connection = True
        block = b"\r\n__exception__\r\n%b\r\n%b\n%d %b\r\n__exception__\r\n"
        tag = self._tag.encode()
        self._chunk(self._encoder.add(block % (tag, said, len(said) + 1, tag)) + self._encoder.end())
        self._request.wfile.flush()  # and no last chunk: no client takes this for the whole result

    def close(self) -> None:
        """Let go of what was held back."""
        self._held.close()
