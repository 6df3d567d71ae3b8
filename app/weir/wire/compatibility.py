"""Whether one Avro schema can read what another wrote."""

from __future__ import annotations

from typing import Final

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import Schema
from avro.schema import parse as parse_avro

from weir.wire import schema_json

_CHECKER: Final = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # its __init__ has no annotation


def parse(text: str) -> Schema:
    """The schema, checked by the official implementation. Raises ValueError saying what is wrong with it."""
    try:
        schema_json.load(text)
        return parse_avro(text)
    except (
        AvroException,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise ValueError(f"not an Avro schema: {error}") from error


def incompatibility(reader: str, writer: str) -> str | None:
    """Why `reader` cannot read what `writer` wrote, or None when it can. Both are Avro JSON texts.

    Source: Avro 1.12 specification, Schema Resolution, as the `avro` package checks it.
    """
    try:
        result = _CHECKER.get_compatibility(parse(reader), parse(writer))
    except ValueError as error:
        return str(error)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return None
    kinds = ", ".join(sorted(str(kind.value) for kind in result.incompatibilities))
    return f"{kinds} ({', '.join(sorted(result.messages))})"
