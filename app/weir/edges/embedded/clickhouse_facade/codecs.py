"""Content encodings, both ways, with a bound on what a compressed body may grow to."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Protocol

import lz4.frame

from weir.edges.embedded.clickhouse_facade.faults import (
    BAD_ARGUMENTS,
    REQUEST_TOO_LARGE,
    UNKNOWN_COMPRESSION_METHOD,
    Fault,
)

try:
    from backports import zstd
except ImportError:  # optional: no client asks for it by default
    zstd = None  # type: ignore[assignment]  # None says "not installed" below


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "deflate": zlib.decompressobj,
    "lz4": lz4.frame.LZ4FrameDecompressor,
}
_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "gzip": lambda data: gzip.compress(data, 1),
}
if zstd is not None:
    _DECOMPRESSORS["zstd"] = zstd.ZstdDecompressor
    _COMPRESSORS["zstd"] = lambda data: zstd.compress(data, 1)

_ERRORS: tuple[type[Exception], ...] = (
    zlib.error,
    RuntimeError,
    EOFError,
    *(() if zstd is None else (zstd.ZstdError,)),
)


def decompress(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain bytes of a body.

    encoding: the Content-Encoding header; "" and "identity" mean plain.
    max_bytes: of the result; a small body that unpacks to more is refused before it does.

    Raises Fault for an unknown encoding, damaged data, and a result above max_bytes.

    >>> decompress(gzip.compress(b"SELECT 1"), "gzip", 100)
    b'SELECT 1'
    """
    if encoding in ("", "identity"):
        return data
    make = _DECOMPRESSORS.get(encoding)
    if make is None:
        raise Fault(UNKNOWN_COMPRESSION_METHOD, "UNKNOWN_COMPRESSION_METHOD", f"Unknown content encoding {encoding!r}")
    machine = make()
    try:
        plain = machine.decompress(data, max_bytes + 1)
    except _ERRORS as error:
        raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The body is not valid {encoding}: {error}") from error
    if len(plain) > max_bytes:
        raise Fault(REQUEST_TOO_LARGE, "REQUEST_TOO_LARGE", f"The body unpacks to more than {max_bytes} bytes")
    if not machine.eof:
        raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The {encoding} body ends too early")
    if machine.unused_data:
        raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The {encoding} body goes on after its end; send it as one part")
    return plain


def choose(accept: str) -> str:
    """The first encoding of an Accept-Encoding header that can be made here; "" when there is none.

    >>> choose("br, gzip;q=0.5"), choose("br"), choose("gzip;q=0")
    ('gzip', '', '')
    """
    for offer in accept.split(","):
        name, _, quality = offer.strip().partition(";")
        if name.strip() in _COMPRESSORS and quality.replace(" ", "") not in ("q=0", "q=0.0"):
            return name.strip()
    return ""


def compress(data: bytes, encoding: str) -> bytes:
    """A body under one of the encodings that `choose` names."""
    return _COMPRESSORS[encoding](data)
