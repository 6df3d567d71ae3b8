"""The recorder: rows per second into ClickHouse with all its views, and how far behind a scorer at full speed it is."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from weir.edges.clickhouse import migrations

from tests.bench import log, metrics
from tests.bench.drain import SLOWEST_PER_S, Case, drain, joined
from tests.bench.protocol import Judge, Say
from tests.bench.sampler import Sampler
from tests.bench.stand import PREDICTIONS, READY_S, Stand, Worker
from tests.bench.workload import INSIDE
from tests.waiting import until

LOOK_S = 0.1  # at the recorder's own numbers, which costs the broker nothing, and the recorder some milliseconds


def measure(stand: Stand, judge: Judge, say: Say) -> dict[str, Any]:
    """A backlog of predictions first, then scorer and recorder side by side. The log must hold no prediction yet."""
    migrations.apply(stand.settings.recording)
    n = judge.protocol.recorder_rows
    judge.whole("recorder", drain(stand, Case(name="backlog", workload=INSIDE), n).faults)
    service = stand.service(INSIDE)
    with stand.workers(service, 1, role="recorder") as workers:
        groups = {"recorder": [workers[0].pid], "clickhouse": [stand.pid_of("clickhouse")]}
        with Sampler(groups) as sampler:
            seen = _wait(stand, workers[0], n)
        (began_ms, before), (ended_ms, _) = next(one for one in seen if one[1]), seen[-1]
        counted, took_s = n - before, (ended_ms - began_ms) / 1000
        if not counted:
            judge.refuse(f"recorder: all {n} rows came in one flush")
        rows_per_s = counted / max(took_s, LOOK_S)
        cpu_us = {name: sampler.cpu_between(name, began_ms, ended_ms) / max(counted, 1) * 1e6 for name in groups}
        say(
            f"recorder {rows_per_s:,.0f} rows/s over {counted:,}; CPU us a row: "
            + ", ".join(f"{name} {us:.1f}" for name, us in cpu_us.items())
        )
        beside = _beside(stand, workers[0], n, judge)
    say(
        f"recorder beside a scorer at {beside['scorer_per_s']:,.0f}/s: at most {beside['max_lag_rows']:,} rows behind, "
        f"caught up {beside['caught_up_s']:.1f} s after it"
    )
    return {"broker": stand.broker, "rows": counted, "rows_per_s": rows_per_s, "cpu_us": cpu_us, "beside": beside}


def _beside(stand: Stand, recorder: Worker, n: int, judge: Judge) -> dict[str, Any]:
    """n requests for a scorer, the recorder running; its lag is what Kafka holds and ClickHouse does not."""
    service = stand.service(INSIDE)
    parts = stand.requests(service, n)
    with stand.workers(service, 1) as workers:
        joined(stand, service, workers)
        begins, before = stand.ends(PREDICTIONS), recorded(recorder)
        began_s, began_ms = time.monotonic(), time.time() * 1000
        stand.produce(service.topic, parts)
        seen: list[tuple[float, int]] = []  # when, and how many of the n are in ClickHouse
        deadline_s = began_s + READY_S + n / SLOWEST_PER_S
        while not seen or seen[-1][1] < n:
            stand.stack.check()
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"the recorder has {seen[-1][1]} of {n} rows and gets no more")
            time.sleep(LOOK_S)
            seen.append((time.monotonic() - began_s, recorded(recorder) - before))
    times_s = (log.read(stand.settings, PREDICTIONS, begins, stand.ends(PREDICTIONS)).times_ms - began_ms) / 1000
    lags = [(at, max(0, int(np.searchsorted(times_s, at, side="right")) - rows)) for at, rows in seen]
    scored_s = float(times_s[-1])
    return {
        "scorer_per_s": n / scored_s,
        "max_lag_rows": max(lag for _, lag in lags),
        "caught_up_s": max(0.0, lags[-1][0] - scored_s),
        "lag_rows": [[round(at, 2), lag] for at, lag in lags],
    }


def recorded(worker: Worker) -> int:
    """Predictions that the recorder has put into ClickHouse."""
    return int(metrics.scrape([worker]).total("weir_recorded_rows_total", table="predictions"))


def _wait(stand: Stand, worker: Worker, rows: int) -> list[tuple[float, int]]:
    """Milliseconds of the wall clock, and rows that were in then, look by look.

    What counts is what comes after the first rows: these were fetched, decoded and shaped before any was in.
    """
    seen: list[tuple[float, int]] = []

    def done() -> bool:
        stand.stack.check()
        seen.append((time.time() * 1000, recorded(worker)))
        return seen[-1][1] >= rows

    until(done, READY_S + rows / SLOWEST_PER_S, f"{rows} predictions in ClickHouse", every_s=LOOK_S)
    return seen
