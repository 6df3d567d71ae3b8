"""The scorer's last step: what was scored is written, entered in the ledger, and acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from weir.agents.worker.lane import Lane
from weir.core.features import Status
from weir.core.pace import Pace
from weir.core.topics import Names
from weir.edges.kafka.faust_transport import ChunkApp
from weir.edges.kafka.producer import Producer
from weir.edges.observability.spans import Span, Spans
from weir.scoring.predict import Ran, Scored, Scorer
from weir.telemetry import BatchScored, Telemetry

# Nobody waits for the ledger, and an entry costs as much as a small batch's predictions: so entries of small batches
# wait for each other, this long, and neighbours become one. Acknowledgements come after them.
ENTRY_S = 0.05
ENTRY_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Parts:
    """What a scorer is made of, opened before the worker joins its group."""

    scorer: Scorer
    producer: Producer
    names: Names
    telemetry: Telemetry
    spans: Spans


@dataclass(frozen=True, slots=True)
class Done:
    """A batch with its scores, to be written. share: of dead letters in the window, when it was scored."""

    ran: Ran
    share: float


@dataclass(frozen=True, slots=True)
class Ready:
    """Batches to be written at once.

    owed: batches that were written before, and enter the ledger with these; None when it is not time for entries.
    """

    ran: Sequence[Ran]
    owed: Sequence[Scored] | None

    def __len__(self) -> int:
        return sum(len(ran.good.batch) for ran in self.ran)


class Delivery:
    """Writes batches in their order. Leaving the context waits for what is under way."""

    def __init__(self, app: ChunkApp, pace: Pace, parts: Parts) -> None:
        self._app, self._pace, self._parts = app, pace, parts
        self._ends = ExitStack()
        self._lane = self._ends.enter_context(Lane("write"))
        self._flushing = self._ends.enter_context(ThreadPoolExecutor(1, "flush"))
        self._owed: list[Scored] = []  # delivered, and not in the ledger
        self._owed_since_s = 0.0
        self._next: asyncio.Future[Done] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._next is not None:
            self._next.cancel()
        self._ends.close()

    async def follow(self, done: asyncio.Queue[Done]) -> None:
        """Deliver what comes, until cancelled: all that gathered while a delivery was waited for is the next one.

        A batch's task is done when it is acknowledged. Raises what the producer raises.
        """
        loop = asyncio.get_running_loop()
        write = partial(_write, self._parts)
        while True:
            ready = await self._ready(done)
            settle, began = self._is_due(ready), time.perf_counter()
            delivered = await self._lane.start(write, Ready([one.ran for one in ready], self._owed if settle else None))
            await loop.run_in_executor(self._flushing, self._parts.producer.flush)
            spent_s = time.perf_counter() - began - sum(scored.encode_s for scored in delivered)
            for one, scored in zip(ready, delivered, strict=True):
                self._pace.took(len(scored.batch), scored.timing.busy_s + scored.encode_s, scored.slack_s)
                _tell(scored, self._parts, one.share, spent_s / len(ready))
            self._owe(delivered)
            if settle:
                self._settle(done)

    async def _ready(self, done: asyncio.Queue[Done]) -> list[Done]:
        """The batches that wait, at least one; none when the ledger is due before one comes."""
        if self._next is None:
            self._next = asyncio.ensure_future(done.get())
        due_s = self._owed_since_s + ENTRY_S - time.monotonic() if self._owed else None
        await asyncio.wait({self._next}, timeout=due_s)
        if not self._next.done():
            return []
        ready, self._next = [self._next.result()], None
        while not done.empty():
            ready.append(done.get_nowait())
        return ready

    def _is_due(self, ready: Sequence[Done]) -> bool:
        """Whether the ledger's entries are to be written, those of `ready` among them."""
        rows = sum(len(scored.batch) for scored in self._owed) + sum(len(one.ran.good.batch) for one in ready)
        waited_s = time.monotonic() - self._owed_since_s if self._owed else 0.0
        return not ready or rows >= ENTRY_ROWS or waited_s >= ENTRY_S

    def _owe(self, delivered: Sequence[Scored]) -> None:
        if not self._owed:
            self._owed_since_s = time.monotonic()
        self._owed += delivered

    def _settle(self, done: asyncio.Queue[Done]) -> None:
        """All that is owed is in the ledger: other workers need not repeat it."""
        for scored in self._owed:
            for chunk in scored.batch.chunks:
                self._app.ack(chunk)
            done.task_done()
        self._owed.clear()


def _write(parts: Parts, ready: Ready) -> list[Scored]:
    """Everything goes to the partition number of its request, so that source offsets only rise within a partition."""
    delivered, names = [], parts.names
    for ran in ready.ran:
        scored = parts.scorer.encode(ran, wall_ms=_now_ms(), tick=time.perf_counter)
        for chunk, written in zip(scored.batch.chunks, scored.written, strict=True):
            for topic, values in ((names.predictions, written.predictions), (names.dead_letters, written.dead_letters)):
                if len(values):
                    parts.producer.write(topic, chunk.source.partition, values)
        delivered.append(scored)
    if ready.owed is not None:
        accounts = [account for scored in (*ready.owed, *delivered) for account in scored.accounts]
        for partition, entry in parts.scorer.entries(accounts, _now_ms()):
            parts.producer.write(names.ledger, partition, entry)
    return delivered


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _tell(scored: Scored, parts: Parts, share: float, produce_s: float) -> None:
    timing, now_ns = scored.timing, time.time_ns()
    parts.telemetry.emit(
        BatchScored(
            service=scored.service,
            variant=scored.variant,
            rows=scored.scored,
            closed_by=scored.batch.closed_by.value,
            wait_s=timing.wait_s,
            decode_s=timing.decode_s,
            lookup_s=timing.lookup_s,
            assemble_s=timing.assemble_s,
            run_s=timing.run_s,
            encode_s=scored.encode_s,
            produce_s=produce_s,
            lag_s=max(0.0, now_ns / 1e9 - scored.batch.oldest_ms / 1e3),
            rejected=Counter(zip(scored.rejects.stage, scored.rejects.reason, strict=True)),
            dead_letter_share=share,
            cache_hits=scored.cache_hits,
            cache_lookups=scored.cache_lookups,
            feature_status={(view, Status(code)): rows for (view, code), rows in scored.status_counts.items()},
            feature_oldest_s=scored.oldest_age_s,
            model_retries=scored.model_retries,
            store=scored.store,
        )
    )
    spent_s = timing.busy_s + scored.encode_s + produce_s
    closed_by = scored.batch.closed_by.value
    parts.spans.record(
        Span(
            "score",
            now_ns - int(spent_s * 1e9),
            now_ns,
            scored.traceparents,
            {"weir.rows": scored.scored, "weir.rejected": len(scored.rejects), "weir.closed_by": closed_by},
        )
    )
