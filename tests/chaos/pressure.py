"""Group 7: too much, too slow, at strange times, twice, out of order, too large."""

from __future__ import annotations

import time
from pathlib import Path

from weir.core.rejects import Reason, Stage

from tests import tiny_requests as tiny
from tests.asleep import asleep
from tests.chaos.scene import Fault, Scene
from tests.chaos.watch import memory, never_back
from tests.service_under_test import MAX_BYTES

BASE, OVERLOAD = 100.0, 50
BURST_S = 4.0
NARROW = {"inflight_max_records": 2000, "inflight_max_kbytes": 4096, "chunk_max_records": 500}
MEMORY_MIB = 700  # a worker without load has about 350 with its libraries; the rest is for its bounded queues
DAY_MS = 86_400_000
CLOCK = Path(__file__).parent / "jumping_clock"
JUMPS_S = (400 * 86_400.0, -1.0, -50 * 365 * 86_400.0, 3600.0, -3600.0, 0.0)


def overload(scene: Scene, rounds: int) -> list[float]:
    """Fifty times the usual rate, through queues that hold a fraction of it."""
    scene.scorers(**NARROW)
    scene.recorder(**NARROW)
    scene.under_load(BASE, 40)
    recoveries = []
    with memory(scene, "scorer", MEMORY_MIB), memory(scene, "recorder", MEMORY_MIB), never_back(scene):
        for _ in range(rounds):
            scene.load.rate = BASE * OVERLOAD
            time.sleep(BURST_S)
            scene.load.rate = BASE
            scene.load.flush()
            recoveries.append(scene.recovered())
    return recoveries


def slow_consumer(scene: Scene, rounds: int) -> list[float]:
    """Scorers and recorder sleep in turns, each for 0.9 of every 3 seconds, while requests keep coming."""
    scene.scorers(**NARROW)
    scene.recorder(**NARROW)
    scene.until_ready("scorer", "rival", "recorder")
    recoveries = []
    with memory(scene, "scorer", MEMORY_MIB), memory(scene, "recorder", MEMORY_MIB), never_back(scene):
        for _ in range(rounds):
            scene.load.rate = 5 * BASE
            for name in ("scorer", "rival", "recorder") * 3:
                with asleep(scene.children[name].pid):
                    time.sleep(0.9)  # the sleep is the fault
                time.sleep(0.1)
            scene.load.rate = BASE
            recoveries.append(scene.recovered())
    return recoveries


def clock_jumps(scene: Scene, rounds: int) -> list[float]:
    """Wall clocks of scorers and recorder jump by hours, a year, half a century, and back."""
    clock = Path(scene.service.folder) / "clock"
    scene.environment = {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": str(clock)}
    scene.at_work(3 * BASE)
    recoveries = []
    for _ in range(rounds):
        for ahead_s in JUMPS_S:
            clock.write_text(str(ahead_s))
            scene.pause(0.2, 1.5)
        recoveries.append(scene.recovered())
    years = scene.client.query("SELECT uniqExact(toYear(scored_at)) FROM predictions").first_row[0]
    assert years >= 3, f"the clocks did not jump: rows of {years} years"
    return recoveries


def strange_times(scene: Scene, rounds: int) -> list[float]:
    """Event times out of order, from 1970 to 2099; those outside can be given no id and are rejected."""
    scene.at_work(BASE)
    recoveries = []
    for _ in range(rounds):
        for _ in range(20):
            scene.load.send(20, at_ms=scene.chance.randrange(0, 4_102_444_800_000 - 1_000_000))
        for at_ms in (-1, -DAY_MS, 4_102_444_800_000, 2**53):
            rows = tiny.rows(1, first=scene.chance.randrange(10**9))
            beyond = scene.service.encoder.encode(tiny.changed(rows, event_time=at_ms))[0]
            scene.truth.expect_letter(beyond, Stage.VALIDATE, Reason.OUT_OF_RANGE)
            scene.load.send_values([beyond])
        scene.load.flush()
        recoveries.append(scene.recovered())
    return recoveries


def duplicates_out_of_order(scene: Scene, rounds: int) -> list[float]:
    """The same requests again, shuffled, on any partition: each record has its own offset and its own answer."""
    scene.at_work(BASE)
    recoveries = []
    for _ in range(rounds):
        again = scene.load.send(1000)
        scene.chance.shuffle(again)
        scene.load.send_values([*again, *again[:300]])
        scene.load.flush()
        recoveries.append(scene.recovered())
    return recoveries


def oversized(scene: Scene, rounds: int) -> list[float]:
    """Requests of hundreds of kilobytes, whose limit is two: rejected with their bytes, in bounded memory."""
    scene.scorers(**NARROW)
    scene.recorder(**NARROW)
    scene.until_ready("scorer", "rival", "recorder")
    scene.load.rate = BASE
    recoveries = []
    good = tiny.rows(1, first=900_000)
    with memory(scene, "scorer", MEMORY_MIB), memory(scene, "recorder", MEMORY_MIB):
        for number in range(rounds):
            for size in (MAX_BYTES, 100_000, 950_000):
                large = scene.service.encoder.encode(tiny.changed(good, tenant=f"{number}" + "x" * size))[0]
                scene.truth.expect_letter(large, Stage.DECODE, Reason.OVERSIZED)
                scene.load.send_values([large] * 15)
            scene.load.flush()
            recoveries.append(scene.recovered())
    return recoveries


FAULTS = [
    Fault(7, "50 times overload", overload, full=3),
    Fault(7, "slow scorer and recorder", slow_consumer, full=3),
    Fault(7, "clock jumps", clock_jumps, full=5),
    Fault(7, "event times from 1970 to 2099", strange_times, full=5),
    Fault(7, "duplicates, out of order", duplicates_out_of_order, full=5),
    Fault(7, "requests above the limit", oversized, full=5),
]
