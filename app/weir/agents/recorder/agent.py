"""The recorder: what workers and business systems say on Kafka, into ClickHouse, each record exactly once."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pyarrow as pa
import structlog

from weir.agents.recorder.names import KnownNames
from weir.agents.worker.batcher import Batcher
from weir.agents.worker.host import parked_on_failure
from weir.core.batch import MicroBatch
from weir.core.batching import FixedBatching
from weir.core.decoded import Decoded
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import ledger
from weir.edges.clickhouse.blocks import ClickHouseBlocks
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.faust_app import ChunkApp, chunk_topic, new_app
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.native import loops
from weir.recording import naming
from weir.recording.recorder import Flushed, Recorder, Stream
from weir.recording.streams import streams
from weir.settings import Settings
from weir.telemetry import BlockRecorded, LedgerChecked, Telemetry, WriteRetried
from weir.wire.decode import Decoder

MAX_RECORD_BYTES = 8_388_608  # max_message_bytes of the largest of these topics: what the broker took is read
# Times the rows of a block: a batch is a block for each of its partitions, and a block has a fixed cost, in ClickHouse
# that of its tables and views, here that of its histograms. With 16 partitions a row of so large a batch costs half.
GATHERED = 4
RECORD_BYTES = 384  # of a prediction with 30 inputs, and more
AT_ONCE = 4  # partitions written together: a block costs about 30 ms of waiting, whatever its size


def new_recorder(settings: Settings, telemetry: Telemetry) -> Callable[[], ChunkApp]:
    """Opens what a recorder needs; the app itself is made inside the event loop.

    Raises:
        Unavailable: ClickHouse, registry or a topic cannot be reached.
        Refused: ClickHouse lacks the tables, or a contract is not what it should be.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    store = ClickHouseBlocks(
        settings, worker, lambda _error: telemetry.emit(WriteRetried(role="recorder", sink="clickhouse"))
    )
    store.check()
    names = open_names(settings, telemetry)
    opened = open_streams(settings, names)
    for topic in opened:
        partitions_of(settings.kafka, topic)
    gathered = GATHERED * settings.recording.block_max_rows
    # Blocks of all partitions fill at the same time, and the next ones while these are on their way.
    limits = settings.having(
        inflight_max_records=max(settings.kafka.inflight_max_records, 2 * gathered),
        inflight_max_kbytes=max(settings.kafka.inflight_max_kbytes, 2 * gathered * RECORD_BYTES // 1024),
    )
    loops.want()
    recorder = Recorder(store, opened, block_max_rows=settings.recording.block_max_rows)

    def new() -> ChunkApp:
        app = new_app(limits, settings.kafka.names.recorder(settings.recording.clickhouse_database))

        async def records(stream: Any) -> None:
            batcher = Batcher(app, stream, FixedBatching(gathered, limits.recording.block_max_wait_s))
            await parked_on_failure(app, record(app, batcher, recorder, telemetry))

        app.agent(chunk_topic(app, *opened), name="records")(records)
        app.task(partial(watch_ledger, settings, telemetry))
        app.task(names.name_late)
        return app

    return new


async def watch_ledger(settings: Settings, telemetry: Telemetry) -> None:
    """Tell the ledger as metrics, now and then."""
    log = structlog.get_logger(__name__)
    while True:
        await asyncio.sleep(settings.recording.ledger_every_s)
        try:
            client = await asyncio.to_thread(clickhouse.connect, settings.recording)
            look = partial(ledger.read, client, settings.scoring.service, settle_s=settings.recording.ledger_settle_s)
            found = await asyncio.to_thread(look)
        except (Unavailable, Refused) as error:  # recording notices by itself, and has a budget to wait
            log.warning("the ledger could not be asked", reason=str(error))
            continue
        telemetry.emit(
            LedgerChecked(
                service=settings.scoring.service,
                gaps=found.gaps,
                duplicates=found.duplicates,
                missing=found.missing,
                stray=found.stray,
                unbalanced=found.unbalanced,
            )
        )


def open_names(settings: Settings, telemetry: Telemetry) -> KnownNames:
    """What the packed columns of predictions mean. Raises Unavailable, Refused."""
    return KnownNames(settings, _decode(settings, Registry(settings.registry), settings.kafka.names.bundles), telemetry)


def _decode(
    settings: Settings, registry: Registry, topic: str
) -> Callable[[pa.LargeBinaryArray | Sequence[bytes]], Decoded]:
    read = Decoder(contract_of(settings, registry, topic), registry.schema_text)
    return partial(read.decode, max_bytes=MAX_RECORD_BYTES)


def open_streams(settings: Settings, names: naming.Names) -> dict[str, Stream]:
    """What is recorded, by topic. Raises Unavailable, Refused."""
    return streams(settings.kafka.names, partial(_decode, settings, Registry(settings.registry)), names)


async def record(app: ChunkApp, batcher: Batcher, recorder: Recorder, telemetry: Telemetry) -> None:
    """Record what comes.

    1. take chunks, un-acknowledged             3. acknowledge the chunks that are wholly recorded
    2. announce and insert their blocks

    A chunk may have to wait for the next round: the block of which it is the head was announced before a crash, and its
    tail is still to be fetched.
    """
    log = structlog.get_logger(__name__)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "record") as one, ThreadPoolExecutor(AT_ONCE, "insert") as several:
        async for batch in batcher.batches():
            flushed = await loop.run_in_executor(one, _write, recorder, batch, several)
            for chunk in flushed.done:
                app.ack(chunk)
            for block in flushed.blocks:
                telemetry.emit(
                    BlockRecorded(
                        table=block.table,
                        rows=block.rows,
                        insert_s=block.insert_s,
                        repeats=block.repeats,
                        replayed=block.replayed,
                    )
                )
            for source, first, last in flushed.skipped:
                log.error(
                    "records were lost before they were recorded",
                    topic=source.topic,
                    partition=source.partition,
                    first=first,
                    last=last,
                )


def _write(recorder: Recorder, batch: MicroBatch, several: ThreadPoolExecutor) -> Flushed:
    for chunk in batch.chunks:
        recorder.take(chunk)
    return recorder.flush(several.map)
