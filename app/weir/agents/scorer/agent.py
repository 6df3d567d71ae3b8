"""The scorer: requests of one service in, predictions, dead letters and ledger entries out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial
from typing import Any

from weir.agents.scorer.delivery import Delivery, Done, Parts
from weir.agents.scorer.parts import readable
from weir.agents.worker.host import parked_on_failure
from weir.agents.worker.intake import Intake
from weir.agents.worker.lane import Lane
from weir.core.errors import Refused
from weir.core.limit import DeadLetterLimit
from weir.core.pace import Pace
from weir.edges.kafka.faust_transport import ChunkApp, chunk_topic, new_app
from weir.scoring.predict import Ran
from weir.settings import Settings

AHEAD = 2  # scored batches that may wait for a delivery: it lasts as long as computing one or two


def new_scorer(settings: Settings, parts: Parts) -> ChunkApp:
    """The Faust app that scores `settings.service`."""
    settings = readable(settings, parts.scorer.service.lookup)
    names, service = settings.kafka.names, settings.scoring.service
    app = new_app(settings, names.scorers(service))
    topic = chunk_topic(app, names.requests(service))

    async def requests(stream: Any) -> None:
        pace = Pace(
            settings.scoring.batch_max_rows,
            settings.scoring.batch_max_wait_ms / 1000,
            settings.scoring.latency_budget_ms / 1000,
        )
        await parked_on_failure(app, score(app, Intake(app, stream, pace), pace, parts))

    app.agent(topic, name="requests")(requests)
    return app


async def score(app: ChunkApp, intake: Intake, pace: Pace, parts: Parts) -> None:
    """Score requests as they come. At least once: a row may be written twice, never lost.

    1. take a micro-batch, un-acknowledged      3. encode and write what it gave, wait for delivery
    2. prepare it, then run the model on it      4. enter it in the ledger, acknowledge its chunks

    Preparing, running and writing each do one batch at a time, so batches keep their order while one is prepared,
    another one is run, with the next at hand, and earlier ones are written. All that was run while a delivery was
    waited for is the next delivery.
    """
    begun: asyncio.Queue[asyncio.Future[Ran]] = asyncio.Queue(AHEAD)
    done: asyncio.Queue[Done] = asyncio.Queue(AHEAD)
    prepare = partial(parts.scorer.prepare, tick=time.perf_counter)
    run = partial(parts.scorer.run, tick=time.perf_counter)
    with Lane("prepare") as preparing, Lane("run") as running, Delivery(app, pace, parts) as delivery:
        followers = [
            asyncio.ensure_future(_judge(begun, done, _limit(app.settings))),
            asyncio.ensure_future(delivery.follow(done)),
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


async def _judge(begun: asyncio.Queue[asyncio.Future[Ran]], done: asyncio.Queue[Done], limit: DeadLetterLimit) -> None:
    """Scored batches in their order; stops the worker at the first one with which too many records are dead letters."""
    while True:
        ran = await (await begun.get())
        if limit.add(len(ran.good.batch), len(ran.rejects)):
            await done.join()  # the batches before it are good
            raise _too_many(limit, ran)
        await done.put(Done(ran, limit.share))
        begun.task_done()


def _limit(settings: Settings) -> DeadLetterLimit:
    return DeadLetterLimit(settings.scoring.dead_letter_limit, settings.scoring.dead_letter_window)


def _too_many(limit: DeadLetterLimit, ran: Ran) -> Refused:
    """Stops before a broken stream drains into the dead letters: nothing of this batch is written or acknowledged."""
    reasons = ", ".join(f"{n} {reason}" for reason, n in Counter(ran.rejects.reason).most_common(3))
    head = ran.good.batch.chunks[0]
    return Refused(
        f"{limit.rejected} of the last {limit.read} records are dead letters, latest {reasons}",
        where=f"{head.source.topic}, partition {head.source.partition}, offset {head.first}",
        remedy="repair the producer, or raise WEIR_DEAD_LETTER_LIMIT, and start the scorer again",
    )


def _report(app: ChunkApp, delivery: asyncio.Future[None]) -> None:
    error = None if delivery.cancelled() else delivery.exception()
    if error is not None:
        app.fail(error)
