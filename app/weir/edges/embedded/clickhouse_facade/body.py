"""Reading a request's body: by length or in chunks, never more than the bound, nor all of them together."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message

from weir.edges.embedded.clickhouse_facade.codecs import decompress
from weir.edges.embedded.clickhouse_facade.faults import (
    BAD_ARGUMENTS,
    HTTP_LENGTH_REQUIRED,
    REQUEST_TOO_LARGE,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    Fault,
)

LINE_BYTES = 8_192  # of a chunk's size line and of a trailer line
PIECE_BYTES = 1 << 20
LENGTH_DIGITS = 18  # of a Content-Length; Python refuses to read numbers of thousands of them
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")


Take = Callable[[int], None]


class Room:
    """Bytes that the bodies of all requests may hold at once."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = threading.Lock()

    @contextmanager
    def share(self) -> Iterator[Take]:
        """A function that takes bytes for one request; all are given back when the block ends.

        It raises Fault when there are none left.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            with self._lock:
                if size > self._free:
                    text = "The bodies of other requests fill the memory for them; try again"
                    raise Fault(TOO_MANY_SIMULTANEOUS_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", text, close=True)
                self._free -= size
                taken += size

        try:
            yield take
        finally:
            with self._lock:
                self._free += taken


def read(stream: io.BufferedIOBase, headers: Message, max_bytes: int, take: Take = lambda size: None) -> bytes:
    """The body as it was before any content encoding.

    max_bytes: bounds the body as sent and as unpacked.
    take: called with the bytes that come in, before they are kept.

    Raises Fault when the body is too long, cut off, wrongly framed or wrongly encoded; framing faults ask to close the
    connection, since the next request's start is then unknown.
    """
    if headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
        raw = _chunks(stream, max_bytes, take)
    elif headers.get("Transfer-Encoding"):
        raise Fault(HTTP_LENGTH_REQUIRED, "HTTP_LENGTH_REQUIRED", "Unknown transfer encoding", close=True)
    else:
        raw = _exactly(stream, _length(headers.get("Content-Length", "0"), max_bytes), take)
    encoding = headers.get("Content-Encoding", "").strip().lower()
    plain = decompress(raw, encoding, max_bytes)
    if plain is not raw:
        take(len(plain))
    return plain


def _length(text: str, max_bytes: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Fault(
            HTTP_LENGTH_REQUIRED, "HTTP_LENGTH_REQUIRED", f"Content-Length is not a number: {text!r}", close=True
        )
    if len(text) > LENGTH_DIGITS or int(text) > max_bytes:
        raise _too_large(max_bytes)
    return int(text)


def _exactly(stream: io.BufferedIOBase, size: int, take: Take) -> bytes:
    parts: list[bytes] = []
    left = size
    while left:  # piece by piece: a length alone takes no memory
        part = stream.read(min(left, PIECE_BYTES))
        if not part:
            break
        take(len(part))
        parts.append(part)
        left -= len(part)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if left:
        raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The body ends after {len(data)} of {size} bytes", close=True)
    return data


def _chunks(stream: io.BufferedIOBase, max_bytes: int, take: Take) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        size_text = stream.readline(LINE_BYTES).split(b";")[0].strip()
        if not _HEX.fullmatch(size_text):  # also "-1", which would read without a bound
            raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"Not a chunk size: {size_text[:20]!r}", close=True)
        size = int(size_text, 16)
        if size == 0:
            break
        total += size
        if total > max_bytes:
            raise _too_large(max_bytes)
        parts.append(_exactly(stream, size, take))
        if stream.readline(LINE_BYTES) not in (b"\r\n", b"\n"):
            raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", "A chunk does not end where it said", close=True)
    while stream.readline(LINE_BYTES) not in (b"\r\n", b"\n", b""):
        pass  # trailers are allowed, and none is known
    return b"".join(parts)


def _too_large(max_bytes: int) -> Fault:
    return Fault(
        REQUEST_TOO_LARGE, "REQUEST_TOO_LARGE", f"The body is above {max_bytes} bytes; send smaller blocks", close=True
    )
