"""One micro-batch from bytes to scores: decode, route, look up, assemble, run. Clocks are arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.batch import MicroBatch
from weir.core.clock import Clock
from weir.core.decoded import Decoded
from weir.core.features import FeatureBlock
from weir.core.rejects import Reason, Rejects, Stage
from weir.core.times import impossible
from weir.scoring import isolate
from weir.scoring.assemble import Assembler, event_ms
from weir.scoring.batches import Part, PreparedBatch, ScoredBatch, Timing
from weir.scoring.route import Route
from weir.scoring.rows import Rows
from weir.scoring.variant import Variant

Tick = Callable[[], float]  # monotonic seconds, to measure stages by
_Rejected = tuple[npt.NDArray[np.bool_], Stage, Reason, list[str]]  # as Rows.reject takes them


@dataclass(frozen=True, slots=True)
class Service:
    """Everything by which one scoring service turns requests into scores.

    decode: n record values -> Decoded.
    variants: the model versions in service, in the order of the route's.
    max_failed: rows of a batch on which a model may raise.
    sticky_key: request column that the route hashes. A request_id may be empty: its answer is then known by
        prediction_id and offset alone, and all such requests go to one variant.
    """

    decode: Callable[[pa.LargeBinaryArray], Decoded]
    variants: tuple[Variant, ...]
    route: Route
    clock: Clock
    max_failed: int
    sticky_key: str = "request_id"

    @property
    def reads_features(self) -> bool:
        """Whether a variant asks the online store."""
        return any(variant.lookup is not None for variant in self.variants)


class Scorer:
    """Scores micro-batches of one service, one at a time.

    service: what it was made of, not to be changed.
    Raises ValueError when the route names other variants than the service has, or a variant needs features that its
    lookup does not read.
    """

    def __init__(self, service: Service) -> None:
        names = tuple(variant.name for variant in service.variants)
        if names != service.route.variants:
            raise ValueError(f"the route is over {service.route.variants}, the service has {names}")
        self.service = service
        self._assemblers = [
            Assembler(variant.bundle.signature, variant.lookup.plan if variant.lookup else None)
            for variant in service.variants
        ]

    def score(self, batch: MicroBatch, *, tick: Tick) -> ScoredBatch:
        """Scores of a batch, and the records that have none.

        Raises what the lookup and the model raise: a broken world, not bad data.
        """
        return self.run(self.prepare(batch, tick=tick), tick=tick)

    def prepare(self, batch: MicroBatch, *, tick: Tick) -> PreparedBatch:
        """The first half of `score`, up to the models' matrices. A batch may be in each half at the same time."""
        began = tick()
        decoded = self.service.decode(batch.values)
        rows = Rows.of(decoded)
        rows, unreal = rows.reject(*_impossible(rows, "event_time"))
        rows, timeless = rows.reject(*_unset(rows))
        rows, unmeant = rows.reject(*_impossible(rows, "deadline"))
        slack_s = _slack(rows)
        rows, late = rows.reject(*self._late(rows))
        decoded_s = tick() - began
        parts, rejects = [], [decoded.rejects, unreal, timeless, unmeant, late]
        lookup_s = assemble_s = 0.0
        for index, share in self._routed(rows):
            variant, began = self.service.variants[index], tick()
            block = self._look_up(variant, share)
            looked_up = tick()
            scorable, unusable = self._assemblers[index].assemble(share, block)
            parts.append(Part(variant, scorable, block))
            rejects.append(unusable)
            lookup_s, assemble_s = lookup_s + looked_up - began, assemble_s + tick() - looked_up
        timing = Timing(batch.wait_s, decoded_s, lookup_s, assemble_s)
        return PreparedBatch(batch, tuple(parts), tuple(rejects), timing, slack_s)

    def run(self, prepared: PreparedBatch, *, tick: Tick) -> ScoredBatch:
        """The second half: scores, and the rows for which there are none."""
        began = tick()
        ran, run_s = [], 0.0
        for part in prepared.parts:
            scored, failed = self._run(part)
            before_s, run_s = run_s, tick() - began
            ran.append((replace(scored, run_s=run_s - before_s), failed))
        rejects = Rejects.concat([*prepared.rejects, *(failed for _, failed in ran)])
        timing = replace(prepared.timing, run_s=run_s)
        return ScoredBatch(prepared.batch, tuple(part for part, _ in ran), rejects, timing, prepared.slack_s)

    def _routed(self, rows: Rows) -> list[tuple[int, Rows]]:
        """Index of each variant that answers some of the rows, and which."""
        if not len(rows):
            return []
        if len(self.service.variants) == 1:
            return [(0, rows)]
        assigned = self.service.route.assign(rows.columns.column(self.service.sticky_key))
        return [(index, rows.keep(assigned == index)) for index in np.unique(assigned).tolist()]

    def _look_up(self, variant: Variant, rows: Rows) -> FeatureBlock | None:
        if variant.lookup is None:
            return None
        keys = {key.name: rows.columns.column(key.name) for key in variant.bundle.signature.join_keys}
        return variant.lookup.read(keys, self._now_ms(rows) * 1000)

    def _run(self, part: Part) -> tuple[Part, Rejects]:
        """A part with its scores, and its rows for which the model gave no number."""
        variant, rows = part.variant, part.rows
        run, known_good, state = variant.bound(rows.tables)
        found = isolate.outputs_of(run, rows.matrix, known_good=known_good, max_failed=self.service.max_failed)
        rows, finite = replace(rows, outputs=found.outputs), np.isfinite(found.outputs)
        part = replace(part, model_retries=max(found.calls - 1, 0), state=state)
        if finite.all():
            return replace(part, rows=rows), Rejects()
        wrong: npt.NDArray[np.bool_] = ~np.all(finite, axis=1)
        details = [found.failed.get(row, _said(rows.outputs[row])) for row in np.flatnonzero(wrong).tolist()]
        rows, rejects = rows.reject(wrong, Stage.PREDICT, Reason.MODEL_FAILED, details)
        return replace(part, rows=rows), rejects

    def _late(self, rows: Rows) -> _Rejected:
        """Rows whose deadline has passed."""
        column = rows.columns.column("deadline")
        if column.null_count == len(column):
            return np.zeros(len(column), np.bool_), Stage.VALIDATE, Reason.PAST_DEADLINE, []
        now_ms = self._now_ms(rows)
        deadline = column.view(pa.int64()).fill_null(2**62).to_numpy(zero_copy_only=False)
        late = deadline < now_ms
        details = [f"{behind} ms late" for behind in now_ms - deadline[late]]
        return late, Stage.VALIDATE, Reason.PAST_DEADLINE, details

    def _now_ms(self, rows: Rows) -> int:
        return self.service.clock.now_ms(int(event_ms(rows.columns).max(initial=0)))


def _said(outputs: npt.NDArray[np.float32]) -> str:
    """What a model gave for a row that is no number. outputs: float32[m]."""
    return f"score = {outputs[~np.isfinite(outputs)][0]:g}"


def _unset(rows: Rows) -> _Rejected:
    """Rows whose event time is 0, which a producer writes that sets none: its features would be those of 1970."""
    unset = event_ms(rows.columns) == 0
    return unset, Stage.VALIDATE, Reason.MISSING, ["event_time = 0, which is no time"] * int(np.count_nonzero(unset))


def _slack(rows: Rows) -> float | None:
    """Seconds from a request's event time to its deadline, the fewest of them; None where no row has a deadline."""
    deadline = rows.columns.column("deadline")
    if deadline.null_count == len(deadline):
        return None
    return float(pc.min(pc.subtract(deadline.view(pa.int64()), pa.array(event_ms(rows.columns)))).as_py()) / 1000


def _impossible(rows: Rows, name: str) -> _Rejected:
    """Rows whose time no id and no table can hold, or nobody can mean: an event clock would go by it for good."""
    column = rows.columns.column(name)
    if column.null_count == len(column):
        return np.zeros(len(column), np.bool_), Stage.VALIDATE, Reason.OUT_OF_RANGE, []
    numbers = column.view(pa.int64())
    times = (numbers.fill_null(0) if numbers.null_count else numbers).to_numpy(zero_copy_only=False)
    wrong = impossible(times)
    details = [f"{name} = {time} ms since 1970" for time in times[wrong]]
    return wrong, Stage.VALIDATE, Reason.OUT_OF_RANGE, details
