"""What is written when, and that nothing is acknowledged before the ledger has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from weir.agents.scorer import delivery
from weir.agents.scorer.delivery import Delivery
from weir.agents.scorer.meter import Meter
from weir.agents.scorer.resources import ScorerResources
from weir.core.batch import ClosedBy, MicroBatch
from weir.core.batching import AdaptiveBatching
from weir.core.chunk import Chunk, Partition
from weir.core.errors import Unavailable
from weir.core.ledger_entry import LedgerEntry
from weir.core.limit import DeadLetterLimit
from weir.core.rejects import Rejects
from weir.core.topics import Names
from weir.scoring.batches import BatchStats, EncodedBatch, ScoredBatch, Timing, Written

from tests.waiting import WAIT_S


def batch_of(first: int, rows: int, partition: int = 0) -> MicroBatch:
    values = pa.array([b""] * rows, pa.large_binary())
    chunk = Chunk(Partition("t", partition), first, first + rows - 1, values, values, np.arange(rows), 0, 0, 0.0)
    return MicroBatch((chunk,), ClosedBy.ENOUGH, 0.0)


STATS = BatchStats(
    rows={"champion": 1},
    rejects=Rejects(),
    timing=Timing(),
    cache_hits=0,
    cache_lookups=0,
    incomplete_records=0,
    feature_status={},
    feature_oldest_s={},
    model_retries=0,
    traceparents=pa.nulls(0, pa.string()),
    store=None,
    slack_s=None,
)


class Output:
    """Writes a prediction and an entry of one byte each."""

    service = "tiny"

    def encode(self, scored, spent, *, wall_ms, tick) -> EncodedBatch:
        (chunk,) = scored.batch.chunks
        written = Written(pa.array([b"p"] * len(scored.batch), pa.binary()), pa.array([], pa.binary()))
        entry = LedgerEntry(chunk.source, chunk.first, chunk.last, len(chunk), 0)
        return EncodedBatch(scored.batch, (written,), (entry,), STATS, spent, wall_ms, (), ())

    def encode_batches(self, encoded):
        return [f"{one.spent.number}".encode() for one in encoded]

    def encode_entries(self, entries, wall_ms):
        return [
            (one.source.partition, pa.array([f"{one.first}-{one.last}".encode()], pa.binary()))
            for one in LedgerEntry.joined(entries)
        ]


NAMES = Names("weir")


@dataclass
class World:
    """Producer and app in one, so that what happened to both stands in one order."""

    happened: list[tuple] = field(default_factory=list)
    fails: bool = False
    on_flush: Callable[[], None] = lambda: None

    def write(self, topic, partition, values) -> None:
        whole = {NAMES.ledger: pa.Array.to_pylist, NAMES.batches: list}
        self.happened.append((topic, partition, whole.get(topic, len)(values)))

    def flush(self) -> None:
        if self.fails:
            raise Unavailable("no answer", remedy="none")
        self.happened.append(("flushed",))
        self.on_flush()

    def ack(self, chunk: Chunk) -> None:
        self.happened.append(("acknowledged", chunk.first))

    @property
    def acknowledged(self) -> list[int]:
        return [what[1] for what in self.happened if what[0] == "acknowledged"]


async def deliver(world: World, *batches: MicroBatch, one_by_one: bool = False) -> None:
    """Deliver until all are acknowledged, or the delivery fails."""
    nothing = SimpleNamespace(emit=lambda _: None, record=lambda _: None)
    scored: asyncio.Queue[ScoredBatch] = asyncio.Queue()
    resources = ScorerResources(nothing, Output(), world, NAMES, nothing, nothing, Meter(1))
    with Delivery(world, AdaptiveBatching(4096, 0.01, 0.05), resources, DeadLetterLimit(0.5, 100)) as under_test:
        following = asyncio.ensure_future(under_test.follow(scored))
        for batch in batches:
            scored.put_nowait(ScoredBatch(batch, (), Rejects(), Timing(), None))
            written = len(world.happened)
            while one_by_one and ("flushed",) not in world.happened[written:]:
                await asyncio.sleep(0)
        joined = asyncio.ensure_future(scored.join())
        await asyncio.wait({joined, following}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        assert joined.done() or following.done(), "neither acknowledged nor failed"
        joined.cancel()
        if following.done():
            following.result()
        following.cancel()


def test_small_batches_enter_the_ledger_together_after_they_are_written(monkeypatch):
    """They are due when the third is written: until then their time does not come, however long that takes."""
    monkeypatch.setattr(delivery, "ENTRY_S", 3600.0)

    def third_makes_them_due() -> None:
        if world.happened.count(("flushed",)) == 3:
            monkeypatch.setattr(delivery, "ENTRY_S", 0.0)

    world = World(on_flush=third_makes_them_due)
    asyncio.run(deliver(world, batch_of(0, 5), batch_of(5, 3), batch_of(40, 2, partition=1), one_by_one=True))
    assert world.happened == [
        (NAMES.predictions, 0, 5),
        ("flushed",),
        (NAMES.predictions, 0, 3),
        ("flushed",),
        (NAMES.predictions, 1, 2),
        ("flushed",),
        (NAMES.batches, 0, [b"1", b"2", b"3"]),
        (NAMES.ledger, 0, [b"0-7"]),
        (NAMES.ledger, 1, [b"40-41"]),
        ("flushed",),
        ("acknowledged", 0),
        ("acknowledged", 5),
        ("acknowledged", 40),
    ]


def test_a_large_batch_does_not_wait_for_its_entry():
    world = World()
    asyncio.run(deliver(world, batch_of(0, delivery.ENTRY_ROWS)))
    assert world.happened == [
        (NAMES.predictions, 0, delivery.ENTRY_ROWS),
        (NAMES.batches, 0, [b"1"]),
        (NAMES.ledger, 0, [b"0-1023"]),
        ("flushed",),
        ("acknowledged", 0),
    ]
    assert NAMES.dead_letters not in {what[0] for what in world.happened}


@pytest.mark.parametrize("rows", [5, delivery.ENTRY_ROWS])
def test_what_was_not_delivered_is_not_acknowledged(rows):
    world = World(fails=True)
    with pytest.raises(Unavailable, match="no answer"):
        asyncio.run(deliver(world, batch_of(0, rows)))
    assert world.acknowledged == []
