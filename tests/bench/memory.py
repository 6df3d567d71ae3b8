"""Resident size and CPU time per row of a scorer: over a long run at full speed, and with a backlog that waits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench import metrics
from tests.bench.drain import SLOWEST_PER_S, joined
from tests.bench.protocol import Judge, Say, slope_per_minute
from tests.bench.sampler import Sampler
from tests.bench.stand import LOOK_S, PREDICTIONS, READY_S, Service, Stand, Worker
from tests.bench.workload import INSIDE
from tests.waiting import until

MIB = 2**20
EVERY_S = 0.5
KEPT = 120  # points of a series in the JSON
AHEAD = 2  # pieces of requests that wait while a long run goes on
FLAT_MIB_PER_MINUTE = 1.0  # 60 MiB an hour would be seen as a leak; allocators and caches settle below it
FLAT_MIB = 64.0  # what a backlog may add: the prefetch queue is bounded by 32 MiB


def measure(stand: Stand, judge: Judge, say: Say) -> dict[str, Any]:
    """Both runs; flat says whether the second half of the long one grew, and whether the backlog took memory."""
    service = stand.service(INSIDE)
    run = _at_full_speed(stand, service, judge)
    say(
        f"memory at full speed for {run['seconds']:.0f} s ({run['rows']:,} rows): {run['rss_mib']:.0f} MiB, "
        f"{run['slope_mib_per_minute']:+.2f} MiB a minute over the second half"
    )
    backlog = _with_backlog(stand, service, judge)
    say(
        f"memory with a backlog of {backlog['rows']:,}: at most {backlog['max_rss_mib']:.0f} MiB; CPU us a row: "
        f"{backlog['cpu_us']:.1f}, without it {run['cpu_us']:.1f}"
    )
    flat = run["slope_mib_per_minute"] <= FLAT_MIB_PER_MINUTE
    return {
        "broker": stand.broker,
        "run": run,
        "backlog": backlog,
        "flat_over_time": flat if not judge.protocol.quick else None,  # too short to tell
        "flat_with_backlog": backlog["max_rss_mib"] <= run["max_rss_mib"] + FLAT_MIB,
    }


def _at_full_speed(stand: Stand, service: Service, judge: Judge) -> dict[str, Any]:
    """Requests are written whenever fewer than AHEAD pieces wait."""
    piece = stand.requests(service, judge.protocol.drain_rows)
    size = judge.protocol.drain_rows
    with stand.workers(service, 1) as workers:
        joined(stand, service, workers)
        before, sent = sum(stand.ends(PREDICTIONS).values()), 0
        with Sampler({"scorer": [workers[0].pid]}, EVERY_S) as sampler:
            began_s, begin = time.monotonic(), _mark(workers)
            while time.monotonic() - began_s < judge.protocol.memory_s:
                stand.stack.check()
                answered = sum(stand.ends(PREDICTIONS).values()) - before
                if sent - answered < AHEAD * size:
                    stand.produce(service.topic, piece)
                    sent += size
                else:
                    time.sleep(LOOK_S)
            end, seconds = _mark(workers), time.monotonic() - began_s
        stand.wait_for(PREDICTIONS, before + sent, AHEAD * size / SLOWEST_PER_S)
    rows = int(end.scored - begin.scored)
    return series(sampler, began_s) | {
        "rows": rows,
        "events_per_s": rows / seconds,
        "cpu_us": _us_per_row(sampler, begin, end),
    }


def _with_backlog(stand: Stand, service: Service, judge: Judge) -> dict[str, Any]:
    """All requests are in the log before the scorer starts."""
    piece, size = stand.requests(service, judge.protocol.drain_rows), judge.protocol.drain_rows
    rows = judge.protocol.memory_backlog_rows // size * size or size
    before = sum(stand.ends(PREDICTIONS).values())
    for _ in range(rows // size):
        stand.produce(service.topic, piece)
    began_s = time.monotonic()
    with (
        stand.workers(service, 1) as workers,
        Sampler({"scorer": [workers[0].pid]}, EVERY_S) as sampler,
    ):
        begin = until(lambda: mark if (mark := _mark(workers)).scored else None, READY_S, "the backlog to be begun")
        stand.wait_for(PREDICTIONS, before + rows, rows / SLOWEST_PER_S)
        end = _mark(workers)
    return series(sampler, began_s) | {"rows": rows, "cpu_us": _us_per_row(sampler, begin, end)}


@dataclass(frozen=True, slots=True)
class Mark:
    """Rows that were scored at a time of the wall clock."""

    at_ms: float
    scored: float


def _mark(workers: Sequence[Worker]) -> Mark:
    return Mark(time.time() * 1000, metrics.scrape(workers).total("weir_scored_rows_total"))


def _us_per_row(sampler: Sampler, begin: Mark, end: Mark) -> float:
    """CPU microseconds of the scorer; its start, which is before the first row, is not among them."""
    return sampler.cpu_between("scorer", begin.at_ms, end.at_ms) / max(1.0, end.scored - begin.scored) * 1e6


def series(sampler: Sampler, began_s: float) -> dict[str, Any]:
    """Resident size over time, thinned, with what tells whether it grows."""
    mib = [size / MIB for size in sampler.rss["scorer"] if size]
    seconds = [(at - sampler.times_ms[0]) / 1000 for at in sampler.times_ms][: len(mib)]
    half = len(mib) // 2
    step = max(1, len(mib) // KEPT)
    return {
        "seconds": time.monotonic() - began_s,
        "rss_mib": mib[-1],
        "max_rss_mib": max(mib),
        "slope_mib_per_minute": _slope(seconds[half:], mib[half:]),
        "series_mib": [[round(at, 1), round(size, 1)] for at, size in zip(seconds[::step], mib[::step], strict=True)],
    }


def _slope(seconds: Sequence[float], mib: Sequence[float]) -> float:
    return slope_per_minute(seconds, mib) if len(mib) > 2 else 0.0
