"""The scorer: requests of one service in, predictions, dead letters and ledger entries out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.agents.host import parked_on_failure
from app.agents.intake import Intake
from app.agents.lane import Lane
from app.core.contract import requests_topic
from app.core.errors import Refused
from app.core.features import Status
from app.core.limit import DeadLetterLimit
from app.core.pace import Pace
from app.edges.producer import Producer
from app.edges.spans import Span, Spans
from app.edges.transport import ChunkApp, chunk_topic, new_app
from app.scoring.predict import Ran, Scored, Scorer
from app.settings import Settings
from app.telemetry import BatchScored, Telemetry

PREDICTIONS, DEAD_LETTERS, LEDGER = "weir.predictions", "weir.dead-letters", "weir.ledger"
AHEAD = 2  # scored batches that may wait for a delivery: it lasts as long as computing one or two


def group_of(service: str) -> str:
    """Consumer group of a service's scorers, and with it the name of their Faust app."""
    return f"weir-scorer-{service}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a scorer is made of, opened before the worker joins its group."""

    scorer: Scorer
    producer: Producer
    telemetry: Telemetry
    spans: Spans


def new_scorer(settings: Settings, parts: Parts) -> ChunkApp:
    """The Faust app that scores `settings.service`."""
    app = new_app(settings, group_of(settings.service))
    topic = chunk_topic(app, requests_topic(settings.service))

    async def requests(stream: Any) -> None:
        pace = Pace(settings.batch_max_rows, settings.batch_max_wait_ms / 1000, settings.latency_budget_ms / 1000)
        await parked_on_failure(app, score(app, Intake(app, stream, pace), pace, parts))

    app.agent(topic, name="requests")(requests)
    return app


async def score(app: ChunkApp, intake: Intake, pace: Pace, parts: Parts) -> None:
    """Score requests as they come. At least once: a row may be written twice, never lost.

    1. take a micro-batch, un-acknowledged      3. encode and write what it gave, wait for delivery
    2. prepare it, then run the model on it      4. acknowledge its chunks

    Preparing, running and writing each do one batch at a time, so batches keep their order while one is prepared,
    another one is run, with the next at hand, and earlier ones are written. All that was run while a delivery was
    waited for is the next delivery.
    """
    begun: asyncio.Queue[asyncio.Future[Ran]] = asyncio.Queue(AHEAD)
    done: asyncio.Queue[_Done] = asyncio.Queue(AHEAD)
    prepare = partial(parts.scorer.prepare, tick=time.perf_counter)
    run = partial(parts.scorer.run, tick=time.perf_counter)
    with Lane("prepare") as preparing, Lane("run") as running, ThreadPoolExecutor(1, "write") as writing:
        followers = [
            asyncio.ensure_future(_judge(begun, done, _limit(app.settings))),
            asyncio.ensure_future(_deliver(app, done, pace, parts, writing)),
        ]
        for follower in followers:
            follower.add_done_callback(partial(_report, app))
        try:
            async for batch in intake.batches():
                ready = await preparing.start(prepare, batch)
                await begun.put(running.start(run, ready))
            await begun.join()
            await done.join()
        finally:
            for follower in followers:
                follower.cancel()


@dataclass(frozen=True, slots=True)
class _Done:
    """A batch with its scores, to be written. share: of dead letters in the window, when it was scored."""

    ran: Ran
    share: float


async def _judge(
    begun: asyncio.Queue[asyncio.Future[Ran]], done: asyncio.Queue[_Done], limit: DeadLetterLimit
) -> None:
    """Scored batches in their order; stops the worker at the first one with which too many records are dead letters."""
    while True:
        ran = await (await begun.get())
        if limit.add(len(ran.good.batch), len(ran.rejects)):
            await done.join()                # the batches before it are good
            raise _too_many(limit, ran)
        await done.put(_Done(ran, limit.share))
        begun.task_done()


def _limit(settings: Settings) -> DeadLetterLimit:
    return DeadLetterLimit(settings.dead_letter_limit, settings.dead_letter_window)


def _too_many(limit: DeadLetterLimit, ran: Ran) -> Refused:
    """Stops before a broken stream drains into the dead letters: nothing of this batch is written or acknowledged."""
    reasons = ", ".join(f"{n} {reason}" for reason, n in Counter(ran.rejects.reason).most_common(3))
    head = ran.good.batch.chunks[0]
    return Refused(
        f"{limit.rejected} of the last {limit.read} records are dead letters, latest {reasons}",
        where=f"{head.source.topic}, partition {head.source.partition}, offset {head.first}",
        remedy="repair the producer, or raise WEIR_DEAD_LETTER_LIMIT, and start the scorer again",
    )


async def _deliver(
    app: ChunkApp, done: asyncio.Queue[_Done], pace: Pace, parts: Parts, writing: ThreadPoolExecutor
) -> None:
    while True:
        ready = [await done.get()]
        while not done.empty():
            ready.append(done.get_nowait())
        began = time.perf_counter()
        write = partial(_write, parts, [one.ran for one in ready])
        delivered = await asyncio.get_running_loop().run_in_executor(writing, write)
        produce_s = (time.perf_counter() - began - sum(scored.encode_s for scored in delivered)) / len(ready)
        for one, scored in zip(ready, delivered, strict=True):
            for chunk in scored.batch.chunks:
                app.ack(chunk)
            pace.took(len(scored.batch), scored.timing.busy_s + scored.encode_s, scored.slack_s)
            _tell(scored, parts, one.share, produce_s)
            done.task_done()


def _write(parts: Parts, ready: list[Ran]) -> list[Scored]:
    """Everything goes to the partition number of its request, so that source offsets only rise within a partition."""
    delivered = []
    for ran in ready:
        scored = parts.scorer.encode(ran, wall_ms=time.time_ns() // 1_000_000, tick=time.perf_counter)
        for chunk, written in zip(scored.batch.chunks, scored.written, strict=True):
            for topic, values in (
                (PREDICTIONS, written.predictions), (DEAD_LETTERS, written.dead_letters), (LEDGER, written.ledger)
            ):  # fmt: skip
                if len(values):
                    parts.producer.write(topic, chunk.source.partition, values)
        delivered.append(scored)
    parts.producer.flush()
    return delivered


def _tell(scored: Scored, parts: Parts, share: float, produce_s: float) -> None:
    timing, now_ns = scored.timing, time.time_ns()
    parts.telemetry.emit(BatchScored(
        service=scored.service, variant=scored.variant, rows=scored.scored, closed_by=scored.batch.closed_by.value,
        wait_s=timing.wait_s, decode_s=timing.decode_s, lookup_s=timing.lookup_s, assemble_s=timing.assemble_s,
        run_s=timing.run_s, encode_s=scored.encode_s, produce_s=produce_s,
        lag_s=max(0.0, now_ns / 1e9 - scored.batch.oldest_ms / 1e3),
        rejected=Counter(zip(scored.rejects.stage, scored.rejects.reason, strict=True)),
        dead_letter_share=share, cache_hits=scored.cache_hits, cache_lookups=scored.cache_lookups,
        feature_status={(view, Status(code)): rows for (view, code), rows in scored.status_counts.items()},
        feature_oldest_s=scored.oldest_age_s, model_retries=scored.model_retries, store=scored.store,
    ))  # fmt: skip
    spent_s = timing.busy_s + scored.encode_s + produce_s
    closed_by = scored.batch.closed_by.value
    parts.spans.record(Span(
        "score", now_ns - int(spent_s * 1e9), now_ns, scored.traceparents,
        {"weir.rows": scored.scored, "weir.rejected": len(scored.rejects), "weir.closed_by": closed_by},
    ))  # fmt: skip


def _report(app: ChunkApp, delivery: asyncio.Future[None]) -> None:
    error = None if delivery.cancelled() else delivery.exception()
    if error is not None:
        app.fail(error)
