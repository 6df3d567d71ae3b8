"""When the machine itself stood still: a process on each core that asks to be woken again and again.

It comes before everything else that runs here where it may (SCHED_RR); what it then waits for is the machine's: another
guest, the hypervisor, an interrupt. Where it may not, a busy machine of one's own looks the same. Run as a program
(`python -m tests.bench.gaps CORE`) until its input ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from weir.settings import ROOT

EVERY_S = 0.01  # 0.7 % of a core; a thousand looks a second were seen in the latencies beside them
LEAST_MS = 5.0  # woken so much late is noted
STOLEN_FIELD = 7  # of the first line of /proc/stat: ticks that another guest had


@dataclass(frozen=True, slots=True)
class Gap:
    """A core gave nobody its time: until when (monotonic seconds), and for how long."""

    core: int
    until_s: float
    ms: float


class Gaps:
    """Watches every core from entry to exit; then `found` are its gaps, and `stolen` the share other guests took."""

    def __init__(self) -> None:
        self.found: list[Gap] = []
        self.stolen = 0.0
        self._watching: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self._began_s, self._stolen_s = time.monotonic(), _stolen_s()
        for core in _cores():
            command = [sys.executable, "-m", "tests.bench.gaps", str(core)]
            pipe = subprocess.PIPE
            self._watching.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True))
        for watching in self._watching:
            if watching.stdout is not None:
                watching.stdout.readline()  # it watches from now on
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watching in self._watching:
            said, _ = watching.communicate(timeout=30)
            self.found += [Gap(*one) for one in json.loads(said)]
        self.stolen = (_stolen_s() - self._stolen_s) / (time.monotonic() - self._began_s) / len(_cores())

    def worst_ms(self, begin_s: float, end_s: float) -> float:
        """The longest gap that ends between two monotonic times, or begins there; 0 when there is none."""
        return max((gap.ms for gap in self.found if begin_s < gap.until_s < end_s + gap.ms / 1000), default=0.0)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _stolen_s() -> float:
    stat = Path("/proc/stat")
    ticks = int(stat.read_text().split("\n", 1)[0].split()[1 + STOLEN_FIELD]) if stat.is_file() else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _watch(core: int) -> None:
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_max(os.SCHED_RR)))
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    found: list[tuple[int, float, float]] = []
    print(flush=True)
    before_s = time.monotonic()
    while not ended.is_set():
        time.sleep(EVERY_S)  # how late it ends is what is measured
        now_s = time.monotonic()
        if (ms := (now_s - before_s - EVERY_S) * 1000) > LEAST_MS:
            found.append((core, now_s, ms))
        before_s = now_s
    print(json.dumps(found))


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
