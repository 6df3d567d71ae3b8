"""Reading that hold more than a row -> bodies of what is read of them, record by record.

A row is one column a field. Where a writer has arrays, maps, nested records or unions of several types, its bodies are
walked: fields that nobody reads are left out, a union of several types becomes the one that is read. What comes out
goes the way of all other records. Every item takes at least a byte or is counted only, so that no count in a body makes
the walk longer than the body.
Source: Avro 1.12 specification, binary encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from weir.wire.avro_scalar import literal
from weir.wire.avro_types import Type
from weir.wire.resolve import unreadable
from weir.wire.shape import FieldShape, Kind

T = TypeVar("T")

_SIZE: Final[Mapping[str, int]] = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_NULL, _VALUE = b"\0", b"\2"  # branches of ["null", T]


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one written field: kept as it is, left out, or read and written anew.

    into: the field as which it is written anew, nullable and null first; None otherwise.
    """

    name: str
    written: Type
    keep: bool
    into: FieldShape | None = None


def strip(body: bytes, steps: tuple[Step, ...]) -> bytes:
    """The body with every step taken. Raises ValueError saying why it does not fit."""
    parts, at = [], 0
    try:
        for step in steps:
            start, at = at, _end(step.written, body, at)
            if step.keep:
                parts.append(body[start:at])
            elif step.into is not None:
                parts.append(_rewritten(step.into, step.written, body, start, at))
    except IndexError:
        raise ValueError("the body does not fit its schema: it ends too early") from None
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    if at != len(body):
        raise ValueError("the body has bytes left over")
    return b"".join(parts)


def _end(written: Type, body: bytes, at: int) -> int:
    """Where the value that begins at `at` ends. Raises IndexError past the body's end, ValueError for a misfit."""
    kind = written.kind
    if kind in _SIZE:
        at += _SIZE[kind]
    elif kind in ("int", "long"):
        at = _long(body, at)[1]
    elif kind in ("string", "bytes"):
        length, at = _long(body, at)
        if length < 0:
            raise ValueError(f"the body does not fit its schema: a {kind} of {length} bytes")
        at += length
    elif kind == "fixed":
        at += written.size
    elif kind == "enum":
        at = _chosen(written.symbols, "symbol", body, at)[1]
    elif kind == "union":
        branch, at = _chosen(written.of, "branch", body, at)
        at = _end(branch, body, at)
    elif kind == "record":
        for inner in written.of:
            at = _end(inner, body, at)
    else:
        at = _end_of_blocks(written, body, at)
    if at > len(body):
        raise IndexError
    return at


def _end_of_blocks(written: Type, body: bytes, at: int) -> int:
    """The end of an array or a map."""
    (item,) = written.of
    while True:
        count, at = _long(body, at)
        if not count:
            return at
        if count < 0:  # the block says its own size
            size, at = _long(body, at)
            if size < 0:
                raise ValueError(f"the body does not fit its schema: a block of {size} bytes")
            at += size
            continue
        for _ in range(count):
            before = at
            if written.kind == "map":
                length, at = _long(body, at)
                if length < 0:
                    raise ValueError(f"the body does not fit its schema: a key of {length} bytes")
                at += length
            at = _end(item, body, at)
            if at == before:
                break  # items without bytes, however many


def _rewritten(field: FieldShape, written: Type, body: bytes, start: int, end: int) -> bytes:
    """A value of a union as the field. Raises ValueError when its branch cannot be read so."""
    branch, at = _chosen(written.branches, "branch", body, start) if written.kind == "union" else (written, start)
    if branch.kind == "null":
        return _NULL  # whether the reader takes it, is looked at when all are columns
    if why := unreadable(field, branch):
        raise ValueError(why)
    value: object = body[at:end]
    if branch.kind in ("string", "bytes"):
        value = body[_long(body, at)[1] : end]
    elif branch.kind in ("int", "long"):
        value = _long(body, at)[0]
    elif branch.kind == "enum":
        value = _chosen(branch.symbols, "symbol", body, at)[0]
    elif branch.kind in ("float", "double"):
        value = _float(branch.kind, body[at:end])
    elif branch.kind == "map":
        value = dict(_entries(branch.of[0].kind, body, at, field.name))
    else:  # boolean
        value = body[at] == 1
    return _VALUE + literal(field.required, _as(field.kind, value, field.name))


def _entries(kind: str, body: bytes, at: int, name: str) -> Iterator[tuple[str, float]]:
    """Names and numbers of a map whose values are of a primitive kind. Raises ValueError for a name that is no text."""
    while True:
        count, at = _long(body, at)
        if count < 0:
            _, at = _long(body, at)
        for _ in range(abs(count)):
            length, start = _long(body, at)
            at = start + length
            key = _as(Kind.STRING, body[start:at], name)
            end = _end(Type(kind), body, at)
            yield str(key), float(_long(body, at)[0]) if kind in ("int", "long") else _float(kind, body[at:end])
            at = end
        if not count:
            return


def _float(kind: str, octets: bytes) -> float:
    return float(np.frombuffer(octets, "<f4" if kind == "float" else "<f8")[0])


def _as(kind: Kind, value: object, name: str) -> object:
    """A value as the type that `literal` takes for the kind. Raises ValueError for bytes that are no text."""
    if kind is Kind.STRING and isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError(f"field {name} is not UTF-8") from None
    if kind in (Kind.FLOAT, Kind.DOUBLE) and isinstance(value, int | float):
        with np.errstate(over="ignore"):
            return float(np.float32(value)) if kind is Kind.FLOAT else float(value)
    return value


def _chosen(choices: Sequence[T], what: str, body: bytes, at: int) -> tuple[T, int]:
    index, at = _long(body, at)
    if not 0 <= index < len(choices):
        raise ValueError(f"the body does not fit its schema: {what} {index} of {len(choices)}")
    return choices[index], at


def _long(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = body[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift > 63:
            raise ValueError("the body does not fit its schema: a number of more than 64 bits")
