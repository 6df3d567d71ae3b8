"""Avro schemas as others write them, of any shape; the flat ones of our own contracts are in wire.shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from weir.core.errors import Refused
from weir.wire import schema_json

PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_ITEMS: Final = {"array": "items", "map": "values"}
MAX_SIZE: Final = 2**31 - 1  # of a fixed, bytes, as Avro in Java has it
REMEDY: Final = "register a schema that the topic's subject accepts"


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """One Avro type.

    kind: name of a primitive, or record, enum, fixed, array, map, union.
    name: full name of a record, an enum or a fixed.
    logical: its logical type, whether or not anybody knows it.
    of: types of a record's fields, branches of a union, or the one of an array's items or a map's values.
    fields: names of a record's fields, in the order of `of`.
    symbols: of an enum. size: of a fixed, bytes.
    """

    kind: str
    name: str = ""
    logical: str = ""
    of: list[Type] = field(default_factory=list)  # filled after the record is made: it may hold itself
    fields: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0

    def __str__(self) -> str:
        if self.kind == "union":
            return f"[{', '.join(map(str, self.of))}]"
        if self.kind in _ITEMS:
            return f"{self.kind} of {self.of[0]}"
        return self.logical or (f"{self.kind} {self.name}" if self.name else self.kind)

    @property
    def branches(self) -> list[Type]:
        """Of a union its branches, else the type itself."""
        return self.of if self.kind == "union" else [self]


def parse(text: str) -> Type:
    """The type that a schema's JSON text describes. Raises Refused saying what is wrong with it.

    >>> str(parse('["null", {"type": "enum", "name": "E", "namespace": "n", "symbols": ["A"]}]'))
    '[null, enum n.E]'
    """
    try:
        return _type(schema_json.load(text), "", {})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused(f"it is no Avro schema ({error})", remedy=REMEDY) from error


def unqualified(name: str) -> str:
    """A full name without its namespace."""
    return name.rpartition(".")[2]


def _type(raw: Any, namespace: str, names: dict[str, Type]) -> Type:
    if isinstance(raw, list):
        return Type("union", of=[_type(branch, namespace, names) for branch in raw])
    if isinstance(raw, str):
        return Type(raw) if raw in PRIMITIVES else names[raw if raw in names else _full(raw, namespace)]
    kind = raw["type"]
    if kind in ("record", "error", "enum", "fixed"):
        return _named(raw, namespace, names)
    if isinstance(kind, str) and kind in _ITEMS:
        return Type(kind, of=[_type(raw[_ITEMS[kind]], namespace, names)])
    found = _type(kind, namespace, names)
    return replace(found, logical=str(raw.get("logicalType", ""))) if kind in PRIMITIVES else found


def _named(raw: dict[str, Any], namespace: str, names: dict[str, Type]) -> Type:
    name = _full(raw["name"], raw.get("namespace", namespace))
    if raw["type"] == "enum":
        names[name] = Type("enum", name, symbols=tuple(raw["symbols"]))
    elif raw["type"] == "fixed":
        names[name] = Type("fixed", name, size=_size(name, raw["size"]), logical=raw.get("logicalType", ""))
    else:
        names[name] = found = Type("record", name, fields=tuple(_field_names(raw["fields"])))
        inner = name.rpartition(".")[0]
        found.of.extend(_type(item["type"], inner, names) for item in raw["fields"])
    return names[name]


def _size(name: str, raw: Any) -> int:
    if type(raw) is not int or not 0 <= raw <= MAX_SIZE:
        raise ValueError(f"the size of fixed {name} is no number of bytes up to {MAX_SIZE}")
    return raw


def _field_names(fields: list[dict[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for item in fields:
        if item["name"] in seen:
            raise ValueError(f"two fields are called {item['name']}")
        seen.add(item["name"])
        yield item["name"]


def _full(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
