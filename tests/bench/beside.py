"""What recording and monitoring cost the answers beside them: an open loop with and without, on the same cores.

In each round the loop runs by one scorer alone, then with a recorder and a monitor worker, ClickHouse idle or at work.
Every monitor that Weir brings is computed in windows of a minute, too, and each loop has the end of one in its midst:
so a round of all monitors, which a deployment has once an hour, falls into every loop.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from clickhouse_connect.driver import Client
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import migrations, monitors, results

from tests.bench import latency, log, metrics
from tests.bench.drain import SLOWEST_PER_S, joined
from tests.bench.protocol import Judge, Protocol, Say, median
from tests.bench.recorder import recorded
from tests.bench.sampler import Sampler
from tests.bench.stand import HOME, PREDICTIONS, READY_S, Service, Stand, Worker
from tests.bench.workload import INSIDE
from tests.waiting import until

RATE: Final = 20_000.0
MINUTE_S: Final = 60
PREPARE_S: Final = 60.0  # until the requests of a loop are encoded, and both of its ends have started
LOOK_S: Final = 0.25
ROUND_S: Final = (
    300.0  # until a round of the monitor worker is over, on a machine that is busy: the first is the longest
)
FOLDER: Final = HOME.resolve() / "monitors"
UNDER: Final = "minute"  # where monitors of a minute stand, beside those that Weir brings
# A figure is as late as these say, beside its window; what is measured is how late it is beyond that.
PROMPT: Final = {"WEIR_MONITOR_LATENESS_S": "0", "WEIR_MONITOR_EVERY_S": "1"}
ANSWERED: Final = """
    SELECT source_partition, max(source_offset) + 1 FROM predictions WHERE source_topic = {topic:String}
    GROUP BY source_partition
"""
MEASURED: Final = """
    SELECT monitor, toFloat64(min(computed_at)) AS at FROM measurements
    WHERE service = {service:String} AND startsWith(monitor, {under:String}) AND end = {end:DateTime64(3)}
        AND revision = 0
    GROUP BY monitor
"""


def measure(stand: Stand, judge: Judge, say: Say) -> dict[str, Any]:
    """Rounds of both, ratios by round, and how many seconds recorder and monitor worker were behind at most."""
    migrations.apply(stand.settings.recording)
    service = stand.service(INSIDE)
    of_a_minute()
    rounds: list[dict[str, Any]] = []
    with stand.workers(service, 1) as workers, clickhouse.connect(stand.settings.recording) as client:
        results.make(client, {service.workload.service: ""})
        joined(stand, service, workers)
        _loop(stand, service, judge.protocol)  # uncounted: the broker compiles
        for _ in range(judge.protocol.rounds):
            alone = _loop(stand, service, judge.protocol)
            beside = _beside(stand, service, client, judge.protocol)
            rounds.append({"alone": alone, "beside": beside, "ratio": beside["p99_ms"] / alone["p99_ms"]})
            say(
                f"p99 at {RATE:,.0f}/s {alone['p99_ms']:.1f} ms alone, {beside['p99_ms']:.1f} ms beside recorder and "
                f"monitor worker; behind at most {_behind(beside)}"
            )
    for one in rounds:
        judge.whole("monitors", [*one["alone"]["broken"], *one["beside"]["broken"]])
    ratios = [one["ratio"] for one in rounds]
    judge.spread("monitors", ratios)
    return {
        "rate": RATE,
        "ratio": median(ratios),
        "ratios": ratios,
        "behind_s": {name: max(one["beside"]["behind_s"][name] for one in rounds) for name in ("recorder", "monitor")},
        "rounds": rounds,
    }


def of_a_minute() -> Path:
    """Writes every monitor that Weir brings once more, in windows of a minute; their folder."""
    for path in monitors.FOLDER.rglob("*.sql"):
        name = path.relative_to(monitors.FOLDER).with_suffix("").as_posix()
        lines = path.read_text().splitlines()
        head = {f"-- name: {name}": f"-- name: {UNDER}/{name}"}
        mine = ["-- window: 1m" if line.startswith("-- window:") else head.get(line, line) for line in lines]
        put = FOLDER / UNDER / f"{name}.sql"
        put.parent.mkdir(parents=True, exist_ok=True)
        put.write_text("\n".join(line for line in mine if not line.startswith("-- cadence:")) + "\n")
    return FOLDER


def _loop(stand: Stand, service: Service, protocol: Protocol) -> dict[str, Any]:
    return latency.loop(stand, service, RATE, protocol, begin_s=_begin_s(protocol))


def _begin_s(protocol: Protocol) -> float:
    """When a loop begins so that a minute ends in the midst of what is counted of it."""
    before_s = latency.WARM_S + protocol.latency_s / 2
    return math.ceil((time.time() + PREPARE_S + before_s) / MINUTE_S) * MINUTE_S - before_s


def _beside(stand: Stand, service: Service, client: Client, protocol: Protocol) -> dict[str, Any]:
    """The loop with a recorder that has caught up and an active monitor worker."""
    monitoring = PROMPT | {"WEIR_MONITORS_DIR": str(FOLDER)}
    with stand.workers(service, 1, role="recorder") as recorders:
        _all_recorded(stand, service, client)
        with stand.workers(service, 1, monitoring, role="monitor") as watchers:
            until(lambda: _rounds(watchers), ROUND_S, "a round of the monitor worker")
            groups = {"recorder": recorders, "monitor": watchers}
            pids = {name: [one.pid for one in group] for name, group in groups.items()}
            before, begins = recorded(recorders[0]), stand.ends(PREDICTIONS)
            with (
                Sampler(pids | {"clickhouse": [stand.pid_of("clickhouse")]}) as sampler,
                watched(recorders[0]) as seen,
            ):
                found = _loop(stand, service, protocol)
                _all_recorded(stand, service, client)
            times_s = log.read(stand.settings, PREDICTIONS, begins, stand.ends(PREDICTIONS)).times_ms / 1000
            monitor_s, measured = _measured(client, service, watchers, float(times_s[-1]) // MINUTE_S * MINUTE_S)
    span = float(times_s[0]) * 1000, float(times_s[-1]) * 1000
    return found | {
        "behind_s": {"recorder": behind_s(seen, times_s, before), "monitor": monitor_s},
        "monitors": measured,
        "cores": {name: sampler.cpu_between(name, *span) / (span[1] - span[0]) * 1000 for name in sampler.cpu_s},
    }


def behind_s(seen: list[tuple[float, int]], times_s: npt.NDArray[np.float64], before: int) -> float:
    """How old the oldest answer was at most that lay in the log and was not recorded.

    seen: time, and rows recorded until then, of which `before` were earlier ones. times_s: of the answers, ascending.

    >>> behind_s([(10.0, 5), (12.0, 6), (14.0, 7)], np.array([9.5, 11.0]), 5)
    1.0
    """
    waits = [at - float(times_s[rows - before]) for at, rows in seen if before <= rows < before + len(times_s)]
    return max(0.0, *waits) if waits else 0.0


@contextmanager
def watched(recorder: Worker) -> Iterator[list[tuple[float, int]]]:
    """How many rows a recorder has recorded, look by look."""
    seen: list[tuple[float, int]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(LOOK_S):
            at_s = time.time()
            if rows := recorded(recorder):
                seen.append((at_s, rows))

    thread = threading.Thread(target=look, name="recorded", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _all_recorded(stand: Stand, service: Service, client: Client) -> None:
    """Wait until the last answer of each partition is in ClickHouse."""
    ends = {partition: end for partition, end in stand.ends(service.topic).items() if end}

    def reached() -> bool:
        stand.stack.check()
        return dict(client.query(ANSWERED, parameters={"topic": service.topic}).result_rows) == ends

    until(reached, READY_S + sum(ends.values()) / SLOWEST_PER_S, "all answers in ClickHouse", every_s=1.0)


def _measured(client: Client, service: Service, watchers: list[Worker], end_s: float) -> tuple[float, int]:
    """How long after the end of a window its last figure was computed, and how many monitors have one."""
    asked = {"service": service.workload.service, "under": f"{UNDER}/", "end": datetime.fromtimestamp(end_s, UTC)}

    def found() -> Mapping[str, float]:
        return dict(client.query(MEASURED, parameters=asked).result_rows)

    until(found, ROUND_S, "figures of the minute that ended in the loop", every_s=1.0)
    done = _rounds(watchers) + 2  # the one that wrote them, whole
    until(lambda: _rounds(watchers) >= done, ROUND_S, "the end of a round")
    last: Mapping[str, float] = {}
    while last != (last := found()) or not last:
        time.sleep(1.0)  # the recorder is a second behind; no more came
    return max(last.values()) - end_s, len(last)


def _rounds(watchers: list[Worker]) -> float:
    return metrics.scrape(watchers).total("weir_monitor_round_seconds_count")


def _behind(beside: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in beside["behind_s"].items())
    cores = ", ".join(f"{name} {share:.2f}" for name, share in beside["cores"].items())
    return f"{told} ({beside['monitors']} monitors of a minute); cores: {cores}"
