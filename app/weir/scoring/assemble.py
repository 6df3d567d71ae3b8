"""Request columns and feature columns to the model's matrix; rows that break the signature's rules to rejects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.beside import Table, values_at
from weir.core.features import FeatureBlock, ServicePlan, Status
from weir.core.rejects import Reason, Rejects, Stage
from weir.core.signature import UNITS_S, WHOLE_END, Dtype, Held, Input, Policy, Signature, Source
from weir.scoring.rows import Rows
from weir.scoring.verdict import Verdict

OPEN = (-np.inf, np.inf)
FIRST = 0.0  # where the default stands in a table of numbers
INT32 = (-(2**31), 2**31 - 1)
WHOLE_FLOAT64 = (1 - WHOLE_END, WHOLE_END - 1)


@dataclass(frozen=True, slots=True)
class Assembled:
    """The matrix for n requests, and which of them may be scored.

    matrix: float32[n, k], C order, NaN where the model gets a missing value; of what float32 does not hold its
    position in `tables`. tables: one for each column of the signature's `beside`. usable: bool[n].
    age_s: int32[n, v], event time of the request minus that of the feature record; -1 where there is none.
    status: uint8[n, v], core.features.Status. rejects: indices are rows, not records.
    defaulted: bool[n, k], where the signature's default took the place of a value; bool[n, 0] where it did nowhere.
    """

    matrix: npt.NDArray[np.float32]
    usable: npt.NDArray[np.bool_]
    age_s: npt.NDArray[np.int32]
    status: npt.NDArray[np.uint8]
    rejects: Rejects
    defaulted: npt.NDArray[np.bool_]
    tables: tuple[Table, ...]


class Assembler:
    """Builds matrices for one signature. Everything that depends on names alone is worked out once, here.

    plan: how the features are read; None for a signature without features.
    Raises ValueError when the signature names a feature that the plan does not have.
    """

    def __init__(self, signature: Signature, plan: ServicePlan | None) -> None:
        self._signature, inputs = signature, signature.inputs
        self._requests = [(i, item) for i, item in enumerate(inputs) if item.source is Source.REQUEST]
        self._features = [(i, item) for i, item in enumerate(inputs) if item.source is Source.FEATURE]
        exact = {i: item for i, item in enumerate(inputs) if item.held is not Held.FLOAT32}
        self._spans = {i: span for i, span in ((i, _span(item)) for i, item in exact.items()) if span != OPEN}
        ranges = [OPEN if i in exact else _span(item) for i, item in enumerate(inputs)]
        self._low, self._high = np.array(ranges, np.float32).T.copy()
        self._bounded = bool(np.isfinite(self._low).any() or np.isfinite(self._high).any())
        self._request_columns = np.array([i for i, _ in self._requests], np.intp)
        asked = [item.source is Source.REQUEST and item.on_missing is not Policy.REJECT for item in inputs]
        self._may_miss = np.array(asked, np.bool_)
        stand_in = [FIRST if i in exact else item.default for i, item in enumerate(inputs)]
        fills = [stand_in[i] if item.on_missing is Policy.DEFAULT else np.nan for i, item in enumerate(inputs)]
        self._fill = np.array(fills, np.float32)
        self._filled = np.array([item.on_missing is Policy.DEFAULT for item in inputs], np.bool_)
        self._feature_columns = np.array([i for i, _ in self._features], np.intp)
        self._required = [key.name for key in signature.join_keys if key.required]
        self._plan = plan
        names = plan.columns if plan else ()
        absent = [item.ref for _, item in self._features if item.ref not in names]
        if absent:
            raise ValueError(f"the feature service does not have {', '.join(absent)}")
        views = [view.name for view in plan.views] if plan else []
        self._taken = np.array([names.index(item.ref) for _, item in self._features], np.intp)
        self._view = np.array([views.index(item.ref.partition("__")[0]) for _, item in self._features], np.intp)
        ttl = {view.name: view.ttl_s for view in plan.views} if plan else {}
        self._exact = [(at, i, item) for at, (i, item) in enumerate(self._features) if i in exact]
        self._ages = [(at, UNITS_S[item.unit]) for at, (_, item) in enumerate(self._features) if item.unit]
        self._limit_s = np.array([_limit(item, ttl) for _, item in self._features])
        self._view_ttl_s = np.array([ttl[name] or np.inf for name in views])
        defaults = [np.nan if item.default is None else stand_in[i] for i, item in self._features]
        self._default = np.array(defaults, np.float32)
        self._on_missing = _Policies.of([item.on_missing for _, item in self._features])
        self._on_stale = _Policies.of([item.on_stale for _, item in self._features])
        self._on_unavailable = _Policies.of([item.on_unavailable for _, item in self._features])
        self._codes = {
            item.name: {name: code for code, name in enumerate(item.categories)} for _, item in self._requests
        }

    def assemble(self, rows: Rows, block: FeatureBlock | None) -> tuple[Rows, Rejects]:
        """The rows that may be scored, with their matrix, and the others. block: as for `build`."""
        built = self.build(rows.columns, block)
        rejects = replace(built.rejects, record=rows.origin[built.rejects.record])
        rows = replace(
            rows,
            matrix=built.matrix,
            age_s=built.age_s,
            status=built.status,
            defaulted=built.defaulted,
            tables=built.tables,
        )
        return rows.keep(built.usable), rejects

    def build(self, rows: pa.RecordBatch, block: FeatureBlock | None) -> Assembled:
        """The matrix of n request rows; block: their features, same rows, in the plan's order."""
        n = rows.num_rows
        matrix = np.empty((n, len(self._signature.inputs)), np.float32)
        verdict = Verdict(n, self._signature.names, self._required)
        self._check_keys(rows, verdict)
        tables: dict[int, Table] = {}
        for column, item in self._requests:
            if item.dtype is Dtype.STRING:
                tables[column] = self._text(rows.column(item.ref), column, item, matrix, verdict)
            elif item.held is not Held.FLOAT32:
                tables[column] = self._number(rows.column(item.ref), column, item, matrix, verdict)
            else:
                self._request(rows, column, item, matrix, verdict)
        self._check_numbers(matrix, verdict)
        age_s = np.full((n, len(self._view_ttl_s)), -1, np.int32)
        status = np.zeros((n, len(self._view_ttl_s)), np.uint8)
        if block is not None and self._plan is not None:
            tables |= self._put_features(rows, block, matrix, verdict, age_s, status)
        if self._bounded:
            outside = (matrix < self._low) | (matrix > self._high)
            if outside.any():
                verdict.set_all(outside, Stage.VALIDATE, Reason.OUT_OF_RANGE)
        for column, (low, high) in self._spans.items():
            values = values_at(matrix[:, column], tables[column])
            verdict.set((values < low) | (values > high), Stage.VALIDATE, Reason.OUT_OF_RANGE, column)
        rejects = verdict.rejects(matrix, tables)
        beside = tuple(tables[column] for column in self._signature.beside)
        return Assembled(matrix, verdict.usable, age_s, status, rejects, verdict.defaulted, beside)

    def _check_keys(self, rows: pa.RecordBatch, verdict: Verdict) -> None:
        for number, name in enumerate(self._required):
            values = rows.column(name)
            if values.null_count:
                null = pc.is_null(values).to_numpy(zero_copy_only=False)
                verdict.set(null, Stage.VALIDATE, Reason.MISSING, len(self._signature.inputs) + number)

    def _request(
        self, rows: pa.RecordBatch, column: int, item: Input, matrix: npt.NDArray[np.float32], verdict: Verdict
    ) -> None:
        values = rows.column(item.ref)
        if item.dtype is Dtype.CATEGORY:
            self._category(values, column, item, matrix, verdict)
            return
        if item.dtype is Dtype.BOOL:
            values = values.cast(pa.float32())
        matrix[:, column] = values.to_numpy(zero_copy_only=False)
        if values.null_count:
            null = pc.is_null(values).to_numpy(zero_copy_only=False)
            self._missing(null, Reason.MISSING, column, item, matrix, verdict)

    def _category(
        self, values: pa.Array, column: int, item: Input, matrix: npt.NDArray[np.float32], verdict: Verdict
    ) -> None:
        encoded = values.dictionary_encode()
        known = self._codes[item.name]
        uniques = encoded.dictionary.to_pylist()  # distinct values of the batch, not its rows
        codes = np.array([known.get(name, -1) for name in uniques] + [-2], np.float32)
        index = encoded.indices.fill_null(len(uniques)).to_numpy(zero_copy_only=False)
        matrix[:, column] = codes[index]
        if codes[:-1].min(initial=0) < 0:
            self._missing(matrix[:, column] == -1, Reason.UNKNOWN_CATEGORY, column, item, matrix, verdict)
        if values.null_count:
            self._missing(matrix[:, column] == -2, Reason.MISSING, column, item, matrix, verdict)

    def _text(
        self, values: pa.Array, column: int, item: Input, matrix: npt.NDArray[np.float32], verdict: Verdict
    ) -> Sequence[str]:
        """Puts each text's position among the different ones into the matrix; these."""
        encoded = values.dictionary_encode()
        matrix[:, column] = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
        if values.null_count:
            null = pc.is_null(values).to_numpy(zero_copy_only=False)
            self._missing(null, Reason.MISSING, column, item, matrix, verdict)
        words: list[str] = encoded.dictionary.to_pylist()
        return words

    def _number(
        self, values: pa.Array, column: int, item: Input, matrix: npt.NDArray[np.float32], verdict: Verdict
    ) -> Table:
        """Puts each number's position into the matrix, and NaN or infinity as they are; the numbers."""
        numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
        matrix[:, column] = np.where(np.isfinite(numbers), np.arange(1, len(numbers) + 1), numbers)
        if values.null_count:
            null = pc.is_null(values).to_numpy(zero_copy_only=False)
            self._missing(null, Reason.MISSING, column, item, matrix, verdict)
        return _table(numbers, item)

    def _missing(
        self,
        where: npt.NDArray[np.bool_],
        reason: Reason,
        column: int,
        item: Input,
        matrix: npt.NDArray[np.float32],
        verdict: Verdict,
    ) -> None:
        if item.on_missing is Policy.REJECT:
            verdict.set(where, Stage.VALIDATE, reason, column)
        matrix[where, column] = self._fill[column]
        if item.on_missing is Policy.DEFAULT:
            verdict.default(where, column)
        verdict.excuse(where, column)  # said to be missing: no NaN of the caller's

    def _check_numbers(self, matrix: npt.NDArray[np.float32], verdict: Verdict) -> None:
        """NaN is what pandas, NumPy and Spark write for a missing value: where one may be missing, it is."""
        with np.errstate(invalid="ignore", over="ignore"):  # both infinities in one batch; a sum past float32
            total = (matrix if len(self._requests) == matrix.shape[1] else matrix[:, self._request_columns]).sum()
        if np.isfinite(total):
            return  # one pass tells that no NaN or infinity is among them
        missing = np.isnan(matrix) & self._may_miss
        np.copyto(matrix, self._fill, where=missing)
        verdict.default(missing & self._filled)
        verdict.excused |= missing
        wrong = np.zeros(matrix.shape, np.bool_)
        wrong[:, self._request_columns] = ~np.isfinite(matrix[:, self._request_columns])
        verdict.set_all(wrong & ~verdict.excused, Stage.VALIDATE, Reason.NOT_A_NUMBER)

    def _put_features(
        self,
        rows: pa.RecordBatch,
        block: FeatureBlock,
        matrix: npt.NDArray[np.float32],
        verdict: Verdict,
        age_s: npt.NDArray[np.int32],
        status: npt.NDArray[np.uint8],
    ) -> dict[int, Table]:
        """Puts the features into the matrix; of those that float32 does not hold the tables, by column."""
        event_us = event_ms(rows)[:, None] * 1000
        age = np.where(block.found, (event_us - block.event_us) // 1_000_000, -1)
        age_s[:] = np.clip(age, -(2**31), 2**31 - 1)
        status[:] = np.where(block.found, Status.PRESENT, Status.NOT_FOUND)
        status[block.found & (age > self._view_ttl_s)] = Status.STALE
        values = block.values[:, self._taken]
        for at, unit_s in self._ages:
            values[:, at] = (event_us[:, 0] / 1e6 - values[:, at]) / unit_s
        stale = age[:, self._view] > self._limit_s
        unknown = np.zeros(stale.shape, np.bool_)  # no answer, neither now nor kept
        filled = np.zeros(stale.shape, np.bool_)
        if block.unavailable is not None:
            status[block.unavailable] = np.where(block.found, Status.STALE, Status.UNAVAILABLE)[block.unavailable]
            away = block.unavailable[:, self._view]
            unknown = away & ~block.found[:, self._view]
            filled |= away & self._on_unavailable.default
            stale = stale & ~filled
            self._reject_features(away & self._on_unavailable.reject, Reason.FEATURE_UNAVAILABLE, verdict)
        if stale.any():
            filled |= stale & self._on_stale.default
            self._reject_features(stale & self._on_stale.reject, Reason.FEATURE_STALE, verdict)
        missing = np.isnan(values) & ~filled
        if missing.any():
            filled |= missing & self._on_missing.default
            rejected = missing & self._on_missing.reject
            self._reject_features(rejected & unknown, Reason.FEATURE_UNAVAILABLE, verdict)
            self._reject_features(rejected & ~unknown, Reason.FEATURE_MISSING, verdict)
        if filled.any():
            verdict.default(filled, self._feature_columns)
        tables: dict[int, Table] = {}
        for at, column, item in self._exact:
            tables[column] = _table(values[:, at], item)
            values[:, at] = np.where(np.isnan(values[:, at]), np.nan, np.arange(1, len(values) + 1))
        if filled.any():
            values = np.where(filled, self._default, values)
        matrix[:, self._feature_columns] = values
        return tables

    def _reject_features(self, where: npt.NDArray[np.bool_], reason: Reason, verdict: Verdict) -> None:
        if where.any():
            wide = np.zeros((len(where), len(self._signature.inputs)), np.bool_)
            wide[:, self._feature_columns] = where
            verdict.set_all(wide, Stage.ASSEMBLE, reason)


@dataclass(frozen=True, slots=True)
class _Policies:
    """Which of k features go by their default, and which reject the row. default, reject: bool[k]."""

    default: npt.NDArray[np.bool_]
    reject: npt.NDArray[np.bool_]

    @staticmethod
    def of(policies: list[Policy]) -> _Policies:
        return _Policies(
            np.array([policy is Policy.DEFAULT for policy in policies], np.bool_),
            np.array([policy is Policy.REJECT for policy in policies], np.bool_),
        )


def event_ms(rows: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """The request column event_time as int64[n], milliseconds since the epoch."""
    column = rows.column("event_time")
    times: npt.NDArray[np.int64] = column.view(pa.int64()).to_numpy()
    return times


def _limit(item: Input, ttl: dict[str, float]) -> float:
    return item.max_age_s or ttl[item.ref.partition("__")[0]] or float("inf")


def _span(item: Input) -> tuple[float, float]:
    """Lowest and highest value that may be: what the signature says, and what can be held without another digit."""
    low, high = -np.inf if item.low is None else item.low, np.inf if item.high is None else item.high
    held = INT32 if item.held is Held.INT32 else OPEN
    if item.held is Held.INT64 and item.source is Source.FEATURE:  # features are read as float64
        held = WHOLE_FLOAT64
    low, high = max(low, held[0]), min(high, held[1])
    if item.held in (Held.INT64, Held.INT32):  # compared as whole numbers: as float64 neighbours would be equal
        return low if math.isinf(low) else math.ceil(low), high if math.isinf(high) else math.floor(high)
    return low, high


def _table(numbers: npt.NDArray[np.generic], item: Input) -> Table:
    """The default, or 0, and the numbers behind it, float64 or int64."""
    table = np.empty(len(numbers) + 1, np.float64 if item.held is Held.FLOAT64 else np.int64)
    table[0] = item.default or 0
    with np.errstate(invalid="ignore"):  # NaN, to which no position leads
        table[1:] = numbers
    return table
