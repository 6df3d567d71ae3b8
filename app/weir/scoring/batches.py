"""A micro-batch at each stage of scoring: prepared, scored, encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from weir.core.batch import MicroBatch
from weir.core.breaker import BreakerState
from weir.core.features import FeatureBlock, Status
from weir.core.ledger_entry import LedgerEntry
from weir.core.rejects import Rejects
from weir.scoring.rows import Rows
from weir.scoring.variant import Variant


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that one micro-batch spent in each stage."""

    wait_s: float = 0.0
    decode_s: float = 0.0
    lookup_s: float = 0.0
    assemble_s: float = 0.0
    run_s: float = 0.0
    encode_s: float = 0.0

    @property
    def busy_s(self) -> float:
        """All of it but the waiting."""
        return self.decode_s + self.lookup_s + self.assemble_s + self.run_s + self.encode_s

    @property
    def by_stage(self) -> dict[str, float]:
        """Stage -> seconds, in the order of the stages."""
        return {
            "wait": self.wait_s,
            "decode": self.decode_s,
            "lookup": self.lookup_s,
            "assemble": self.assemble_s,
            "run": self.run_s,
            "encode": self.encode_s,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a batch that one variant answers.

    block: the features that were read for them; None for a variant without features.
    model_retries: calls of the model beyond the first, see scoring.isolate. run_s: how long the model ran for them.
    state: of the learner that scored them; empty of other models.
    """

    variant: Variant
    rows: Rows
    block: FeatureBlock | None
    model_retries: int = 0
    run_s: float = 0.0
    state: str = ""


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A micro-batch, ready for its models.

    parts: the rows that may be scored, by variant.
    rejects: all other records, by what rejected them.
    slack_s: the tightest deadline less the time of its request; None without deadlines.
    """

    batch: MicroBatch
    parts: tuple[Part, ...]
    rejects: tuple[Rejects, ...]
    timing: Timing
    slack_s: float | None


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """A micro-batch with its scores.

    parts: the rows that have one, by variant.
    rejects: all other records.
    slack_s: as in PreparedBatch.
    """

    batch: MicroBatch
    parts: tuple[Part, ...]
    rejects: Rejects
    timing: Timing
    slack_s: float | None

    @property
    def scored(self) -> int:
        """Rows that have a score; scored + len(rejects) = len(batch)."""
        return sum(len(part.rows) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a worker has spent since the batch before, which is told with the next one.

    batch_id: names the next batch; no two batches of any worker share one. number: which one of its worker's, from 1.
    cpu_s: of the whole process; before the first batch, since it began. produce_s: waiting for deliveries that ended.
    idle_s: without a batch under way.
    """

    batch_id: int
    number: int
    cpu_s: float
    produce_s: float
    idle_s: float


@dataclass(frozen=True, slots=True)
class Written:
    """What one chunk gives to write, framed; all of it goes to the chunk's partition number."""

    predictions: pa.BinaryArray
    dead_letters: pa.BinaryArray


@dataclass(frozen=True, slots=True)
class Run:
    """What one bundle did in a batch. digest: short. rows: scored. run_s: how long its model ran for them."""

    digest: str
    rows: int
    run_s: float


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A micro-batch, ready to be written.

    written: one for each chunk. entries: one or more. scored_at_ms: time of scoring, as recorded.
    contract_ids: of the scored rows, ascending, each once. runs: of the bundles that answered.
    """

    batch: MicroBatch
    written: tuple[Written, ...]
    entries: tuple[LedgerEntry, ...]
    stats: BatchStats
    spent: Spent
    scored_at_ms: int
    contract_ids: tuple[int, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStats:
    """What metrics and traces say of a batch.

    rows: variant -> rows scored.
    cache_hits, cache_lookups: feature keys over all views. incomplete_records: see FeatureBlock.incomplete.
    feature_status: (view, status) -> rows.
    feature_oldest_s: view -> age of the oldest record used, seconds.
    traceparents: of the scored rows, null where the caller gave none.
    store: state of the online store's breaker; None without features.
    slack_s: as in PreparedBatch.
    """

    rows: Mapping[str, int]
    rejects: Rejects
    timing: Timing
    cache_hits: int
    cache_lookups: int
    incomplete_records: int
    feature_status: Mapping[tuple[str, Status], int]
    feature_oldest_s: Mapping[str, float]
    model_retries: int
    traceparents: pa.Array | pa.ChunkedArray
    store: BreakerState | None
    slack_s: float | None

    @property
    def scored(self) -> int:
        """Rows scored, whichever variant answered."""
        return sum(self.rows.values())
