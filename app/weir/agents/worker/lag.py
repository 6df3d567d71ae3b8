"""How far a worker is behind, as metrics: told from beside the agents, so that it is told while they wait too."""

from __future__ import annotations

import asyncio
import time

from weir.core.chunk import Partition
from weir.edges.kafka.faust_app import ChunkApp
from weir.telemetry import ChunkCommitted, ChunkFetched, LagMeasured, PartitionsAssigned, Telemetry

EVERY_S = 1.0


async def tell(app: ChunkApp, telemetry: Telemetry, role: str) -> None:
    """Emit fetched records, acknowledged positions, lag and assignment every second, until cancelled."""
    assigned: set[Partition] = set()
    fetched: dict[Partition, int] = {}
    positions: dict[Partition, int] = {}
    while True:
        progress = app.progress()
        if set(progress) != assigned:
            telemetry.emit(PartitionsAssigned(role=role, partitions=len(progress)))
            assigned, fetched, positions = set(progress), {}, {}
        for source, seen in progress.items():
            new = seen.fetched - fetched.get(source, 0)
            if new > 0:
                telemetry.emit(ChunkFetched(role=role, topic=source.topic, records=new))
            if seen.position != positions.get(source):
                telemetry.emit(
                    ChunkCommitted(
                        role=role,
                        topic=source.topic,
                        partition=source.partition,
                        offset=seen.position,
                        records=max(0, seen.position - positions.get(source, seen.position)),
                    )
                )
            age_s = max(0.0, time.time() - seen.oldest_ms / 1000) if seen.oldest_ms is not None else 0.0
            telemetry.emit(
                LagMeasured(
                    role=role,
                    topic=source.topic,
                    partition=source.partition,
                    seconds=age_s,
                    records=max(0, seen.highwater - seen.position),
                )
            )
            fetched[source], positions[source] = seen.fetched, seen.position
        await asyncio.sleep(EVERY_S)
