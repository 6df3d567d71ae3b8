"""Content encodings, both ways: piece by piece out, with a bound on what a compressed body may grow to in."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import lz4.block
import lz4.frame

from weir.edges.embedded.clickhouse_facade.faults import (
    BAD_ARGUMENTS,
    REQUEST_TOO_LARGE,
    UNKNOWN_COMPRESSION_METHOD,
    Fault,
)

try:
    from backports import zstd
except ImportError:  # a Python for which there is no build
    zstd = None  # type: ignore[assignment]  # None says "not installed" below

__all__ = ["ERRORS", "Encoder", "choose", "decompress", "encoder", "zstd"]


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
if zstd is not None:
    _DECOMPRESSORS["zstd"] = zstd.ZstdDecompressor


class Encoder:
    """Passes a body on as it is; the others change it piece by piece."""

    def add(self, data: bytes) -> bytes:
        """What can be sent after this piece; b"" while more is needed."""
        return data

    def end(self) -> bytes:
        """What is left to be sent."""
        return b""


class _Deflate(Encoder):
    def __init__(self, window_bits: int) -> None:
        self._machine = zlib.compressobj(1, zlib.DEFLATED, window_bits)

    def add(self, data: bytes) -> bytes:
        return self._machine.compress(data)

    def end(self) -> bytes:
        return self._machine.flush()


class _Lz4(Encoder):
    def __init__(self) -> None:
        self._machine = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def add(self, data: bytes) -> bytes:
        head = b"" if self._begun else bytes(self._machine.begin())
        self._begun = True
        return head + bytes(self._machine.compress(data))

    def end(self) -> bytes:
        return self.add(b"") + bytes(self._machine.flush())


class _Zstd(Encoder):
    def __init__(self) -> None:
        self._machine = zstd.ZstdCompressor(level=1)

    def add(self, data: bytes) -> bytes:
        return bytes(self._machine.compress(data))

    def end(self) -> bytes:
        return bytes(self._machine.flush())


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "gzip": lambda: _Deflate(zlib.MAX_WBITS | 16),
    "deflate": lambda: _Deflate(zlib.MAX_WBITS),
    "lz4": _Lz4,
    **({} if zstd is None else {"zstd": _Zstd}),
}

# What a damaged body makes them raise.
ERRORS: tuple[type[Exception], ...] = (
    zlib.error,
    RuntimeError,
    EOFError,
    lz4.block.LZ4BlockError,
    *(() if zstd is None else (zstd.ZstdError,)),
)


def decompress(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain bytes of a body.

    encoding: the Content-Encoding header; "" and "identity" mean plain.
    max_bytes: of the result; a small body that unpacks to more is refused before it does.

    Raises Fault for an unknown encoding, damaged data, and a result above max_bytes.

    >>> decompress(zlib.compress(b"SELECT 1"), "deflate", 100)
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
    except ERRORS as error:
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
        if name.strip() in _ENCODERS and quality.replace(" ", "") not in ("q=0", "q=0.0"):
            return name.strip()
    return ""


def encoder(encoding: str) -> Encoder:
    """For one of the encodings that `choose` names; "" passes everything on."""
    return _ENCODERS[encoding]() if encoding else Encoder()
