"""Plain values, as JSON has them, as rows of a contract."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
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
    """The value as Arrow takes it without changing it. Raises ValueError for one that it would change."""
    given = record.get(field.name)
    if pa.types.is_timestamp(field.type) and isinstance(given, str):
        return datetime.fromisoformat(given)
    if isinstance(given, bool) and not pa.types.is_boolean(field.type):
        raise ValueError(f"it is {str(given).lower()}")
    if isinstance(given, float) and (pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type)):
        if not given.is_integer():
            raise ValueError(f"{given} is no whole number")
        return int(given)
    if isinstance(given, int | float) and pa.types.is_floating(field.type):
        largest = float(np.finfo(field.type.to_pandas_dtype()).max)
        if math.isfinite(given) and abs(given) > largest:
            raise ValueError(f"{given} is above {largest:g}")
    return given
