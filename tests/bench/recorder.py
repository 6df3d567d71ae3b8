"""The recorder: rows per second into ClickHouse with all its views, and how far behind a scorer at full speed it is."""

from __future__ import annotations

import time
from typing import Any

from app.edges import migrations
from tests.bench import metrics
from tests.bench.drain import Case, drain, joined
from tests.bench.protocol import Judge, Say
from tests.bench.sampler import Sampler
from tests.bench.stand import PREDICTIONS, READY_S, Stand, Worker
from tests.bench.workload import INSIDE
from tests.waiting import until

SLOWEST_PER_S = 2_000
LOOK_S = 0.1


def measure(stand: Stand, judge: Judge, say: Say) -> dict[str, Any]:
    """A backlog of predictions first, then scorer and recorder side by side. The log must hold no prediction yet."""
    migrations.apply(stand.settings)
    n = judge.protocol.recorder_rows
    judge.whole("recorder", drain(stand, Case(name="backlog", workload=INSIDE), n).faults)
    service = stand.service(INSIDE)
    with stand.workers(service, 1, role="recorder") as workers:
        groups = {"recorder": [workers[0].pid], "clickhouse": [stand.pid_of("clickhouse")]}
        with Sampler(groups) as sampler:
            until(lambda: fetched(workers[0]) > 0, READY_S, "the recorder to fetch")
            began_s, began_ms = time.monotonic(), time.time() * 1000
            _wait(stand, workers[0], n)
            took_s = time.monotonic() - began_s
        ended_ms = began_ms + took_s * 1000
        cpu_us = {name: sampler.cpu_between(name, began_ms, ended_ms) / n * 1e6 for name in groups}
        say(f"recorder {n / took_s:,.0f} rows/s; CPU us a row: "
            + ", ".join(f"{name} {us:.1f}" for name, us in cpu_us.items()))  # fmt: skip
        beside = _beside(stand, workers[0], n, judge)
    say(f"recorder beside a scorer at {beside['scorer_per_s']:,.0f}/s: at most {beside['max_lag_rows']:,} rows behind, "
        f"caught up {beside['caught_up_s']:.1f} s after it")  # fmt: skip
    return {"broker": stand.broker, "rows": n, "rows_per_s": n / took_s, "cpu_us": cpu_us, "beside": beside}


def _beside(stand: Stand, recorder: Worker, n: int, judge: Judge) -> dict[str, Any]:
    """n requests for a scorer, the recorder running; its lag is what Kafka holds and ClickHouse does not."""
    service = stand.service(INSIDE)
    parts = stand.requests(service, n)
    with stand.workers(service, 1) as workers:
        joined(stand, service, workers)
        before = sum(stand.ends(PREDICTIONS).values())
        began_s = time.monotonic()
        stand.produce(service.topic, parts)
        lags: list[tuple[float, int, int]] = []
        deadline_s = began_s + READY_S + n / SLOWEST_PER_S
        while not lags or lags[-1][1] < before + n or lags[-1][2] > 0:
            stand.stack.check()
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"the recorder is {lags[-1][2]} rows behind and does not catch up")
            time.sleep(LOOK_S)
            written = sum(stand.ends(PREDICTIONS).values())
            lags.append((time.monotonic() - began_s, written, written - recorded(recorder)))
    scored_s = next(at for at, written, _ in lags if written >= before + n)
    return {
        "scorer_per_s": n / scored_s, "max_lag_rows": max(lag for _, _, lag in lags),
        "caught_up_s": lags[-1][0] - scored_s, "lag_rows": [[round(at, 2), lag] for at, _, lag in lags],
    }  # fmt: skip


def recorded(worker: Worker) -> int:
    """Predictions that the recorder has put into ClickHouse."""
    return int(metrics.scrape([worker]).total("weir_recorded_rows_total", table="predictions"))


def fetched(worker: Worker) -> int:
    """Predictions that the recorder has read."""
    return int(metrics.scrape([worker]).total("weir_records_fetched_total", topic=PREDICTIONS))


def _wait(stand: Stand, worker: Worker, rows: int) -> None:
    def done() -> bool:
        stand.stack.check()
        return recorded(worker) >= rows

    until(done, READY_S + rows / SLOWEST_PER_S, f"{rows} predictions in ClickHouse")
