"""The last stage: a scored batch as the records that are written for it, and the ledger's entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from weir.core.features import Status
from weir.core.ledger_entry import LedgerEntry
from weir.scoring import batch_record, records
from weir.scoring.batch_record import Worker
from weir.scoring.batches import BatchStats, EncodedBatch, Part, Run, ScoredBatch, Spent, Written

Encode = Callable[[pa.RecordBatch, dict[str, object]], pa.BinaryArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Encodes what one scorer writes.

    digest: of the bundle that its ledger entries name. worker: who writes them.
    encode_*: columns under the contract of that record, and what all rows share -> framed values.
    encode_batch: one record's values by field -> its framed value.
    """

    worker: Worker
    digest: str
    encode_predictions: Encode
    encode_dead_letters: Encode
    encode_ledger: Encode
    encode_batch: Callable[[Mapping[str, object]], bytes]

    @property
    def service(self) -> str:
        """Scoring service."""
        return self.worker.service

    def encode(self, scored: ScoredBatch, spent: Spent, *, wall_ms: int, tick: Callable[[], float]) -> EncodedBatch:
        """What is to be written of a batch.

        spent: what came before it. wall_ms: time of scoring, as recorded. tick: monotonic seconds.
        """
        began = tick()
        written = self._written(scored, spent.batch_id, wall_ms)
        entries = records.entries(scored.batch, scored.rejects)
        timing = replace(scored.timing, encode_s=tick() - began)
        return EncodedBatch(
            batch=scored.batch,
            written=written,
            entries=entries,
            stats=_stats(replace(scored, timing=timing)),
            spent=spent,
            scored_at_ms=wall_ms,
            contract_ids=_contract_ids(scored.parts),
            runs=tuple(Run(part.variant.bundle.short_digest, len(part.rows), part.run_s) for part in scored.parts),
        )

    def encode_batches(self, encoded: Iterable[EncodedBatch]) -> list[bytes]:
        """The records of whole batches, framed."""
        return [self.encode_batch(batch_record.values(one, self.worker)) for one in encoded]

    def encode_entries(self, entries: Iterable[LedgerEntry], wall_ms: int) -> list[tuple[int, pa.BinaryArray]]:
        """The ledger's entries, neighbours as one: partition number and framed value."""
        joined = LedgerEntry.joined(entries)
        framed = self.encode_ledger(
            *records.ledger(joined, "scorer", self.service, self.digest, self.worker.worker, recorded_at_ms=wall_ms)
        )
        return [(entry.source.partition, framed[i : i + 1]) for i, entry in enumerate(joined)]

    def _written(self, scored: ScoredBatch, batch_id: int, wall_ms: int) -> tuple[Written, ...]:
        """A chunk's rows and its rejects each stand together, in record order, and are cut out of the batch's."""
        batch, rejects = scored.batch, scored.rejects
        predictions, letters = pa.array([], pa.binary()), pa.array([], pa.binary())
        if scored.scored:
            predictions = self.encode_predictions(*records.predictions(scored, batch_id, wall_ms))
        if len(rejects):
            letters = self.encode_dead_letters(*records.dead_letters(batch, rejects, self.service, wall_ms))
        good = np.searchsorted(records.origin_of(scored.parts), batch.bounds)
        bad = np.searchsorted(rejects.record, batch.bounds)
        return tuple(
            Written(predictions[good[i] : good[i + 1]], letters[bad[i] : bad[i + 1]]) for i in range(len(batch.chunks))
        )


def _stats(scored: ScoredBatch) -> BatchStats:
    blocks = [part.block for part in scored.parts if part.block]
    rows: Counter[str] = Counter()
    for part in scored.parts:
        rows[part.variant.name] += len(part.rows)
    return BatchStats(
        rows=rows,
        rejects=scored.rejects,
        timing=scored.timing,
        cache_hits=sum(block.hits for block in blocks),
        cache_lookups=sum(block.lookups for block in blocks),
        incomplete_records=sum(block.incomplete for block in blocks),
        feature_status=_status(scored.parts),
        feature_oldest_s=_oldest_s(scored.parts),
        model_retries=sum(part.model_retries for part in scored.parts),
        traceparents=_traceparents(scored.parts),
        store=max((block.store for block in blocks), default=None),
        slack_s=scored.slack_s,
    )


def _contract_ids(parts: Iterable[Part]) -> tuple[int, ...]:
    found: set[int] = set()
    for ids in (part.rows.contract_id for part in parts if len(part.rows)):
        found.update([int(ids[0])] if (ids == ids[0]).all() else np.unique(ids).tolist())
    return tuple(sorted(found))


def _views(part: Part) -> list[tuple[int, str]]:
    lookup = part.variant.lookup
    return list(enumerate(view.name for view in lookup.plan.views)) if lookup else []


def _status(parts: Iterable[Part]) -> Counter[tuple[str, Status]]:
    counts: Counter[tuple[str, Status]] = Counter()
    for part in parts:
        for column, view in _views(part):
            for code, number in enumerate(np.bincount(part.rows.status[:, column]).tolist()):
                if number:
                    counts[view, Status(code)] += number
    return counts


def _oldest_s(parts: Iterable[Part]) -> dict[str, float]:
    oldest: dict[str, float] = {}
    for part in parts:
        for column, view in _views(part):
            oldest[view] = max(oldest.get(view, 0.0), float(part.rows.age_s[:, column].max(initial=0)))
    return oldest


def _traceparents(parts: tuple[Part, ...]) -> pa.Array:
    found = [part.rows.columns.column("traceparent") for part in parts]
    return found[0] if len(found) == 1 else pa.concat_arrays([pa.array([], pa.string()), *found])
