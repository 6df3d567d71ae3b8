"""Reading a request's body: by length or in chunks, never more than the bound."""

from __future__ import annotations

import io
import re
from email.message import Message

from weir.edges.embedded.clickhouse_facade.codecs import decompress
from weir.edges.embedded.clickhouse_facade.faults import BAD_ARGUMENTS, HTTP_LENGTH_REQUIRED, REQUEST_TOO_LARGE, Fault

LINE_BYTES = 8_192  # of a chunk's size line and of a trailer line
LENGTH_DIGITS = 18  # of a Content-Length; Python refuses to read numbers of thousands of them
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")


def read(stream: io.BufferedIOBase, headers: Message, max_bytes: int) -> bytes:
    """The body as it was before any content encoding.

    max_bytes: bounds the body as sent and as unpacked.

    Raises Fault when the body is too long, cut off, wrongly framed or wrongly encoded; framing faults ask to close the
    connection, since the next request's start is then unknown.
    """
    if headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
        raw = _chunks(stream, max_bytes)
    elif headers.get("Transfer-Encoding"):
        raise Fault(HTTP_LENGTH_REQUIRED, "HTTP_LENGTH_REQUIRED", "Unknown transfer encoding", close=True)
    else:
        raw = _exactly(stream, _length(headers.get("Content-Length", "0"), max_bytes))
    return decompress(raw, headers.get("Content-Encoding", "").strip().lower(), max_bytes)


def _length(text: str, max_bytes: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Fault(
            HTTP_LENGTH_REQUIRED, "HTTP_LENGTH_REQUIRED", f"Content-Length is not a number: {text!r}", close=True
        )
    if len(text) > LENGTH_DIGITS or int(text) > max_bytes:
        raise _too_large(max_bytes)
    return int(text)


def _exactly(stream: io.BufferedIOBase, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The body ends after {len(data)} of {size} bytes", close=True)
    return data


def _chunks(stream: io.BufferedIOBase, max_bytes: int) -> bytes:
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
        parts.append(_exactly(stream, size))
        if stream.readline(LINE_BYTES) not in (b"\r\n", b"\n"):
            raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", "A chunk does not end where it said", close=True)
    while stream.readline(LINE_BYTES) not in (b"\r\n", b"\n", b""):
        pass  # trailers are allowed, and none is known
    return b"".join(parts)


def _too_large(max_bytes: int) -> Fault:
    return Fault(
        REQUEST_TOO_LARGE, "REQUEST_TOO_LARGE", f"The body is above {max_bytes} bytes; send smaller blocks", close=True
    )
