"""One micro-batch from bytes to bytes: decode, look up, assemble, route, run, encode. Clocks are arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.account import Account
from weir.core.batch import MicroBatch
from weir.core.breaker import BreakerState
from weir.core.bundle import Bundle
from weir.core.clock import Clock
from weir.core.decoded import Decoded
from weir.core.features import FeatureBlock, Lookup
from weir.core.rejects import Reason, Rejects, Stage
from weir.core.times import EVENT_MS
from weir.scoring import isolate, records
from weir.scoring.assemble import Assembled, Assembler, event_ms
from weir.scoring.route import Route

Encode = Callable[[pa.RecordBatch, dict[str, object]], pa.BinaryArray]
_Turned = tuple[npt.NDArray[np.bool_], Reason, list[str]]  # bool[n], and why, and a detail for each that is true


@dataclass(frozen=True, slots=True)
class Service:
    """Everything by which one scoring service turns requests into predictions.

    decode: n record values -> Decoded. run: float32[n, k] -> float32[n].
    known_good: float32[1, k], a row that the model has scored; max_failed: rows of a batch on which it may raise.
    sticky_key: request column that the route hashes.
    encode_*: columns under the contract of that record, and what all rows share -> framed values.
    """

    bundle: Bundle
    decode: Callable[[pa.LargeBinaryArray], Decoded]
    lookup: Lookup | None
    run: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    route: Route
    clock: Clock
    encode_predictions: Encode
    encode_dead_letters: Encode
    encode_ledger: Encode
    worker: str
    known_good: npt.NDArray[np.float32]
    max_failed: int
    sticky_key: str = "request_id"


@dataclass(frozen=True, slots=True)
class Written:
    """What one chunk gives to write, framed; all of it goes to the chunk's partition number."""

    predictions: pa.BinaryArray
    dead_letters: pa.BinaryArray


@dataclass(frozen=True, slots=True)
class Scored:
    """A micro-batch, scored. written, accounts: one a chunk. scored + len(rejects) = len(batch).

    model_retries: calls of the model beyond the first, see scoring.isolate. store: whether the online store is being
    asked; None for a bundle without features. slack_s: the tightest deadline less the time of its request; None without
    deadlines.
    """

    batch: MicroBatch
    written: tuple[Written, ...]
    accounts: tuple[Account, ...]
    scored: int
    rejects: Rejects
    timing: records.Timing
    encode_s: float
    cache_hits: int
    cache_lookups: int
    status_counts: Mapping[tuple[str, int], int]
    oldest_age_s: Mapping[str, float]
    traceparents: pa.Array
    service: str
    variant: str
    model_retries: int = 0
    store: BreakerState | None = None
    slack_s: float | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A micro-batch, ready for the model.

    rows, origin, kept: of the rows that may be scored. rejects: of the others, by what turned them away. slack_s: as in
    Scored. spent_s: seconds for decoding, for looking up, for assembling.
    """

    batch: MicroBatch
    rows: pa.RecordBatch
    origin: npt.NDArray[np.int32]
    kept: Assembled
    rejects: tuple[Rejects, ...]
    block: FeatureBlock | None
    slack_s: float | None
    spent_s: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.batch)


@dataclass(frozen=True, slots=True)
class Ran:
    """A micro-batch with its scores.

    good: the rows that have one, n of them. variant: int8[n]. scores: float32[n]. rejects: of all other records.
    model_retries: as in Scored.
    """

    good: Prepared
    variant: npt.NDArray[np.int8]
    scores: npt.NDArray[np.float32]
    rejects: Rejects
    timing: records.Timing
    model_retries: int


class Scorer:
    """Scores micro-batches of one service, one at a time. service: what it was made of, not to be changed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._assembler = Assembler(service.bundle.signature, service.lookup.plan if service.lookup else None)
        self._views = [view.name for view in service.lookup.plan.views] if service.lookup else []
        self._keys = [key.name for key in service.bundle.signature.join_keys]

    def score(self, batch: MicroBatch, *, wall_ms: int, tick: Callable[[], float]) -> Scored:
        """Predictions and dead letters of a batch, and what its ledger entries are made of.

        wall_ms: time of scoring, as recorded. tick: monotonic seconds, to measure stages by.
        Raises what the lookup and the model raise: a broken world, not bad data.
        """
        return self.encode(self.run(self.prepare(batch, tick=tick), tick=tick), wall_ms=wall_ms, tick=tick)

    def prepare(self, batch: MicroBatch, *, tick: Callable[[], float]) -> Prepared:
        """The first part of `score`, up to the model's matrix. A batch may be in each of the parts at the same time."""
        service, began = self.service, tick()
        decoded = service.decode(batch.values)
        rows, origin = decoded.rows, decoded.origin
        rows, origin, unreal = _without(rows, origin, *_impossible_times(rows))
        slack_s = _slack(rows)
        rows, on_time, late = _without(rows, origin, *self._late(rows))
        decoded_at = tick()
        block = self._look_up(rows)
        looked_up_at = tick()
        assembled = self._assembler.build(rows, block)
        rows, origin, kept = _keep(rows, on_time, assembled)
        unusable = replace(assembled.rejects, record=on_time[assembled.rejects.record])
        spent_s = decoded_at - began, looked_up_at - decoded_at, tick() - looked_up_at
        return Prepared(batch, rows, origin, kept, (decoded.rejects, unreal, late, unusable), block, slack_s, spent_s)

    def run(self, ready: Prepared, *, tick: Callable[[], float]) -> Ran:
        """The second part: scores, and the rows for which there are none."""
        service, began = self.service, tick()
        rows, origin, kept = ready.rows, ready.origin, ready.kept
        variant = service.route.assign(rows.column(rows.schema.get_field_index(service.sticky_key)))
        ran = isolate.scores_of(service.run, kept.matrix, known_good=service.known_good, max_failed=service.max_failed)
        scores, failed = ran.scores, Rejects()
        if not np.isfinite(scores).all():
            rows, origin, kept, variant, scores, failed = _keep_finite(rows, origin, kept, variant, ran)
        timing = records.Timing(ready.batch.wait_s, *ready.spent_s, tick() - began)
        good = replace(ready, rows=rows, origin=origin, kept=kept)
        return Ran(good, variant, scores, Rejects.concat([*ready.rejects, failed]), timing, max(ran.calls - 1, 0))

    def encode(self, ran: Ran, *, wall_ms: int, tick: Callable[[], float]) -> Scored:
        """The last part: what is to be written."""
        began, good, block, bundle = tick(), ran.good, ran.good.block, self.service.bundle
        written = self._encode(ran, wall_ms)
        return Scored(
            good.batch,
            written,
            records.accounts(good.batch, ran.rejects),
            good.rows.num_rows,
            ran.rejects,
            ran.timing,
            tick() - began,
            block.hits if block else 0,
            block.lookups if block else 0,
            self._count_status(good.kept.status),
            self._oldest(good.kept.age_s),
            good.rows.column(good.rows.schema.get_field_index("traceparent")),
            bundle.service,
            self.service.route.variants[0],
            ran.model_retries,
            block.store if block else None,
            good.slack_s,
        )

    def entries(self, accounts: Iterable[Account], wall_ms: int) -> list[tuple[int, pa.BinaryArray]]:
        """The ledger's entries, neighbours as one: partition number and framed value."""
        joined, service = Account.joined(accounts), self.service
        framed = service.encode_ledger(
            *records.ledger(
                joined, "scorer", service.bundle.service, service.bundle.short_digest, service.worker, wall_ms
            )
        )
        return [(account.source.partition, framed[i : i + 1]) for i, account in enumerate(joined)]

    def _late(self, rows: pa.RecordBatch) -> _Turned:
        """Rows whose deadline has passed."""
        column = rows.column(rows.schema.get_field_index("deadline"))
        if column.null_count == len(column):
            return np.zeros(len(column), np.bool_), Reason.PAST_DEADLINE, []
        now_ms = self.service.clock.now_ms(int(event_ms(rows).max(initial=0)))
        deadline = column.view(pa.int64()).fill_null(2**62).to_numpy(zero_copy_only=False)
        late = deadline < now_ms
        return late, Reason.PAST_DEADLINE, [f"{behind} ms late" for behind in now_ms - deadline[late]]

    def _look_up(self, rows: pa.RecordBatch) -> FeatureBlock | None:
        lookup = self.service.lookup
        if lookup is None:
            return None
        keys = {name: rows.column(rows.schema.get_field_index(name)) for name in self._keys}
        return lookup.read(keys, self.service.clock.now_ms(int(event_ms(rows).max(initial=0))) * 1000)

    def _encode(self, ran: Ran, wall_ms: int) -> tuple[Written, ...]:
        service, good, batch, rejects = self.service, ran.good, ran.good.batch, ran.rejects
        predictions = (
            service.encode_predictions(
                *records.predictions(
                    good.rows,
                    batch,
                    records.origins(batch, good.origin),
                    service.bundle,
                    service.route.variants,
                    ran.variant,
                    ran.scores,
                    good.kept.matrix,
                    good.kept.age_s,
                    good.kept.status,
                    ran.timing,
                    wall_ms,
                )
            )
            if good.rows.num_rows
            else []
        )
        buried = (
            service.encode_dead_letters(*records.dead_letters(batch, rejects, service.bundle.service, wall_ms))
            if len(rejects)
            else []
        )
        at = np.searchsorted(good.origin, batch.bounds)  # a chunk's rows and rejects stand together, in record order
        bad = np.searchsorted(rejects.record, batch.bounds)
        return tuple(
            Written(predictions[at[i] : at[i + 1]], buried[bad[i] : bad[i + 1]]) for i in range(len(batch.chunks))
        )

    def _count_status(self, status: npt.NDArray[np.uint8]) -> dict[tuple[str, int], int]:
        counts = {}
        for column, view in enumerate(self._views):
            for code, number in enumerate(np.bincount(status[:, column], minlength=5)):
                if number:
                    counts[view, code] = int(number)
        return counts

    def _oldest(self, age_s: npt.NDArray[np.int32]) -> dict[str, float]:
        return {view: float(age_s[:, i].max(initial=0)) for i, view in enumerate(self._views)}


def _slack(rows: pa.RecordBatch) -> float | None:
    """Seconds from a request's event time to its deadline, the fewest of them; None where no row has a deadline."""
    deadline = rows.column(rows.schema.get_field_index("deadline"))
    if deadline.null_count == len(deadline):
        return None
    return float(pc.min(pc.subtract(deadline.view(pa.int64()), pa.array(event_ms(rows)))).as_py()) / 1000


def _impossible_times(rows: pa.RecordBatch) -> _Turned:
    """Rows whose event time no id and no table can hold; one of them would also move an event clock for good."""
    times = event_ms(rows)
    wrong = (times < EVENT_MS[0]) | (times >= EVENT_MS[1])
    return wrong, Reason.OUT_OF_RANGE, [f"event_time = {time} ms since 1970" for time in times[wrong]]


def _without(
    rows: pa.RecordBatch, origin: npt.NDArray[np.int32], gone: npt.NDArray[np.bool_], reason: Reason, detail: list[str]
) -> tuple[pa.RecordBatch, npt.NDArray[np.int32], Rejects]:
    """The other rows, the record of each, and those that are gone as rejects. detail: one for each that is gone."""
    if not detail:
        return rows, origin, Rejects()
    count = len(detail)
    rejects = Rejects(origin[gone], (Stage.VALIDATE,) * count, (reason,) * count, tuple(detail))
    return rows.filter(pa.array(~gone)), origin[~gone], rejects


def _keep_finite(
    rows: pa.RecordBatch,
    origin: npt.NDArray[np.int32],
    kept: Assembled,
    variant: npt.NDArray[np.int8],
    ran: isolate.Ran,
) -> tuple[pa.RecordBatch, npt.NDArray[np.int32], Assembled, npt.NDArray[np.int8], npt.NDArray[np.float32], Rejects]:
    """Only the rows for which the model gave a number."""
    scores = ran.scores
    finite = np.isfinite(scores)
    gone = origin[~finite]
    count = len(gone)
    details = tuple(ran.failed.get(row, f"score = {scores[row]:g}") for row in np.flatnonzero(~finite).tolist())
    rejects = Rejects(gone, (Stage.PREDICT,) * count, (Reason.MODEL_FAILED,) * count, details)
    rows, origin, kept = _keep(rows, origin, replace(kept, usable=finite))
    return rows, origin, kept, variant[finite], scores[finite], rejects


def _keep(
    rows: pa.RecordBatch, origin: npt.NDArray[np.int32], assembled: Assembled
) -> tuple[pa.RecordBatch, npt.NDArray[np.int32], Assembled]:
    """Only the rows that may be scored."""
    usable = assembled.usable
    if usable.all():
        return rows, origin, assembled
    kept = replace(
        assembled,
        matrix=assembled.matrix[usable],
        age_s=assembled.age_s[usable],
        status=assembled.status[usable],
        usable=usable[usable],
    )
    return rows.filter(pa.array(usable)), origin[usable], kept
