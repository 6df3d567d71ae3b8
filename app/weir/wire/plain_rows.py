"""Plain values, as JSON has them, as rows of a contract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa


def defaults(contract: str) -> dict[str, Any]:
    """The default of each field of a contract that has one. contract: Avro JSON text of a record."""
    return {field["name"]: field["default"] for field in json.loads(contract)["fields"] if "default" in field}


def rows(schema: pa.Schema, records: Sequence[Mapping[str, Any]]) -> tuple[pa.RecordBatch, dict[int, str]]:
    """The records that fit as columns, in their order, and what is wrong with each other one, by its index.

    schema: of the contract. records: values by field; times as milliseconds since the epoch or in ISO 8601. A field
    that is not given is null.
    """
    faults = {i: fault for i, record in enumerate(records) if (fault := _fault(schema, record))}
    good = [record for i, record in enumerate(records) if i not in faults]
    columns = [pa.array([_value(field, record) for record in good], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema), faults


def _fault(schema: pa.Schema, record: Mapping[str, Any]) -> str:
    """What is wrong with a record; empty for nothing."""
    if unknown := [str(name) for name in record if name not in schema.names]:
        return f"the contract has no field {', '.join(unknown)}; it has {', '.join(schema.names)}"
    for field in schema:
        if record.get(field.name) is None and not field.nullable:
            return f"field {field.name} must have a value"
        try:
            pa.array([_value(field, record)], field.type)
        except (ValueError, TypeError, OverflowError) as error:
            return f"field {field.name} is no {field.type}: {error}"
    return ""


def _value(field: pa.Field, record: Mapping[str, Any]) -> Any:
    """Raises ValueError for a text that is no time where one is wanted."""
    given = record.get(field.name)
    if isinstance(given, str) and pa.types.is_timestamp(field.type):
        return datetime.fromisoformat(given)
    return given
