"""Single values as Avro writes them: for what is the same in all rows, and for lengths."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from weir.wire.shape import FieldShape, Kind


def zigzag(number: int) -> bytes:
    r"""An Avro int or long. Source: Avro 1.12 specification, binary encoding of primitive types.

    >>> zigzag(64), zigzag(-1)
    (b'\x80\x01', b'\x01')
    """
    left, octets = (number << 1) ^ (number >> 63), bytearray()
    while left > 0x7F:
        octets.append(left & 0x7F | 0x80)
        left >>= 7
    octets.append(left)
    return bytes(octets)


def _counted(octets: bytes) -> bytes:
    return zigzag(len(octets)) + octets


def _map(amounts: Mapping[str, float]) -> bytes:
    entries = [_counted(name.encode()) + struct.pack("<d", amount) for name, amount in amounts.items()]
    return b"".join((zigzag(len(entries)), *entries, b"\0" if entries else b""))


# kind -> the Python type of its values, and how one is written
_WRITE: Final[Mapping[Kind, tuple[type, Callable[[Any], bytes]]]] = {
    Kind.STRING: (str, lambda value: _counted(value.encode())),
    Kind.BYTES: (bytes, _counted),
    Kind.BOOLEAN: (bool, lambda value: bytes([value])),
    Kind.FLOAT: (float, struct.Struct("<f").pack),
    Kind.DOUBLE: (float, struct.Struct("<d").pack),
    Kind.INT: (int, zigzag),
    Kind.LONG: (int, zigzag),
    Kind.TIMESTAMP_MILLIS: (int, zigzag),
    Kind.TIMESTAMP_MICROS: (int, zigzag),
    Kind.AMOUNTS: (dict, _map),
}


def literal(field: FieldShape, value: object) -> bytes:
    """A field with this value, see `writer`."""
    return writer(field)(value)


def writer(field: FieldShape) -> Callable[[object], bytes]:
    """Writes values of a field. Raises ValueError, when called, for one of another type, or too wide.

    A value is str, bytes, int, float, bool or dict as the field's kind says; a timestamp is an int since 1970; None is
    null.
    """
    kind, write = _WRITE[field.kind]
    end = 2 ** (31 if field.kind is Kind.INT else 63)
    null = zigzag(int(not field.null_first)) if field.nullable else None
    branch = zigzag(int(field.null_first)) if field.nullable else b""

    def written(value: object) -> bytes:
        if value is None and null is not None:
            return null
        if not isinstance(value, kind) or (isinstance(value, int) and not -end <= value < end):
            raise ValueError(f"column {field.name} is {field.kind.value}, and {value!r} is not")
        return branch + write(value)

    return written
