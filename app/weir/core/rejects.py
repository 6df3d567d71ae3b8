"""Rows that could not be scored, as values: why, and enough to send them again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Stage(StrEnum):
    """Where on the path a record was rejected."""

    DECODE = "decode"
    VALIDATE = "validate"
    ASSEMBLE = "assemble"
    PREDICT = "predict"


class Reason(StrEnum):
    """Why a record was rejected. Closed: dashboards, alerts and redrive count on these words."""

    EMPTY = "empty"  # no bytes at all
    OVERSIZED = "oversized"  # larger than WEIR_MAX_RECORD_BYTES
    BAD_FRAME = "bad_frame"  # shorter than 5 bytes, or the first byte is not 0
    UNKNOWN_SCHEMA = "unknown_schema"  # the schema id is not one of this topic's subject
    UNDECODABLE = "undecodable"  # the body does not fit its schema: cut short, corrupt, or bytes left over
    PAST_DEADLINE = "past_deadline"  # the caller's deadline had passed before scoring began
    MISSING = "missing"  # a required request field is null, or a required time 0
    NOT_A_NUMBER = "not_a_number"  # an infinity, or NaN where a number is required
    OUT_OF_RANGE = "out_of_range"  # outside the signature's valid range
    UNKNOWN_CATEGORY = "unknown_category"  # a category the model was not trained on, and the signature says reject
    FEATURE_MISSING = "feature_missing"  # the online store has no value, and the signature says reject
    FEATURE_UNAVAILABLE = "feature_unavailable"  # the online store does not answer, and the signature says reject
    FEATURE_STALE = "feature_stale"  # the value is older than its limit, and the signature says reject
    MODEL_FAILED = "model_failed"  # the model raises for this row alone, or its score is not a number


@dataclass(frozen=True, slots=True)
class Rejects:
    """Rejected records of one micro-batch, as columns of equal length r.

    record: int32[r], index into the micro-batch's records, ascending, each at most once.
    reason, stage: r values each. detail: r short texts for a person ("dep_hour = 31 not in [0, 24]").
    """

    record: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    stage: tuple[Stage, ...] = ()
    reason: tuple[Reason, ...] = ()
    detail: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.record)

    @staticmethod
    def concat(parts: list[Rejects]) -> Rejects:
        """All parts as one, ordered by record. Raises ValueError when a record is rejected twice."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return Rejects()
        record = np.concatenate([part.record for part in parts])
        if len(np.unique(record)) != len(record):
            raise ValueError("a record is rejected twice")
        order = np.argsort(record, kind="stable")
        stage = [value for part in parts for value in part.stage]
        reason = [value for part in parts for value in part.reason]
        detail = [value for part in parts for value in part.detail]
        return Rejects(
            record[order].astype(np.int32),
            tuple(stage[i] for i in order),
            tuple(reason[i] for i in order),
            tuple(detail[i] for i in order),
        )
