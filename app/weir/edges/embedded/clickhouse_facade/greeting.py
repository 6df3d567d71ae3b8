"""The first statement of clickhouse-go, and with it of Grafana, answered so that its later ones can be understood."""

from __future__ import annotations

_ASKED = b"displayName(), version(), revision(), timezone()"
# Native block info: is_overflows = 0, bucket_num = -1, end. Source: ClickHouse, src/Core/BlockInfo.cpp.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"


def is_greeting(sql: bytes) -> bool:
    """Whether this is clickhouse-go's hello, which it reads in its own protocol revision whatever the server speaks."""
    return _ASKED in sql[:80]


def block(version: str, timezone: str) -> bytes:
    """One row in Native of revision 54460: display name, version, revision 0, time zone.

    Revision 0 is announced because the engine's Native is that of revision 0; the client then reads all results so.
    Source: clickhouse-go, conn_http.go (queryHello) and lib/proto/block.go (Decode).
    """
    columns = (
        (b"displayName()", b"String", _text(b"weir")),
        (b"version()", b"String", _text(version.encode())),
        (b"revision()", b"UInt32", b"\0\0\0\0"),
        (b"timezone()", b"String", _text(timezone.encode())),
    )
    named = (_text(name) + _text(kind) + b"\0" + value for name, kind, value in columns)  # \0: no custom serialisation
    return _BLOCK_INFO + bytes([len(columns), 1]) + b"".join(named)


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value  # the length is one byte below 128
