"""The recorder: rows per second into ClickHouse with all its views, and how far behind a scorer at full speed it is."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import migrations

from tests.bench import log, metrics
from tests.bench.drain import SLOWEST_PER_S, Case, drain, joined
from tests.bench.protocol import Judge, Say
from tests.bench.sampler import Sampler
from tests.bench.stand import PREDICTIONS, READY_S, Stand, Worker
from tests.bench.workload import INSIDE
from tests.waiting import until

LOOK_S = 0.1  # at the recorder's own numbers, which costs the broker nothing
LOOK_CLOSE_S = 0.01  # where the end is looked for: a backlog of the short form is recorded in two seconds
FIRST = "SELECT toUnixTimestamp64Milli(min(announced_at)) FROM recorder_blocks WHERE topic = {topic:String}"


def measure(stand: Stand, judge: Judge, say: Say) -> dict[str, Any]:
    """A backlog of predictions first, then scorer and recorder side by side. The log must hold no prediction yet."""
    migrations.apply(stand.settings.recording)
    n = judge.protocol.recorder_rows
    judge.whole("recorder", drain(stand, Case(name="backlog", workload=INSIDE), n).faults)
    service = stand.service(INSIDE)
    with stand.workers(service, 1, role="recorder") as workers:
        groups = {"recorder": [workers[0].pid], "clickhouse": [stand.pid_of("clickhouse")]}
        with Sampler(groups) as sampler:
            _wait(stand, workers[0], n)
            ended_ms = time.time() * 1000
        began_ms = _first_insert_ms(stand)
        took_s = (ended_ms - began_ms) / 1000
        cpu_us = {name: sampler.cpu_between(name, began_ms, ended_ms) / n * 1e6 for name in groups}
        say(
            f"recorder {n / took_s:,.0f} rows/s; CPU us a row: "
            + ", ".join(f"{name} {us:.1f}" for name, us in cpu_us.items())
        )
        beside = _beside(stand, workers[0], n, judge)
    say(
        f"recorder beside a scorer at {beside['scorer_per_s']:,.0f}/s: at most {beside['max_lag_rows']:,} rows behind, "
        f"caught up {beside['caught_up_s']:.1f} s after it"
    )
    return {"broker": stand.broker, "rows": n, "rows_per_s": n / took_s, "cpu_us": cpu_us, "beside": beside}


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


def _wait(stand: Stand, worker: Worker, rows: int) -> None:
    def done() -> bool:
        stand.stack.check()
        return recorded(worker) >= rows

    until(done, READY_S + rows / SLOWEST_PER_S, f"{rows} predictions in ClickHouse", every_s=LOOK_CLOSE_S)


def _first_insert_ms(stand: Stand) -> float:
    """When the first block was announced, right before its insert; milliseconds of the wall clock."""
    with clickhouse.connect(stand.settings.recording) as client:
        return float(client.query(FIRST, {"topic": PREDICTIONS}).first_row[0])
