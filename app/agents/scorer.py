"""The scorer: requests of one service in, predictions, dead letters and ledger entries out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.agents.host import handed_over, parked_on_failure
from app.agents.intake import Intake
from app.core.batch import MicroBatch
from app.core.contract import requests_topic
from app.core.errors import Refused
from app.core.features import Status
from app.core.limit import DeadLetterLimit
from app.edges.producer import Producer
from app.edges.spans import Span, Spans
from app.edges.transport import ChunkApp, chunk_topic, new_app
from app.scoring.predict import Scored, Scorer
from app.settings import Settings
from app.telemetry import BatchScored, Telemetry

PREDICTIONS, DEAD_LETTERS, LEDGER = "weir.predictions", "weir.dead-letters", "weir.ledger"


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
        intake = Intake(app, stream, settings.batch_max_rows, settings.batch_max_wait_ms / 1000)
        await parked_on_failure(app, score(app, intake, parts))

    app.agent(topic, name="requests")(requests)
    return app


async def score(app: ChunkApp, intake: Intake, parts: Parts) -> None:
    """Score requests as they come. At least once: a row may be written twice, never lost.

    1. take a micro-batch, un-acknowledged      3. write what it gave, wait for delivery
    2. score it, while the one before is written  4. acknowledge its chunks

    Computing and writing each have one thread, so batches keep their order, and a batch is computed while the one
    before it is on its way to the broker.
    """
    settings = app.settings
    limit = DeadLetterLimit(settings.dead_letter_limit, settings.dead_letter_window)
    loop = asyncio.get_running_loop()
    writing: Awaitable[None] | None = None
    with ThreadPoolExecutor(1, "compute") as compute, ThreadPoolExecutor(1, "write") as writer:
        async for batch, events in intake.batches():
            scored = await handed_over(compute, partial(_compute, parts.scorer), batch)
            if writing is not None:
                await writing
            _judge(limit, scored)            # the batch before it is written and acknowledged by now
            delivery = loop.create_task(_deliver(scored, events, parts, limit.share, writer))
            delivery.add_done_callback(partial(_report, app))
            writing = delivery


def _compute(scorer: Scorer, batch: MicroBatch) -> Scored:
    return scorer.score(batch, wall_ms=time.time_ns() // 1_000_000, tick=time.perf_counter)


def _judge(limit: DeadLetterLimit, scored: Scored) -> None:
    """Stop before a broken stream drains into the dead letters: nothing of this batch is written or acknowledged."""
    if limit.add(len(scored.batch), len(scored.rejects)):
        reasons = ", ".join(f"{n} {reason}" for reason, n in Counter(scored.rejects.reason).most_common(3))
        source = scored.batch.chunks[0].source
        raise Refused(
            f"{limit.rejected} of the last {limit.read} records are dead letters, latest {reasons}",
            where=f"{source.topic}, partition {source.partition}, offset {scored.batch.chunks[0].first}",
            remedy="repair the producer, or raise WEIR_DEAD_LETTER_LIMIT, and start the scorer again",
        )


async def _deliver(
    scored: Scored, events: list[Any], parts: Parts, share: float, writer: ThreadPoolExecutor
) -> None:
    began = time.perf_counter()
    await asyncio.get_running_loop().run_in_executor(writer, _write, parts.producer, scored)
    for event in events:
        event.ack()
    _tell(scored, parts, share, time.perf_counter() - began)


def _write(producer: Producer, scored: Scored) -> None:
    """Everything goes to the partition number of its request, so that source offsets only rise within a partition."""
    for chunk, written in zip(scored.batch.chunks, scored.written, strict=True):
        for topic, values in (
            (PREDICTIONS, written.predictions), (DEAD_LETTERS, written.dead_letters), (LEDGER, written.ledger)
        ):  # fmt: skip
            if len(values):
                producer.write(topic, chunk.source.partition, values)
    producer.flush()


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
    spent_s = sum((timing.decode_s, timing.lookup_s, timing.assemble_s, timing.run_s, scored.encode_s, produce_s))
    closed_by = scored.batch.closed_by.value
    parts.spans.record(Span(
        "score", now_ns - int(spent_s * 1e9), now_ns, scored.traceparents,
        {"weir.rows": scored.scored, "weir.rejected": len(scored.rejects), "weir.closed_by": closed_by},
    ))  # fmt: skip


def _report(app: ChunkApp, delivery: asyncio.Task[None]) -> None:
    error = None if delivery.cancelled() else delivery.exception()
    if error is not None:
        app.fail(error)
