"""The stored key of an entity: its join key values as bytes, and back."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from weir.core.features import ViewPlan

Part = str | int | bytes | float | bool


def encode_key(parts: Sequence[Part]) -> bytes:
    """The stored key of one entity: its join key values in the order of `ViewPlan.join_keys`.

    A type letter before each value keeps 1 and "1" apart; with several values each is preceded by its length, so that
    ("a", "bc") and ("ab", "c") differ. Integers of any width make the same key.

    >>> encode_key(("Ann",)), encode_key((7,)), encode_key(("de", "Ann")), encode_key((b"x",)), encode_key((True,))
    (b'sAnn', b'i7', b'3 sde4 sAnn', b'bx', b't1')
    """
    encoded = [b"s" + part.encode() if isinstance(part, str) else _encode(part) for part in parts]
    if len(encoded) == 1:
        return encoded[0]
    return b"".join(b"%d %s" % (len(part), part) for part in encoded)


def decode_key(view: ViewPlan, key: bytes) -> tuple[Part, ...] | None:
    """The inverse of `encode_key`; None for a key that was too long to be kept (see `record_store.stored_key`).

    >>> view = ViewPlan("v", ("a", "b"), ("x",), ("bool",), 0.0)
    >>> decode_key(view, b"3 sUA2 i7"), decode_key(view, encode_key((b"3 s", 1.2)))
    (('UA', 7), (b'3 s', 1.2))
    """
    if key[:1] == b"#":
        return None
    parts, rest = [], key
    if len(view.join_keys) == 1:
        parts = [key]
    else:
        while rest:
            length, _, rest = rest.partition(b" ")
            parts.append(rest[: int(length)])
            rest = rest[int(length) :]
    return tuple(_decode(part) for part in parts)


def _encode(part: int | bytes | float | bool) -> bytes:
    if isinstance(part, bool):  # before int, of which it is one
        return b"t%d" % part
    if isinstance(part, int):
        return b"i%d" % part
    if isinstance(part, float):
        return b"d" + struct.pack(">d", part + 0.0)  # -0.0 is 0.0
    return b"b" + part


def _decode(part: bytes) -> Part:
    kind, value = part[:1], part[1:]
    if kind == b"s":
        return value.decode()
    if kind == b"i":
        return int(value)
    if kind == b"t":
        return value == b"1"
    if kind == b"d":
        number: float = struct.unpack(">d", value)[0]
        return number
    return value
