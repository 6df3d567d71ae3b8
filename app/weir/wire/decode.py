"""Framed Avro records -> columns under one contract, and the records that do not fit as values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import buffers_of
from weir.core.contract import Contract
from weir.core.decoded import Decoded
from weir.core.errors import Refused
from weir.core.rejects import Reason, Rejects, Stage
from weir.wire import frame, shape
from weir.wire.avro_decode import Writer, clean, halve
from weir.wire.resolve import Faults


class Decoder:
    """Reads records of one topic under one contract, whatever version of it they were written with.

    reader: the contract that rows come out under. writers: schema id -> Avro text, None when the registry has none; may
    raise Unavailable. Raises Refused when the contract is not a flat record.
    A clean batch of one schema is one call of a compiled loop or of the Rust codec; each bad record costs about
    2 log2(n) smaller ones.
    """

    def __init__(self, reader: Contract, writers: Callable[[int], str | None]) -> None:
        self.reader = reader
        self.schema = shape.arrow_schema(reader.schema)
        self._writers = writers
        own = Writer.of(reader.schema, reader.schema)
        self._known: dict[int, Writer | str] = {reader.schema_id: own} if reader.schema_id >= 0 else {}

    def decode(self, values: pa.Array | Sequence[bytes | None], max_bytes: int) -> Decoded:
        """Columns of n records.

        values: large_binary[n] or as many bytes, null for a tombstone. max_bytes: larger records are OVERSIZED.
        Raises Unavailable when a schema id is new and the registry does not answer.
        """
        if not isinstance(values, pa.Array):
            values = pa.array(values, pa.large_binary())
        offsets, _ = buffers_of(values)
        if len(values) and not values.null_count and np.diff(offsets).max() <= max_bytes:
            decoded = self._clean(values)
            if decoded is not None:
                return decoded
        return self._sift(values, max_bytes)

    def _clean(self, values: pa.LargeBinaryArray) -> Decoded | None:
        """All n rows, when every record is good and has the first one's schema id; None when one is not."""
        schema_id, n = frame.schema_id(values), len(values)
        writer = None if schema_id is None else self._writer_of(schema_id)
        rows = clean(writer, schema_id, values) if isinstance(writer, Writer) and schema_id is not None else None
        if rows is None:
            return None
        return Decoded(rows, np.arange(n, dtype=np.int32), Rejects(), np.full(n, schema_id, np.int32))

    def _sift(self, values: pa.LargeBinaryArray, max_bytes: int) -> Decoded:
        """The same for records of any kind: what is wrong with each, and every schema's rows."""
        framed = frame.split(values, max_bytes)
        rejects = [framed.rejects]
        batches: list[pa.RecordBatch] = []
        origins: list[npt.NDArray[np.int32]] = []
        for schema_id in np.unique(framed.schema_id[framed.good]).tolist():
            members = np.flatnonzero(framed.good & (framed.schema_id == schema_id)).astype(np.int32)
            found = self._writer_of(schema_id)
            if isinstance(found, str):
                rejects.append(_same(members, Reason.UNKNOWN_SCHEMA, found))
                continue
            good, failed = halve(found, values.take(members) if len(members) < len(values) else values)
            batches += [batch for batch, _ in good]
            origins += [members[rows] for _, rows in good]
            rejects.append(_undecodable(members, failed))
        rows, origin = _in_record_order(self.schema, batches, origins)
        return Decoded(rows, origin, Rejects.concat(rejects), framed.schema_id[origin])

    def _writer_of(self, schema_id: int) -> Writer | str:
        """How to read records of this id, or why they cannot be read."""
        known = self._known.get(schema_id)
        if known is not None:
            return known
        # The registry client caches. A "no" is not kept here: the id may be registered a minute later.
        text = self._writers(schema_id)
        if text is None:
            return f"schema id {schema_id} is not registered"
        try:
            found: Writer | str = Writer.of(self.reader.schema, text)
        except Refused as refusal:
            found = f"schema id {schema_id} cannot be read as {self.reader.subject}: {refusal.what}"
        self._known[schema_id] = found
        return found


def _undecodable(members: npt.NDArray[np.int32], failed: Faults) -> Rejects:
    at = sorted(failed)
    reasons, details = [failed[i][0] for i in at], [failed[i][1] for i in at]
    return Rejects(members[np.array(at, np.int64)], (Stage.DECODE,) * len(at), tuple(reasons), tuple(details))


def _same(members: npt.NDArray[np.int32], reason: Reason, detail: str) -> Rejects:
    count = len(members)
    return Rejects(members, (Stage.DECODE,) * count, (reason,) * count, (detail,) * count)


def _in_record_order(
    schema: pa.Schema, batches: list[pa.RecordBatch], origins: list[npt.NDArray[np.int32]]
) -> tuple[pa.RecordBatch, npt.NDArray[np.int32]]:
    if not batches:
        nothing = pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
        return nothing, np.empty(0, np.int32)
    if len(batches) == 1:
        return batches[0], origins[0]
    rows, origin = pa.concat_batches(batches), np.concatenate(origins)
    if (np.diff(origin) > 0).all():
        return rows, origin
    order = np.argsort(origin)
    return rows.take(pa.array(order)), origin[order]
