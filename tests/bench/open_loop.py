"""Load generator and receiver of the latency section, in a process of its own: `python -m tests.bench.open_loop PLAN`.

Request i is due at start + i / rate whatever came of those before it, and its latency counts from then: a system that
stalls is charged for every request that fell due meanwhile. Nothing but sending and receiving happens during the loop;
what was received is written to a file and looked at afterwards. Both ends use one monotonic clock.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import Consumer, Message, Producer, TopicPartition

HEAD_START_S = 0.5  # until the first request is due: both threads run by then
PATIENCE_S = 60.0  # after the last request, for answers that are late


class Receiver(threading.Thread):
    """Takes predictions as they come, with the time at which they came."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(name="receiver", daemon=True)
        self._consumer = Consumer(
            plan["client"]
            | {
                "group.id": "bench-open-loop",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": plan["fetch_wait_max_ms"],
                "queued.max.messages.kbytes": 65_536,
            }
        )
        self._consumer.assign([TopicPartition(plan["predictions"], int(p), end) for p, end in plan["ends"].items()])
        self.taken: list[tuple[float, list[Message]]] = []
        self.count = 0
        self.stop = threading.Event()

    def run(self) -> None:
        """Wait for one, then take all that are there: one look at the clock for each waking up."""
        while not self.stop.is_set():
            first = self._consumer.poll(0.1)
            if first is None:
                continue
            now = time.monotonic()
            messages = [first, *self._consumer.consume(10_000, 0)]
            self.taken.append((now, messages))
            self.count += len(messages)
        self._consumer.close()


def send(plan: dict[str, Any], values: list[bytes], start_s: float) -> npt.NDArray[np.float64]:
    """Send each request when it is due; when each was handed to the client, float64[n]."""
    producer = Producer(
        plan["client"]
        | {
            "linger.ms": plan["linger_ms"],
            "queue.buffering.max.messages": 2_000_000,
            "acks": "all",
        }
    )
    topic, partitions, rate = plan["requests"], plan["partitions"], plan["rate"]
    called = np.empty(len(values))
    at = 0
    while at < len(values):
        now = time.monotonic()
        due = min(len(values), int((now - start_s) * rate) + 1) if now >= start_s else 0
        if due <= at:
            time.sleep(max(0.0, start_s + at / rate - now))
            continue
        for i in range(at, due):
            producer.produce(topic, values[i], partition=i % partitions)
        called[at:due] = now
        at = due
        producer.poll(0)
    if producer.flush(PATIENCE_S):
        raise RuntimeError("the broker did not take all requests")
    return called


def _head_start_s(begin_s: float | None) -> float:
    """Until the first request is due. Raises RuntimeError when the time at which it was to be is over."""
    if begin_s is None:
        return HEAD_START_S
    left_s = begin_s - time.time()
    if left_s < HEAD_START_S:
        raise RuntimeError(f"the loop was to begin {HEAD_START_S - left_s:.1f} s ago")
    return left_s


def main(path: str) -> None:
    """Run a plan; what was received goes to plan["out"], as Arrow, and the times of sending beside it."""
    plan = json.loads(Path(path).read_text())
    with pa.memory_map(plan["values"]) as source:
        values = pa.ipc.open_file(source).read_all()["value"].to_pylist()
    with contextlib.suppress(PermissionError):  # elsewhere it has a machine of its own; here it must not wait for ours
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    receiver = Receiver(plan)
    receiver.start()
    gc.disable()
    start_s = time.monotonic() + _head_start_s(plan["begin_s"])
    called = send(plan, values, start_s)
    deadline_s = time.monotonic() + PATIENCE_S
    while receiver.count < len(values) and time.monotonic() < deadline_s:
        time.sleep(0.05)  # between two looks
    receiver.stop.set()
    receiver.join()
    good = [(now, message.value()) for now, messages in receiver.taken for message in messages if not message.error()]
    table = pa.table(
        {
            "received_s": pa.array([now for now, _ in good], pa.float64()),
            "value": pa.array([value for _, value in good], pa.binary()),
        }
    )
    with pa.OSFile(plan["out"], "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    np.savez(plan["out"] + ".npz", due=start_s + np.arange(len(values)) / plan["rate"], called=called)


if __name__ == "__main__":
    main(sys.argv[1])
