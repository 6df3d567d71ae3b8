"""Looks on from beside: committed offsets that must never go back, memory that must stay bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from confluent_kafka import KafkaException

from tests.chaos.scene import Scene
from tests.group_offsets import Source, committed_by
from tests.waiting import WAIT_S

LOOK_S = 0.3


@contextmanager
def looking(look: Callable[[], Any], every_s: float = LOOK_S) -> Iterator[list[tuple[float, Any]]]:
    """Call `look` again and again from a thread; what it returned, with the monotonic time of each look."""
    seen: list[tuple[float, Any]] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every_s):
            seen.append((time.monotonic(), look()))

    thread = threading.Thread(target=run, name="watch", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(WAIT_S)


@contextmanager
def never_back(scene: Scene) -> Iterator[None]:
    """Raises AssertionError, at the end, when a committed offset of the scorers' group went back."""
    settings, topic = scene.service.settings, scene.service.topic
    with committed_by(settings, settings.kafka.names.scorers(scene.service.name)) as committed:

        def look() -> dict[Source, int]:
            try:
                return committed((topic, number) for number in range(4))
            except KafkaException:
                return {}

        with looking(look) as seen:
            yield
    highest: dict[Source, int] = {}
    for _, offsets in seen:
        for source, offset in offsets.items():
            before = highest.get(source, 0)
            assert offset >= before, f"partition {source[1]} was committed at {before}, then at {offset}"
            highest[source] = offset


@contextmanager
def memory(scene: Scene, name: str, limit_mib: int) -> Iterator[None]:
    """Raises AssertionError, at the end, when the worker's resident memory was above the limit."""
    process = psutil.Process(scene.children[name].pid)
    with looking(lambda: process.memory_info().rss // 2**20) as seen:
        yield
    most = max((mib for _, mib in seen), default=0)
    scene.notes.append(f"{name} used {most} MiB at most, the bound is {limit_mib} MiB")
    assert most <= limit_mib, f"{name} used {most} MiB, more than {limit_mib}"
