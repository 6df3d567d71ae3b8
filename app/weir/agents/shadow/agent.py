"""The shadow: predictions of one service in, what another bundle says of the same requests out. It answers nobody."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from weir.agents.shadow.names import LoggedNames
from weir.agents.worker.announcement import announce
from weir.agents.worker.batcher import Batcher
from weir.agents.worker.following import Following
from weir.agents.worker.host import parked_on_failure
from weir.agents.worker.learned import Learned
from weir.agents.worker.serial_executor import SerialExecutor
from weir.core.batch import MicroBatch
from weir.core.batching import FixedBatching
from weir.core.errors import Refused
from weir.edges.bundles import folder, runtime
from weir.edges.bundles.opened import Opened, open_bundle
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.faust_app import ChunkApp, chunk_topic, new_app
from weir.edges.kafka.producer import Producer
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.scoring.shadow import Shadow, ShadowBatch
from weir.scoring.variant import Variant
from weir.settings import Settings
from weir.telemetry import ShadowScored, Telemetry
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

MAX_RECORD_BYTES = 1_048_576  # max_message_bytes of predictions: what the broker took is read
BATCH_ROWS = 8192  # nobody waits for it; more rows at once make ONNX Runtime no faster
BATCH_S = 0.05


@dataclass(frozen=True, slots=True)
class ShadowResources:
    """Everything that a shadow needs, open."""

    shadow: Shadow
    producer: Producer
    topic: str
    telemetry: Telemetry
    following: Following | None = None

    def close(self) -> None:
        """Close the producer, and follow no learner any more."""
        if self.following is not None:
            self.following.close()
        self.producer.close()


def open_shadow(settings: Settings, telemetry: Telemetry, variant: str = "") -> tuple[ShadowResources, Opened]:
    """Bundle, contracts, topics and producer of a shadow of the bundle's service.

    variant: its name, by default the first characters of the bundle's digest, so that no two bundles share one.

    Raises:
        Unavailable: broker, topic or registry cannot be reached.
        Refused: no bundle is named, or it or a contract is not what it should be.
    """
    if not settings.scoring.bundle:
        raise Refused("no bundle is named", remedy="give --bundle PATH or set WEIR_BUNDLE")
    described = folder.read(folder.find(settings.scoring.bundle, settings))
    runtime.hold(described.bundle, settings.scoring.runtime_policy)
    opened = open_bundle(described, wanted=settings.scoring.engine)
    names, registry = settings.kafka.names, Registry(settings.registry)
    _check_partitions(settings)

    def decoder(topic: str) -> Any:
        return partial(
            Decoder(contract_of(settings, registry, topic), registry.schema_text).decode, max_bytes=MAX_RECORD_BYTES
        )

    name = settings.having(variant=variant or opened.bundle.short_digest).scoring.variant
    learned = Learned(settings, opened, telemetry) if opened.bundle.learner else None
    called = Variant(
        name,
        opened.bundle,
        opened.model.run,
        opened.known_good,
        known_values=opened.known_values,
        reference=opened.reference,
        learning=learned.now if learned else None,
    )
    following = Following(settings, learned).start() if learned else None
    shadow = Shadow(
        variant=called,
        decode=decoder(names.predictions),
        names=LoggedNames(settings.kafka, decoder(names.bundles)).of,
        encode=Encoder(contract_of(settings, registry, names.shadows)).frames,
        max_failed=BATCH_ROWS,
    )
    producer = Producer(settings.kafka, names.shadow(opened.bundle.service, called.name))
    announce(settings, producer, "shadow", [called], runtime.of(opened.model))
    return ShadowResources(shadow, producer, names.shadows, telemetry, following), opened


def new_shadow(settings: Settings, resources: ShadowResources) -> ChunkApp:
    """The Faust app that reads predictions, in a group of this shadow's own."""
    variant = resources.shadow.variant
    settings = settings.having(chunk_max_records=min(settings.kafka.chunk_max_records, BATCH_ROWS))
    app = new_app(settings, settings.kafka.names.shadow(variant.bundle.service, variant.name))

    async def predictions(stream: Any) -> None:
        batcher = Batcher(app, stream, FixedBatching(BATCH_ROWS, BATCH_S))
        await parked_on_failure(app, shadow(app, batcher, resources))

    app.agent(chunk_topic(app, settings.kafka.names.predictions), name="predictions")(predictions)
    return app


async def shadow(app: ChunkApp, batcher: Batcher, resources: ShadowResources) -> None:
    """Score answered requests as their answers come. At least once: a row may be written twice, never lost.

    1. take a micro-batch, un-acknowledged      3. wait for delivery
    2. score it, write what it gave             4. acknowledge its chunks
    """
    seen: set[str] = set()
    loop = asyncio.get_running_loop()
    with SerialExecutor("shadow") as executor:
        async for batch in batcher.batches():
            scored = await executor.start(partial(_write, resources, batch), rows=len(batch))
            await loop.run_in_executor(None, resources.producer.flush)
            _tell(resources, scored, seen)
            for chunk in batch.chunks:
                app.ack(chunk)


def _write(resources: ShadowResources, batch: MicroBatch) -> ShadowBatch:
    """Everything goes to the partition number of its request, so that source offsets only rise within a partition."""
    scored = resources.shadow.score(batch, wall_ms=time.time_ns() // 1_000_000)
    for chunk, values in zip(batch.chunks, scored.written, strict=True):
        if len(values):
            resources.producer.write(resources.topic, chunk.source.partition, values)
    return scored


def _tell(resources: ShadowResources, scored: ShadowBatch, seen: set[str]) -> None:
    """Metrics of the batch; and in the log, once, every bundle of which this one can say nothing."""
    variant = resources.shadow.variant
    resources.telemetry.emit(
        ShadowScored(
            service=variant.bundle.service,
            variant=variant.name,
            rows=scored.scored,
            unscored={reason.value: rows for reason, rows in scored.unscored.items()},
        )
    )
    if new := scored.lacking - seen:
        structlog.get_logger(__name__).error(
            "answers of these bundles are not scored: their inputs are unknown, or lack some of this bundle's",
            digests=sorted(new)[:10],
            inputs=list(variant.bundle.signature.names)[:50],
            reasons={reason.value: rows for reason, rows in scored.unscored.items()},
        )
        seen |= new


def _check_partitions(settings: Settings) -> None:
    """A shadow's row goes to the partition number of its request."""
    names = settings.kafka.names
    needed, found = (partitions_of(settings.kafka, topic) for topic in (names.predictions, names.shadows))
    if found < needed:
        raise Refused(
            f"{names.shadows} has {found} partitions and {names.predictions} has {needed}",
            where=settings.kafka.brokers,
            remedy=f"give {names.shadows} at least {needed} partitions",
        )
