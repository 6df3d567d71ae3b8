"""Decoded rows to the columns of ClickHouse's tables. The order of columns is free: an Arrow insert names them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import buffers_of
from weir.core.batch import MODEL_RUN
from weir.core.chunk import CHUNK_RANGE, LogPartition
from weir.core.features import Status
from weir.core.rejects import Reason, Rejects, Stage
from weir.core.times import EVENT_MS, impossible
from weir.recording import amounts, findings, naming, packed
from weir.recording import bundles as bundle_columns
from weir.recording.uuids import are_uuids, are_v7

CONTRACT_ID = np.dtype("<i4")
COUNTS = ("rows", "scored", "rejected", "bytes_in", "bytes_out", "feature_lookups", "feature_hits")
UTC_MS = pa.timestamp("ms", tz="UTC")
MEASURED = ("value", "low", "high", "expected", "p", "p_adjusted", "log_e", "maturity")
MEASUREMENT_STATES = ("ok", "warn", "page", "few", "immature", "failed")
ALERT_STATES = ("ok", "pending", "firing", "resolved")
ALERT_MARKS = ("acknowledged", "silenced", "unsilenced")
STATUS_CODES = np.array([status.value for status in Status], np.uint8)
NO_PREDICTION = "00000000-0000-0000-0000-000000000000"


def predictions(
    rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64], names: naming.Names
) -> pa.RecordBatch:
    """Rows of table predictions from n rows of contract predictions that passed `check_predictions`.

    offsets: int64[n], where in `log` they were read. names: what the packed bytes mean, by bundle digest. Rows of a
    bundle that is not known there, or whose names do not fit the bytes, keep them packed and have empty maps.
    """
    columns = {name: rows[name] for name in rows.schema.names if name not in naming.PACKED}
    columns |= naming.named(rows, naming.PACKED, names)
    columns["defaulted_bits"] = columns.pop("defaulted")
    columns["traceparent"] = pc.fill_null(rows["traceparent"], "")
    return with_log(columns, log, offsets, times=("event_time", "scored_at"))


def check_predictions(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract predictions that the table cannot hold; `record` is the row number."""
    offsets, octets = buffers_of(rows["feature_status"])
    unknown = np.concatenate([[0], np.cumsum(~np.isin(octets, STATUS_CODES))])
    return _rejects(
        [
            (~are_uuids(rows["prediction_id"]), Reason.OUT_OF_RANGE, "prediction_id is no UUID"),
            (unknown[offsets[1:]] > unknown[offsets[:-1]], Reason.OUT_OF_RANGE, "a feature status is none"),
            *_impossible_times(rows, "event_time", "scored_at"),
        ]
    )


def outcomes(
    rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64], received_ms: int
) -> pa.RecordBatch:
    """Rows of table outcomes from n rows of one block that passed `check_outcomes`. received_ms: broker time.

    Of what is withdrawn nothing else is kept, so that no figure can count it.
    """
    withdrawn = _mask(rows["withdrawn"])
    columns = {name: rows[name] for name in rows.schema.names}
    columns["prediction_id"] = pc.fill_null(rows["prediction_id"], NO_PREDICTION)
    columns["request_id"] = pc.fill_null(rows["request_id"], "")
    columns["attributes"] = amounts.emptied(rows["attributes"], withdrawn)
    if withdrawn.any():
        columns |= {name: pc.if_else(rows["withdrawn"], None, rows[name]) for name in ("label", "observed")}
    columns["received_at"] = pa.repeat(pa.scalar(received_ms, pa.int64()), len(rows)).cast(UTC_MS)
    return with_log(columns, log, offsets, times=("occurred_at",))


def check_outcomes(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract outcomes that cannot be joined or counted; `record` is the row number.

    One id says whose outcome it is, a UUIDv7 of a time that a request can have where it is the prediction's; numbers
    are finite, and the time is one that can be.
    """
    by_prediction, by_request = (_mask(rows[name].is_valid()) for name in ("prediction_id", "request_id"))
    known = are_v7(rows["prediction_id"], *EVENT_MS)
    withdrawn, stated = _mask(rows["withdrawn"]), rows["attributes"]
    says = _mask(pc.or_(rows["label"].is_valid(), rows["observed"].is_valid()))
    says |= np.diff(stated.offsets.to_numpy()) > 0
    return _rejects(
        [
            (~by_prediction & ~by_request, Reason.MISSING, "neither prediction_id nor request_id is given"),
            (by_prediction & by_request, Reason.OUT_OF_RANGE, "prediction_id and request_id are both given"),
            (by_prediction & ~known, Reason.OUT_OF_RANGE, "prediction_id is not a UUIDv7"),
            (_mask(pc.equal(rows["request_id"], "")), Reason.MISSING, "request_id is empty"),
            (_mask(pc.equal(rows["service"], "")), Reason.MISSING, "service is empty"),
            (~says & ~withdrawn, Reason.MISSING, "neither label nor observed nor attributes are given"),
            (_mask(pc.equal(rows["label"], "")), Reason.OUT_OF_RANGE, "label is empty; null says that there is none"),
            (_mask(pc.invert(pc.is_finite(rows["observed"]))), Reason.NOT_A_NUMBER, "observed is not a number"),
            (amounts.infinite(stated), Reason.NOT_A_NUMBER, "an attribute is not a number"),
            (amounts.doubled(stated), Reason.OUT_OF_RANGE, "attributes name something twice"),
            (_mask(pc.less(rows["revision"], 0)), Reason.OUT_OF_RANGE, "revision is below 0"),
            *_impossible_times(rows, "occurred_at"),
        ]
    )


def shadows(
    rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64], names: naming.Names
) -> pa.RecordBatch:
    """Rows of table shadows from n rows of contract shadows that passed `check_shadows`. See `predictions`."""
    columns = {name: rows[name] for name in rows.schema.names if name not in naming.PACKED}
    columns |= naming.named(rows, ("outputs",), names)
    return with_log(columns, log, offsets, times=("event_time", "scored_at"))


def check_shadows(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract shadows that the table cannot hold; `record` is the row number."""
    no_id = (~are_uuids(rows["prediction_id"]), Reason.OUT_OF_RANGE, "prediction_id is no UUID")
    return _rejects([no_id, *_impossible_times(rows, "event_time", "scored_at")])


def dead_letters(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table dead_letters from n rows of contract dead_letters."""
    columns = {name: rows[name] for name in rows.schema.names}
    return with_log(columns, log, offsets, times=("rejected_at",))


def check_dead_letters(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract dead_letters that the table cannot hold; `record` is the row number."""
    return _rejects(_impossible_times(rows, "rejected_at"))


def bundles(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table bundles from n rows of contract bundles that passed `check_bundles`."""
    columns = {name: rows[name] for name in rows.schema.names}
    columns |= {name: bundle_columns.lists_column(rows[name], pa.string()) for name in bundle_columns.LISTED}
    columns |= {name: bundle_columns.lists_column(rows[name], pa.float64()) for name in ("cuts", "ttl_s")}
    columns["categories"] = bundle_columns.lists_by_name(rows["categories"])
    return with_log(columns, log, offsets, times=("written_at",))


def check_bundles(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract bundles that name nothing; `record` is the row number."""
    unreadable = bundle_columns.unreadable(rows)
    return _rejects([unreadable, *_impossible_times(rows, "written_at")])


def ledger(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table ledger from n rows of contract ledger that passed `check_ledger`."""
    columns = {name: rows[name] for name in rows.schema.names if name != "recorded_at"}
    columns["written_at"] = rows["recorded_at"]
    columns["holes"] = packed.structs(rows["holes"])
    return with_log(columns, log, offsets, times=("written_at",))


def check_ledger(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract ledger whose holes cannot be read, or whose time cannot be; `record` is the row number."""
    odd, times = _uneven(rows["holes"], packed.RANGE), _impossible_times(rows, "recorded_at")
    return _rejects([(odd, Reason.OUT_OF_RANGE, "holes are no pairs of int64"), *times])


def batches(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table batches from n rows of contract batches that passed `check_batches`."""
    columns = {name: rows[name] for name in rows.schema.names}
    columns["digests"] = bundle_columns.lists_column(rows["digests"], pa.string())
    columns["contract_ids"] = packed.arrays(rows["contract_ids"], CONTRACT_ID)
    columns["ranges"] = packed.structs(rows["ranges"], CHUNK_RANGE)
    columns["runs"] = packed.structs(rows["runs"], MODEL_RUN)
    return with_log(columns, log, offsets, times=("scored_at", "oldest_at"))


def check_batches(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract batches that the table cannot hold; `record` is the row number."""
    negative = np.zeros(len(rows), np.bool_)
    for name in (field.name for field in rows.schema if field.name in COUNTS or field.name.endswith("_us")):
        negative |= _mask(pc.less(rows[name], 0))
    return _rejects(
        [
            (negative, Reason.OUT_OF_RANGE, "a count or a time is below 0"),
            (_uneven(rows["contract_ids"], CONTRACT_ID), Reason.OUT_OF_RANGE, "contract_ids are no int32"),
            (_uneven(rows["ranges"], CHUNK_RANGE), Reason.OUT_OF_RANGE, "ranges are no int32, int64, int64"),
            (_uneven(rows["runs"], MODEL_RUN), Reason.OUT_OF_RANGE, "runs are no int32, int64"),
            bundle_columns.no_names(rows["digests"], "digests"),
            *_impossible_times(rows, "scored_at", "oldest_at"),
        ]
    )


def measurements(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table measurements from n rows of contract measurements that passed `check_measurements`."""
    columns = {name: rows[name] for name in rows.schema.names}
    columns["covers"] = findings.covers_column(rows["covers"])
    return with_log(columns, log, offsets, times=("begin", "end", "computed_at"))


def check_measurements(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract measurements that the table cannot hold; `record` is the row number."""
    return _rejects(
        [
            (~are_uuids(rows["measurement_id"]), Reason.OUT_OF_RANGE, "measurement_id is no UUID"),
            *findings.empty(rows, "monitor", "service"),
            findings.none_of(rows, "state", MEASUREMENT_STATES),
            *findings.not_finite(rows, *MEASURED),
            *findings.outside(rows, 0.0, 1.0, "p", "p_adjusted", "maturity"),
            *findings.outside(rows, 0, 2**31, "revision", "n"),
            *findings.no_objects(rows, "details", "memory"),
            findings.no_covers(rows["covers"]),
            *_impossible_times(rows, "begin", "end", "computed_at"),
            findings.ends_early(rows),
        ]
    )


def alerts(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table alerts from n rows of contract alerts that passed `check_alerts`."""
    columns = {name: rows[name] for name in rows.schema.names}
    columns["covers"] = findings.covers_column(rows["covers"])
    return with_log(columns, log, offsets, times=("at", "begin", "end"))


def check_alerts(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract alerts that the table cannot hold; `record` is the row number."""
    return _rejects(
        [
            *findings.empty(rows, "key", "alert_id", "service", "monitor"),
            findings.none_of(rows, "from_state", ALERT_STATES),
            findings.none_of(rows, "to_state", ALERT_STATES + ALERT_MARKS),
            *findings.outside(rows, 1, 2**31, "number"),
            *findings.no_objects(rows, "evidence", "memory"),
            findings.no_covers(rows["covers"]),
            *_impossible_times(rows, "at", "begin", "end"),
            findings.ends_early(rows),
        ]
    )


def alert_notes(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table alert_notes from n rows of contract alert_notes that passed `check_alert_notes`."""
    columns = {name: rows[name] for name in rows.schema.names}
    return with_log(columns, log, offsets, times=("at", "until"))


def check_alert_notes(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract alert_notes that the table cannot hold; `record` is the row number."""
    until = pc.coalesce(rows["until"], rows["at"])  # a note that is no silence has no end
    times = pa.RecordBatch.from_arrays([rows["at"], until], names=["at", "until"])
    return _rejects(
        [
            (~are_uuids(rows["note_id"]), Reason.OUT_OF_RANGE, "note_id is no UUID"),
            findings.none_of(rows, "kind", ("ack", "silence", "unsilence")),
            *findings.no_objects(rows, "matchers"),
            *_impossible_times(times, "at", "until"),
        ]
    )


def actions(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table actions from n rows of contract actions that passed `check_actions`."""
    columns = {name: rows[name] for name in rows.schema.names}
    return with_log(columns, log, offsets, times=("begin", "end", "at"))


def check_actions(rows: pa.RecordBatch) -> Rejects:
    """Rows of contract actions that the table cannot hold; `record` is the row number."""
    return _rejects(
        [
            (~are_uuids(rows["action_id"]), Reason.OUT_OF_RANGE, "action_id is no UUID"),
            *findings.empty(rows, "kind", "proposed_by"),
            *findings.no_objects(rows, "parameters", "evidence"),
            *_impossible_times(rows, "begin", "end", "at"),
            findings.ends_early(rows),
        ]
    )


def turned_away(
    log: LogPartition,
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
        "source_log": _constant(log.log, n),
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
    return with_log(columns, log, offsets, times=())


def with_log(
    columns: dict[str, pa.Array], log: LogPartition, offsets: npt.NDArray[np.int64], times: tuple[str, ...]
) -> pa.RecordBatch:
    """n rows of a table with where they were read. offsets: int64[n]. times: columns that are timestamps."""
    for name in times:  # Avro's timestamps arrive with or without a zone; ClickHouse gets UTC
        columns[name] = columns[name].cast(pa.int64()).cast(UTC_MS)
    columns["log_id"] = _constant(log.log, len(offsets))
    columns["log_topic"] = _constant(log.topic, len(offsets))
    columns["log_partition"] = pa.array(np.full(len(offsets), log.partition, np.int32))
    columns["log_offset"] = pa.array(offsets)
    return pa.RecordBatch.from_pydict(columns)


# Which of n rows are at fault, why, and a text for a person.
_Fault = tuple[npt.NDArray[np.bool_], Reason, str]


def _rejects(faults: Sequence[_Fault]) -> Rejects:
    """All rows at fault, each for its first one."""
    why = np.full(len(faults[0][0]), len(faults))
    for number, (bad, _, _) in reversed(list(enumerate(faults))):
        why[bad] = number
    record = np.flatnonzero(why < len(faults))
    chosen = [faults[number] for number in why[record].tolist()]
    return Rejects(
        record.astype(np.int32),
        (Stage.VALIDATE,) * len(record),
        tuple(reason for _, reason, _ in chosen),
        tuple(detail for _, _, detail in chosen),
    )


def _impossible_times(rows: pa.RecordBatch, *names: str) -> list[_Fault]:
    return [
        (
            impossible(rows[name].cast(pa.int64()).to_numpy(zero_copy_only=False)),
            Reason.OUT_OF_RANGE,
            f"{name} is no time between 1970 and 2100, in milliseconds",
        )
        for name in names
    ]


def _uneven(packed: pa.Array, dtype: np.dtype[np.generic]) -> npt.NDArray[np.bool_]:
    """Which of n binary values are not so many whole items."""
    uneven: npt.NDArray[np.bool_] = pc.binary_length(packed).to_numpy(zero_copy_only=False) % dtype.itemsize != 0
    return uneven


def _mask(values: pa.Array) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return mask


def _constant(word: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array([word]))
