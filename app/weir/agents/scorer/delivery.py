"""The scorer's last steps: what was scored is written, entered in the ledger, and acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from weir.agents.scorer.resources import ScorerResources
from weir.agents.worker.serial_executor import SerialExecutor
from weir.core.batching import AdaptiveBatching
from weir.core.limit import DeadLetterLimit
from weir.edges.kafka.faust_app import ChunkApp
from weir.edges.observability.spans import Span
from weir.scoring.batches import EncodedBatch, ScoredBatch
from weir.telemetry import BatchScored

# Nobody waits for the ledger, and an entry costs as much as a small batch's predictions: so entries of small batches
# wait for each other, this long, and neighbours become one. Acknowledgements come after them.
ENTRY_S = 0.05
ENTRY_ROWS = 1024


class Delivery:
    """Writes batches in their order. Leaving the context waits for what is under way.

    limit: whose share of dead letters is reported with each batch.
    """

    def __init__(
        self, app: ChunkApp, batching: AdaptiveBatching, resources: ScorerResources, limit: DeadLetterLimit
    ) -> None:
        self._app, self._batching, self._resources, self._limit = app, batching, resources, limit
        self._ends = ExitStack()
        self._writer = self._ends.enter_context(SerialExecutor("write"))
        self._flushing = self._ends.enter_context(ThreadPoolExecutor(1, "flush"))
        self._owed: list[EncodedBatch] = []  # delivered, and not in the ledger
        self._owed_since_s = 0.0
        self._next: asyncio.Future[ScoredBatch] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._next is not None:
            self._next.cancel()
        self._ends.close()

    async def follow(self, scored: asyncio.Queue[ScoredBatch]) -> None:
        """Deliver what comes, until cancelled: all that gathered while a delivery was waited for is the next one.

        A batch's task is done when it is acknowledged. Raises what the producer raises.
        """
        loop = asyncio.get_running_loop()
        while True:
            ready = await self._ready(scored)
            due, began = self._is_due(ready), time.perf_counter()
            # Step 3: encode and write, wait for delivery. Entries of earlier batches go with them when they are due.
            write = partial(_write, self._resources, ready, self._owed if due else None)
            encoded = await self._writer.start(write, rows=sum(len(one.batch) for one in ready))
            await loop.run_in_executor(self._flushing, self._resources.producer.flush)
            self._report(encoded, time.perf_counter() - began)
            self._owe(encoded)
            # Step 4: what is in the ledger is acknowledged, and only that.
            if due:
                self._settle(scored)

    async def _ready(self, scored: asyncio.Queue[ScoredBatch]) -> list[ScoredBatch]:
        """The batches that wait, at least one; none when the ledger is due before one comes."""
        if self._next is None:
            self._next = asyncio.ensure_future(scored.get())
        due_s = self._owed_since_s + ENTRY_S - time.monotonic() if self._owed else None
        await asyncio.wait({self._next}, timeout=due_s)
        if not self._next.done():
            return []
        ready, self._next = [self._next.result()], None
        while not scored.empty():
            ready.append(scored.get_nowait())
        return ready

    def _is_due(self, ready: Sequence[ScoredBatch]) -> bool:
        """Whether the ledger's entries are to be written, those of `ready` among them."""
        rows = sum(len(one.batch) for one in self._owed) + sum(len(one.batch) for one in ready)
        waited_s = time.monotonic() - self._owed_since_s if self._owed else 0.0
        return not ready or rows >= ENTRY_ROWS or waited_s >= ENTRY_S

    def _report(self, encoded: Sequence[EncodedBatch], spent_s: float) -> None:
        """To the batching policy, the metrics and the traces. spent_s: for encoding and delivering all of them."""
        produce_s = spent_s - sum(one.stats.timing.encode_s for one in encoded)
        self._resources.meter.delivered(len(encoded), produce_s)
        for one in encoded:
            self._batching.observe(len(one.batch), one.stats.timing.busy_s, one.stats.slack_s)
            _emit(one, self._resources, self._limit.share, produce_s / len(encoded))

    def _owe(self, encoded: Sequence[EncodedBatch]) -> None:
        if not self._owed:
            self._owed_since_s = time.monotonic()
        self._owed += encoded

    def _settle(self, scored: asyncio.Queue[ScoredBatch]) -> None:
        """All that is owed is in the ledger: other workers need not repeat it."""
        for one in self._owed:
            for chunk in one.batch.chunks:
                self._app.ack(chunk)
            scored.task_done()
        self._owed.clear()


def _write(
    resources: ScorerResources, ready: Sequence[ScoredBatch], owed: Sequence[EncodedBatch] | None
) -> list[EncodedBatch]:
    """Everything goes to the partition number of its request, so that source offsets only rise within a partition.

    owed: batches that were written before, and enter the ledger with these; None when entries are not due. The records
    of the batches themselves go with their entries: what is acknowledged has both.
    """
    encoded, names = [], resources.names
    for scored in ready:
        one = resources.output.encode(scored, resources.meter.take(), wall_ms=_now_ms(), tick=time.perf_counter)
        for chunk, written in zip(one.batch.chunks, one.written, strict=True):
            for topic, values in ((names.predictions, written.predictions), (names.dead_letters, written.dead_letters)):
                if len(values):
                    resources.producer.write(topic, chunk.source.partition, values)
        encoded.append(one)
    if owed is not None:
        done = (*owed, *encoded)
        resources.producer.write(names.batches, 0, resources.output.encode_batches(done))
        entries = [entry for one in done for entry in one.entries]
        for partition, entry in resources.output.encode_entries(entries, _now_ms()):
            resources.producer.write(names.ledger, partition, entry)
    return encoded


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _emit(encoded: EncodedBatch, resources: ScorerResources, share: float, produce_s: float) -> None:
    stats, batch, now_ns = encoded.stats, encoded.batch, time.time_ns()
    resources.telemetry.emit(
        BatchScored(
            service=resources.output.service,
            rows=stats.rows,
            closed_by=batch.closed_by.value,
            stage_s={**stats.timing.by_stage, "produce": produce_s},
            lag_s=max(0.0, now_ns / 1e9 - batch.oldest_ms / 1e3),
            rejected=Counter(zip(stats.rejects.stage, stats.rejects.reason, strict=True)),
            dead_letter_share=share,
            cache_hits=stats.cache_hits,
            cache_lookups=stats.cache_lookups,
            incomplete_records=stats.incomplete_records,
            feature_status=stats.feature_status,
            feature_oldest_s=stats.feature_oldest_s,
            model_retries=stats.model_retries,
            store=stats.store,
        )
    )
    facts = {"weir.rows": stats.scored, "weir.rejected": len(stats.rejects), "weir.closed_by": batch.closed_by.value}
    began_ns = now_ns - int((stats.timing.busy_s + produce_s) * 1e9)
    resources.spans.record(Span("score", began_ns, now_ns, stats.traceparents, facts))
