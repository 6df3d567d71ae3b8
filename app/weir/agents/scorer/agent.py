"""The scorer: requests of one service in, predictions, dead letters and ledger entries out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial
from typing import Any

from weir.agents.scorer.delivery import Delivery
from weir.agents.scorer.resources import ScorerResources, readable
from weir.agents.worker.batcher import Batcher
from weir.agents.worker.host import parked_on_failure
from weir.agents.worker.serial_executor import SerialExecutor
from weir.core.batching import AdaptiveBatching
from weir.core.errors import Refused
from weir.core.limit import DeadLetterLimit
from weir.edges.kafka.faust_app import ChunkApp, chunk_topic, new_app
from weir.scoring.batches import ScoredBatch
from weir.settings import Settings

AHEAD = 2  # scored batches that may wait for a delivery: it lasts as long as computing one or two


def new_scorer(settings: Settings, resources: ScorerResources) -> ChunkApp:
    """The Faust app that scores `settings.service`."""
    settings = readable(settings, features=resources.scorer.service.reads_features)
    names, service = settings.kafka.names, settings.scoring.service
    app = new_app(settings, names.scorers(service))
    topic = chunk_topic(app, names.requests(service))

    async def requests(stream: Any) -> None:
        batching = AdaptiveBatching(
            settings.scoring.batch_max_rows,
            settings.scoring.batch_max_wait_ms / 1000,
            settings.scoring.latency_budget_ms / 1000,
        )
        await parked_on_failure(app, score(app, Batcher(app, stream, batching), batching, resources))

    app.agent(topic, name="requests")(requests)
    return app


async def score(app: ChunkApp, batcher: Batcher, batching: AdaptiveBatching, resources: ScorerResources) -> None:
    """Score requests as they come. At least once: a row may be written twice, never lost.

    1. take a micro-batch, un-acknowledged      3. encode and write what it gave, wait for delivery
    2. prepare it, then run the model on it      4. enter it in the ledger, acknowledge its chunks

    Steps 3 and 4 are `Delivery.follow`. Preparing, running and writing each do one batch at a time, so batches keep
    their order while one is prepared, another one is run, with the next at hand, and earlier ones are written. All that
    was run while a delivery was waited for is the next delivery.
    """
    running: asyncio.Queue[asyncio.Future[ScoredBatch]] = asyncio.Queue(AHEAD)
    scored: asyncio.Queue[ScoredBatch] = asyncio.Queue(AHEAD)
    prepare = partial(resources.scorer.prepare, tick=time.perf_counter)
    run = partial(resources.scorer.run, tick=time.perf_counter)
    limit = DeadLetterLimit(app.settings.scoring.dead_letter_limit, app.settings.scoring.dead_letter_window)
    with (
        SerialExecutor("prepare") as preparer,
        SerialExecutor("run") as runner,
        Delivery(app, batching, resources, limit) as delivery,
    ):
        followers = [
            asyncio.ensure_future(_judge(running, scored, limit)),
            asyncio.ensure_future(delivery.follow(scored)),
        ]
        for follower in followers:
            follower.add_done_callback(partial(_fail, app))
        try:
            async for batch in batcher.batches():  # step 1
                resources.meter.begin(batch.wait_s)
                prepared = await preparer.start(partial(prepare, batch), rows=len(batch))  # step 2
                await running.put(runner.start(partial(run, prepared), rows=len(batch)))
            await running.join()
            await scored.join()
        finally:
            for follower in followers:
                follower.cancel()


async def _judge(
    running: asyncio.Queue[asyncio.Future[ScoredBatch]], scored: asyncio.Queue[ScoredBatch], limit: DeadLetterLimit
) -> None:
    """Scored batches in their order; stops the worker behind the first with which too many records are dead letters.

    What was judged is delivered and acknowledged before: a restart goes on after it, and the dead letters can be seen.
    """
    while True:
        batch = await (await running.get())
        passed = limit.add(len(batch.batch), len(batch.rejects))
        await scored.put(batch)
        if passed:
            await scored.join()
            raise _too_many(limit, batch)
        running.task_done()


def _too_many(limit: DeadLetterLimit, scored: ScoredBatch) -> Refused:
    """Stops before more of a broken stream drains into the dead letters; this batch is written and acknowledged."""
    reasons = ", ".join(f"{n} {reason}" for reason, n in Counter(scored.rejects.reason).most_common(3))
    head = scored.batch.chunks[0]
    return Refused(
        f"{limit.rejected} of the last {limit.read} records are dead letters, latest {reasons}",
        where=f"{head.source.topic}, partition {head.source.partition}, offset {head.first}",
        remedy="repair the producer and start the scorer again: it goes on after what it has read, which is recorded "
        "(see `weir dead-letters list`); raise WEIR_DEAD_LETTER_LIMIT to let more pass",
    )


def _fail(app: ChunkApp, follower: asyncio.Future[None]) -> None:
    """What ended a follower ends the worker."""
    error = None if follower.cancelled() else follower.exception()
    if error is not None:
        app.fail(error)
