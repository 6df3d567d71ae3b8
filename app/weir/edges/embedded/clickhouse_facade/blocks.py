"""ClickHouse's own compression of a stream, in blocks with checksums: what its native clients ask for over HTTP too.

A block: 16 bytes CityHash128 of the rest, a byte for the method, two little-endian uint32 (the size from the method
on, the size unpacked), the packed data. Source: ClickHouse, src/Compression/CompressedReadBufferBase.cpp.
"""

from __future__ import annotations

import struct

import lz4.block
from clickhouse_cityhash.cityhash import CityHash128

from weir.edges.embedded.clickhouse_facade.codecs import ERRORS, Encoder, zstd
from weir.edges.embedded.clickhouse_facade.faults import (
    CANNOT_DECOMPRESS,
    CHECKSUM_DOESNT_MATCH,
    REQUEST_TOO_LARGE,
    UNKNOWN_COMPRESSION_METHOD,
    Fault,
)

BLOCK_BYTES = 1 << 20  # unpacked, of a block that is sent; ClickHouse's own max_compress_block_size
_CHECKSUM, _HEAD = 16, struct.Struct("<BII")
_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_METHODS = {"lz4": _LZ4, "zstd": _ZSTD, "none": _NONE}


def unpack(data: bytes, max_bytes: int) -> bytes:
    """The stream behind the blocks.

    max_bytes: of the stream; one that unpacks to more is refused before it does.

    Raises Fault for blocks that are cut off, damaged, of an unknown method, or more than max_bytes.
    """
    parts: list[bytes] = []
    at = total = 0
    while at < len(data):
        if len(data) - at < _CHECKSUM + _HEAD.size:
            raise Fault(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", "A compressed block ends within its head")
        method, packed_size, size = _HEAD.unpack_from(data, at + _CHECKSUM)
        packed = data[at + _CHECKSUM : at + _CHECKSUM + packed_size]
        if packed_size < _HEAD.size or len(packed) < packed_size:
            raise Fault(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", "A compressed block ends too early")
        total += size
        if total > max_bytes:
            raise Fault(REQUEST_TOO_LARGE, "REQUEST_TOO_LARGE", f"The body unpacks to more than {max_bytes} bytes")
        if data[at : at + _CHECKSUM] != _checksum(packed):
            text = "Checksum doesn't match: corrupted data"
            raise Fault(CHECKSUM_DOESNT_MATCH, "CHECKSUM_DOESNT_MATCH", text)
        parts.append(_plain(method, packed[_HEAD.size :], size))
        at += _CHECKSUM + packed_size
    return b"".join(parts)


def _plain(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            plain = lz4.block.decompress(packed, uncompressed_size=size)
        elif method == _ZSTD and zstd is not None:
            plain = zstd.ZstdDecompressor().decompress(packed, size + 1)
        elif method == _NONE:
            plain = packed
        else:
            text = f"Unknown compression method 0x{method:02x}"
            raise Fault(UNKNOWN_COMPRESSION_METHOD, "UNKNOWN_COMPRESSION_METHOD", text)
    except ERRORS as error:
        raise Fault(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"Cannot decompress: {error}") from error
    if len(plain) != size:
        raise Fault(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"A block of {size} bytes unpacks to {len(plain)}")
    return bytes(plain)


class Blocks(Encoder):
    """Packs a body into blocks.

    method: "lz4", "zstd" or "none", in any case. Raises Fault for every other one.
    """

    def __init__(self, method: str) -> None:
        self._method = method.lower() or "lz4"
        if self._method not in _METHODS or (self._method == "zstd" and zstd is None):
            text = f"Unknown compression method {method!r}: lz4, zstd or none"
            raise Fault(UNKNOWN_COMPRESSION_METHOD, "UNKNOWN_COMPRESSION_METHOD", text)
        self._held = bytearray()

    def add(self, data: bytes) -> bytes:
        """The blocks that are full."""
        self._held += data
        out = bytearray()
        while len(self._held) >= BLOCK_BYTES:
            out += self._block(bytes(self._held[:BLOCK_BYTES]))
            del self._held[:BLOCK_BYTES]
        return bytes(out)

    def end(self) -> bytes:
        """The last block."""
        last = bytes(self._held)
        self._held.clear()
        return self._block(last) if last else b""

    def _block(self, plain: bytes) -> bytes:
        if self._method == "lz4":
            packed = lz4.block.compress(plain, store_size=False)
        elif self._method == "zstd":
            packed = zstd.compress(plain, 1)
        else:
            packed = plain
        body = _HEAD.pack(_METHODS[self._method], len(packed) + _HEAD.size, len(plain)) + bytes(packed)
        return _checksum(body) + body


def _checksum(data: bytes) -> bytes:
    """CityHash128 of version 1.0.2: two little-endian uint64, of which the binding gives the first as the high one."""
    number = int(CityHash128(data))
    return struct.pack("<QQ", number >> 64, number & (1 << 64) - 1)
