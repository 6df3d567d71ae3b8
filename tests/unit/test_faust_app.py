"""What Faust is given while it goes from one assignment to the next: it drops what it cannot place, without a word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pyarrow as pa
from weir.core.chunk import Partition
from weir.edges.kafka.faust_app import ChunkApp, new_app
from weir.edges.kafka.faust_consumer import ChunkConsumer
from weir.edges.kafka.holdings import Holdings
from weir.edges.kafka.librdkafka.consumer import Polled, Records
from weir.settings import Settings, load

HERE = Partition("t", 0)


class Poller:
    """Stands for the polling thread: it holds one partition, from which a record comes when a test says so."""

    def __init__(self) -> None:
        self.holdings = Holdings(100)
        self.holdings.assign({HERE: 0}, {"t": "log"})

    def come(self) -> None:
        at = self.holdings.next_offsets()[HERE]
        one, none = pa.array([b"x"], pa.large_binary()), pa.nulls(1, pa.large_binary())
        records = Records(HERE, one, none, np.array([at], np.int64), 0, 0)
        self.holdings.add(Polled(time.monotonic(), [records], [], {HERE: at + 1}, {}))


async def nobody(_: Any) -> None:
    """Faust's side of a rebalance, which these tests do without."""


def consumer_of(app: ChunkApp) -> ChunkConsumer:
    consumer = ChunkConsumer(app.transport, nobody, nobody, nobody)
    consumer.poller = Poller()  # type: ignore[assignment]  # stands for it
    return consumer


async def messages(consumer: ChunkConsumer) -> AsyncIterator[Any]:
    """As Faust asks for them."""
    while True:
        async for _, message in consumer.getmany(60.0):
            yield message


def settings_in(tmp_path: Any) -> Settings:
    return load().having(home=tmp_path)


def test_nothing_is_handed_over_before_faust_lets_messages_flow(tmp_path):
    async def run() -> None:
        consumer = consumer_of(new_app(settings_in(tmp_path), "group"))
        waiting = asyncio.ensure_future(anext(messages(consumer)))  # as it does when a rebalance begins
        await asyncio.sleep(0)
        consumer.stop_flow()
        consumer.poller.come()
        consumer._on_ready()
        for _turn in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        consumer.resume_flow()
        message = await asyncio.wait_for(waiting, 60)
        assert [(chunk.first, chunk.last) for chunk in message.value] == [(0, 0)]

    asyncio.run(run())


def test_a_tap_that_is_open_throws_nothing_away_when_it_is_opened_once_more(tmp_path):
    async def run() -> list[int]:
        app = new_app(settings_in(tmp_path), "group")
        queue = app.FlowControlQueue(maxsize=2, clear_on_resume=True)
        app.flow_control.resume()
        await queue.put(1)
        app.flow_control.resume()  # for a rebalance that is over
        kept = queue.qsize()
        app.flow_control.suspend()
        app.flow_control.resume()
        return [kept, queue.qsize()]

    assert asyncio.run(run()) == [1, 0]
