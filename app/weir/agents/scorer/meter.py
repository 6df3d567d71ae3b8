"""What a scorer spends from one batch to the next: CPU time, waiting for deliveries, idleness."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from weir.scoring.batches import Spent


class Meter:
    """Whatever is spent is told once: with the batch whose record is written next.

    first_id: of the first batch; those after it count on from there. clock: monotonic seconds. cpu: seconds of the
    process since it began. Threads may share it.
    """

    def __init__(
        self, first_id: int, clock: Callable[[], float] = time.monotonic, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._first_id, self._clock, self._cpu = first_id, clock, cpu
        self._lock = threading.Lock()
        self._number = self._under_way = 0
        self._told_cpu_s = self._produce_s = self._idle_s = 0.0
        self._free_since_s = clock()

    def begin(self, wait_s: float) -> None:
        """A batch is under way, whose oldest record was fetched so many seconds ago."""
        with self._lock:
            if not self._under_way:
                self._idle_s += max(0.0, self._clock() - wait_s - self._free_since_s)
            self._under_way += 1

    def delivered(self, batches: int, produce_s: float) -> None:
        """So many batches are through; their delivery was waited for so long."""
        with self._lock:
            self._produce_s += produce_s
            self._under_way -= batches
            if not self._under_way:
                self._free_since_s = self._clock()

    def take(self) -> Spent:
        """What was spent since the last call."""
        with self._lock:
            cpu_s = self._cpu()
            spent = Spent(
                batch_id=self._first_id + self._number,
                number=self._number + 1,
                cpu_s=cpu_s - self._told_cpu_s,
                produce_s=self._produce_s,
                idle_s=self._idle_s,
            )
            self._number += 1
            self._told_cpu_s, self._produce_s, self._idle_s = cpu_s, 0.0, 0.0
        return spent
