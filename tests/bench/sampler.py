"""CPU time and resident size of processes over time, sampled from a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np
import psutil

EVERY_S = 0.1


class Sampler:
    """Samples from entry to exit. groups: a name -> pids of its processes."""

    def __init__(self, groups: Mapping[str, list[int]], every_s: float = EVERY_S) -> None:
        self._processes = {name: [psutil.Process(pid) for pid in pids] for name, pids in groups.items()}
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self.times_ms: list[float] = []
        self.cpu_s: dict[str, list[float]] = {name: [] for name in groups}
        self.rss: dict[str, list[int]] = {name: [] for name in groups}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def cpu_between(self, name: str, begin_ms: float, end_ms: float) -> float:
        """CPU seconds of a group between two times of the wall clock, by linear interpolation."""
        at = np.interp([begin_ms, end_ms], self.times_ms, self.cpu_s[name])
        return float(at[1] - at[0])

    def _run(self) -> None:
        self._sample()  # the first and the last look enclose everything between
        while not self._stop.wait(self._every_s):
            self._sample()
        self._sample()

    def _sample(self) -> None:
        found = {name: [_look(process) for process in group] for name, group in self._processes.items()}
        self.times_ms.append(time.time() * 1000)
        for name, looks in found.items():
            self.cpu_s[name].append(sum(cpu for cpu, _ in looks))
            self.rss[name].append(sum(rss for _, rss in looks))


def _look(process: psutil.Process) -> tuple[float, int]:
    try:
        with process.oneshot():
            times = process.cpu_times()
            return times.user + times.system, process.memory_info().rss
    except psutil.Error:
        return 0.0, 0
