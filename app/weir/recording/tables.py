"""Decoded rows to the columns of ClickHouse's tables. The order of columns is free: an Arrow insert names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.chunk import Partition
from weir.core.errors import Refused
from weir.core.rejects import Reason, Rejects, Stage
from weir.core.times import EVENT_MS
from weir.recording import packed

# Digest -> (input names in signature order, view names in plan order). Raises Refused when unknown.
Names = Callable[[str], tuple[Sequence[str], Sequence[str]]]

FEATURES, AGES, STATUSES = np.dtype("<f4"), np.dtype("<i4"), np.dtype("i1")
UTC_MS = pa.timestamp("ms", tz="UTC")
UUID7 = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"


def predictions(rows: pa.RecordBatch, log: Partition, offsets: npt.NDArray[np.int64], names: Names) -> pa.RecordBatch:
    """Rows of table predictions from n rows of contract predictions.

    offsets: int64[n], where in `log` they were read. names: what the packed bytes mean, by bundle digest.
    Raises Refused when a digest is unknown or its names do not fit the bytes: the recorder then stands before the wrong
    bundles, and every further row would be recorded under wrong names.
    """
    digest = pc.dictionary_encode(rows["digest"])
    codes = digest.indices.to_numpy(zero_copy_only=False)
    groups: tuple[list, list, list] = ([], [], [])  # type: ignore[type-arg]  # the element type is packed.maps' argument
    for code, word in enumerate(digest.dictionary.to_pylist()):
        inputs, views = names(word)
        members = np.flatnonzero(codes == code)
        part = rows if len(members) == len(rows) else rows.take(pa.array(members))
        try:
            groups[0].append((members, inputs, packed.unpack(part["features"], FEATURES, len(inputs))))
            groups[1].append((members, views, packed.unpack(part["feature_age_s"], AGES, len(views))))
            groups[2].append((members, views, packed.unpack(part["feature_status"], STATUSES, len(views))))
        except ValueError as error:
            raise Refused(
                f"predictions of bundle {word} do not fit its names: {error}",
                where=f"{log.topic}[{log.partition}]",
                remedy="give the recorder the bundle with this digest (WEIR_BUNDLES_DIR)",
            ) from error
    grouped = {"features": groups[0], "feature_age_s": groups[1], "feature_status": groups[2]}
    columns = {name: rows[name] for name in rows.schema.names if name not in grouped}
    columns |= {name: packed.maps(group, len(rows)) for name, group in grouped.items()}
    columns["traceparent"] = pc.fill_null(rows["traceparent"], "")
    return _with_log(columns, log, offsets, times=("event_time", "scored_at"))


def outcomes(rows: pa.RecordBatch, log: Partition, offsets: npt.NDArray[np.int64], received_ms: int) -> pa.RecordBatch:
    """Rows of table outcomes from n rows of one block that passed `check_outcomes`. received_ms: broker time.

    Of several outcomes of one prediction only the last: the table would keep no other, and a repeat of the block must
    not find the others missing and insert them after it.
    """
    last = _last_of_each(pc.utf8_lower(rows["prediction_id"]))
    rows, offsets = rows.take(pa.array(last)), offsets[last]
    columns = {name: rows[name] for name in rows.schema.names}
    columns["received_at"] = pa.repeat(pa.scalar(received_ms, pa.int64()), len(rows)).cast(UTC_MS)
    return _with_log(columns, log, offsets, times=("occurred_at",))


def _last_of_each(words: pa.Array) -> npt.NDArray[np.int64]:
    """Where each distinct word comes last, ascending."""
    codes = pc.dictionary_encode(words).indices.to_numpy(zero_copy_only=False)
    _, from_the_end = np.unique(codes[::-1], return_index=True)
    return np.sort(len(codes) - 1 - from_the_end)


def check_outcomes(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract outcomes that cannot be joined or counted; `record` is the row number.

    The id must be a UUIDv7 of a time that a request can have, the label 0 or 1, the observation a number.
    """
    ids, label = rows["prediction_id"], rows["label"]
    is_id = pc.match_substring_regex(ids, UUID7)
    # Text of 48 bits of milliseconds since 1970, hexadecimal: equal length, so that text order is number order.
    stamp = pc.utf8_lower(pc.utf8_slice_codeunits(ids, 0, 13))
    low, high = (f"{time_ms:012x}" for time_ms in EVENT_MS)
    is_id = pc.and_(is_id, pc.and_(pc.greater_equal(stamp, _dashed(low)), pc.less(stamp, _dashed(high))))
    is_label = pc.is_in(label, value_set=pa.array([0.0, 1.0], label.type))
    faults = (
        (is_id, Reason.OUT_OF_RANGE, "prediction_id is not a UUIDv7"),
        (is_label, Reason.OUT_OF_RANGE, "label is neither 0 nor 1"),
        (pc.is_finite(rows["observed"]), Reason.NOT_A_NUMBER, "observed is not a number"),
    )
    reason: dict[int, tuple[Reason, str]] = {}
    for good, why, detail in reversed(faults):
        bad = np.flatnonzero(~pc.fill_null(good, False).to_numpy(zero_copy_only=False))
        reason.update((int(row), (why, detail)) for row in bad)
    record = sorted(reason)
    return Rejects(
        np.array(record, np.int32),
        (Stage.VALIDATE,) * len(record),
        tuple(reason[row][0] for row in record),
        tuple(reason[row][1] for row in record),
    )


def dead_letters(rows: pa.RecordBatch, log: Partition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table dead_letters from n rows of contract dead_letters."""
    columns = {name: rows[name] for name in rows.schema.names}
    return _with_log(columns, log, offsets, times=("rejected_at",))


def ledger(rows: pa.RecordBatch, log: Partition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table ledger from n rows of contract ledger that passed `check_ledger`."""
    columns = {name: rows[name] for name in rows.schema.names if name != "recorded_at"}
    columns["written_at"] = rows["recorded_at"]
    columns["holes"] = packed.ranges(rows["holes"])
    return _with_log(columns, log, offsets, times=("written_at",))


def check_ledger(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract ledger whose holes cannot be read; `record` is the row number."""
    size = pc.binary_length(rows["holes"]).to_numpy(zero_copy_only=False)
    bad = np.flatnonzero(size % packed.RANGE.itemsize).astype(np.int32)
    detail = tuple(f"holes = {size[row]} bytes, no pairs of int64" for row in bad.tolist())
    return Rejects(bad, (Stage.VALIDATE,) * len(bad), (Reason.OUT_OF_RANGE,) * len(bad), detail)


def turned_away(
    log: Partition,
    offsets: npt.NDArray[np.int64],
    rejects: Rejects,
    keys: pa.Array,
    values: pa.Array,
    rejected_ms: int,
) -> pa.RecordBatch:
    """Rows of table dead_letters for records that the recorder itself could not read; `service` is empty.

    offsets, keys, values: of the r rejected records. rejected_ms: broker time, so that a replay makes the same rows.
    """
    n = len(rejects)
    columns = {
        "source_topic": _constant(log.topic, n),
        "source_partition": pa.array(np.full(n, log.partition, np.int32)),
        "source_offset": pa.array(offsets),
        "service": _constant("", n),
        "stage": pa.array([stage.value for stage in rejects.stage], pa.string()),
        "reason": pa.array([reason.value for reason in rejects.reason], pa.string()),
        "detail": pa.array(rejects.detail, pa.string()),
        "key": keys.cast(pa.binary()),
        "value": values.cast(pa.binary()),
        "rejected_at": pa.array(np.full(n, rejected_ms, np.int64)).cast(UTC_MS),
    }
    return _with_log(columns, log, offsets, times=())


def _with_log(
    columns: dict[str, pa.Array], log: Partition, offsets: npt.NDArray[np.int64], times: tuple[str, ...]
) -> pa.RecordBatch:
    for name in times:  # Avro's timestamps arrive with or without a zone; ClickHouse gets UTC
        columns[name] = columns[name].cast(pa.int64()).cast(UTC_MS)
    columns["log_topic"] = _constant(log.topic, len(offsets))
    columns["log_partition"] = pa.array(np.full(len(offsets), log.partition, np.int32))
    columns["log_offset"] = pa.array(offsets)
    return pa.RecordBatch.from_pydict(columns)


def _constant(word: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array([word]))


def _dashed(stamp: str) -> str:
    return f"{stamp[:8]}-{stamp[8:]}"
