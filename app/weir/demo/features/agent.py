"""The feature worker: feature events in, online features out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa

from weir.agents.worker.batcher import Batcher
from weir.agents.worker.host import parked_on_failure
from weir.agents.worker.serial_executor import SerialExecutor
from weir.core.batch import MicroBatch
from weir.core.batching import FixedBatching
from weir.core.errors import Refused
from weir.core.times import impossible
from weir.demo.features.updater import FOREVER, Applied, FeatureUpdater
from weir.demo.project import events_topic
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.faust_app import ChunkApp, chunk_topic, new_app
from weir.edges.kafka.logs import log_of
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.settings import Settings
from weir.telemetry import FeaturesApplied, Telemetry
from weir.wire.decode import Decoder

CLOCK_S = 0.001  # between two looks at a replay's clock


def new_features(settings: Settings, telemetry: Telemetry) -> Callable[[], ChunkApp]:
    """A maker of the Faust app that keeps the online store. Raises Unavailable, Refused: nothing is joined yet."""
    topic, group = events_topic(settings), settings.kafka.names.features
    if partitions_of(settings.kafka, topic) != 1:
        raise Refused(
            f"{topic} has more than one partition, and the statistics need every event in order",
            where=settings.kafka.brokers,
            remedy="make the topic anew with one partition",
        )
    registry = Registry(settings.registry)
    decoder = Decoder(contract_of(settings, registry, topic), registry.schema_text)
    updater = FeatureUpdater.of(settings, log_of(settings.kafka, topic))

    def new() -> ChunkApp:
        app = new_app(settings, group, from_beginning=True)

        async def events(stream: Any) -> None:
            batcher = Batcher(
                app, stream, FixedBatching(settings.scoring.batch_max_rows, 0.0)
            )  # events gain nothing by waiting
            await parked_on_failure(app, apply(app, batcher, decoder, updater, telemetry))

        app.agent(chunk_topic(app, topic), name="events")(events)
        return app

    return new


async def apply(
    app: ChunkApp, batcher: Batcher, decoder: Decoder, updater: FeatureUpdater, telemetry: Telemetry
) -> None:
    """Apply events as they come; in a replay, as far as its clock has come.

    1. take a micro-batch, un-acknowledged    3. (apply writes the store, in one transaction with the watermark)
    2. apply it to the statistics             4. acknowledge its chunks: a restart reads them again in any case
    """
    settings = app.settings
    replayed = settings.scoring.clock == "event"
    turn = asyncio.Lock()  # the updater is used by one task at a time

    def step(batch: MicroBatch) -> Applied:
        decoded = decoder.decode(batch.values, settings.scoring.max_record_bytes)
        if len(decoded.rejects):
            raise _unusable(batch, len(decoded.rejects), f"{decoded.rejects.reason[0]}, {decoded.rejects.detail[0]}")
        times = decoded.rows["event_time"].cast(pa.int64()).to_numpy(zero_copy_only=False)
        if (wrong := impossible(times)).any():  # a clock record among them would stop the features for good
            raise _unusable(batch, int(wrong.sum()), f"event_time = {times[wrong][0]} ms since 1970")
        return updater.apply(decoded.rows, updater.clock_us() if replayed else FOREVER)

    async def follow() -> None:
        reached_us = 0
        while True:
            clock_us = updater.clock_us()
            if clock_us != reached_us:
                async with turn:
                    _tell(telemetry, updater.release(clock_us))
                reached_us = clock_us
            await asyncio.sleep(CLOCK_S)

    following = asyncio.ensure_future(parked_on_failure(app, follow())) if replayed else None
    try:
        with SerialExecutor("apply") as executor:
            async for batch in batcher.batches():
                async with turn:
                    _tell(telemetry, await executor.start(partial(step, batch), rows=len(batch)))
                for chunk in batch.chunks:
                    app.ack(chunk)
    finally:
        if following is not None:
            following.cancel()


def _unusable(batch: MicroBatch, count: int, why: str) -> Refused:
    return Refused(
        f"{count} feature events cannot be used: {why}",
        where=f"{batch.chunks[0].source.topic}, from offset {batch.chunks[0].first}",
        remedy="a feature computed without them would be wrong; repair the producer, skip them by a new topic",
    )


def _tell(telemetry: Telemetry, applied: Applied) -> None:
    if applied.records:
        telemetry.emit(
            FeaturesApplied(records=applied.records, write_s=applied.write_s, watermark_us=applied.watermark_us)
        )
