"""One record with some of its fields set anew, framed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from weir.wire import plain_rows
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder


def fields_of(decoder: Decoder, value: bytes | None) -> dict[str, Any] | None:
    """The fields of a record by name, however large it is; None when it does not decode. Raises Unavailable."""
    rows = decoder.decode(pa.array([value], pa.large_binary()), len(value or b"")).rows
    return dict(rows.to_pylist()[0]) if rows.num_rows else None


def repaired(decoder: Decoder, encoder: Encoder, value: bytes | None, fields: Mapping[str, Any]) -> bytes:
    """The record, under the contract of both, with `fields` in the place of what it said, or of what it lacks.

    fields: plain values as JSON has them; times as milliseconds since the epoch or in ISO 8601. A record that does not
    decode has no fields of its own: `fields` must then have all but those that may be null.
    Raises ValueError naming the field that is unknown, missing or of another type; Unavailable.
    """
    whole = {**(fields_of(decoder, value) or {}), **fields}
    rows, faults = plain_rows.rows(decoder.schema, [whole])
    if faults:
        raise ValueError(faults[0])
    return encoder.encode(rows)[0]
