"""`python -m tests.bench.watched`: what open pages of the console cost the answers beside them.

Open loops of one scorer with recorder, ClickHouse and console, in turns with nobody who looks and with ten pages open,
overview and service in turn, on the same cores. How far the recorder is behind is the age of the oldest answer in the
log that is not in ClickHouse.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import migrations, results
from weir.settings import ROOT

from tests.bench import latency, log
from tests.bench.beside import behind_s, watched
from tests.bench.drain import joined
from tests.bench.protocol import FULL, Protocol, median
from tests.bench.recorder import recorded
from tests.bench.sampler import Sampler
from tests.bench.stand import PREDICTIONS, READY_S, Service, Stand, Worker
from tests.bench.workload import INSIDE
from tests.ports import free_port
from tests.waiting import START_S, until

RATE: Final = 5_000.0
PAGES: Final = 10
NEWEST: Final = "SELECT count() FROM predictions WHERE service = {service:String}"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=FULL.latency_s, help="of each loop")
    parser.add_argument("--warm", type=float, default=FULL.latency_warm_s, help="seconds before, for the broker")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second")
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--by", choices=("http", "chromium"), default="http", help="see visitors.py")
    parser.add_argument("--range", default="24h", help="that the pages show; shorter ones tick more often")
    asked = parser.parse_args()
    protocol = replace(FULL, rounds=asked.rounds, latency_s=asked.seconds, latency_warm_s=asked.warm)
    paths = [f"{('/', f'/s/{INSIDE.service}')[i % 2]}?range={asked.range}" for i in range(asked.pages)]
    with Stand("kafka", print) as stand:
        print(json.dumps(measure(stand, protocol, asked.rate, paths, asked.by)))


def measure(stand: Stand, protocol: Protocol, rate: float, paths: list[str], by: str) -> dict[str, Any]:
    """p99 in milliseconds of each loop, how far the recorder was behind, and CPU by process, in cores."""
    migrations.apply(stand.settings.recording)
    service = stand.service(INSIDE)
    rounds: list[dict[str, Any]] = []
    with (
        clickhouse.connect(stand.settings.recording) as client,
        stand.workers(service, 1) as scorers,
        stand.workers(service, 1, role="recorder") as recorders,
        _console(stand) as (address, console),
    ):
        results.make(client, {service.workload.service: ""})
        joined(stand, service, scorers)
        warming = replace(protocol, latency_s=protocol.latency_warm_s / 2)
        for warm in (rate, rate / 10):  # uncounted: the broker compiles
            latency.loop(stand, service, warm, warming)
        _all_recorded(stand, service, client)
        pids = {"scorer": scorers, "recorder": recorders}
        watched = {name: [one.pid for one in of] for name, of in pids.items()} | {
            "console": [console],
            "clickhouse": [stand.pid_of("clickhouse")],
        }
        for _ in range(protocol.rounds):
            alone = _loop(stand, service, client, rate, protocol, recorders[0], watched)
            with _visitors(address, paths, by) as told:
                beside = _loop(stand, service, client, rate, protocol, recorders[0], watched)
            rounds.append({"alone": alone, "beside": beside, "ratio": beside["p99_ms"] / alone["p99_ms"], **told})
            print(json.dumps(rounds[-1]), flush=True)
    behind = {name: max(one[name]["behind_s"] for one in rounds) for name in ("alone", "beside")}
    ratios = [one["ratio"] for one in rounds]
    told_of = {"rate": rate, "pages": len(paths), "by": by}
    return {**told_of, "ratio": median(ratios), "ratios": ratios, "behind_s": behind, "rounds": rounds}


def _loop(
    stand: Stand,
    service: Service,
    client: Any,
    rate: float,
    protocol: Protocol,
    recorder: Worker,
    pids: dict[str, list[int]],
) -> dict[str, Any]:
    begins, before = stand.ends(PREDICTIONS), recorded(recorder)
    with Sampler(pids) as sampler, watched(recorder) as seen:
        found = latency.loop(stand, service, rate, protocol)
        _all_recorded(stand, service, client)
    times_s = log.read(stand.settings, PREDICTIONS, begins, stand.ends(PREDICTIONS)).times_ms / 1000
    span = float(times_s[0]) * 1000, float(times_s[-1]) * 1000
    cores = {name: sampler.cpu_between(name, *span) / (span[1] - span[0]) * 1000 for name in pids}
    names = ("p50_ms", "p99_ms", "max_ms", "late", "lost", "foreign", "broken")
    return {name: found[name] for name in names} | {"behind_s": behind_s(seen, times_s, before), "cores": cores}


@contextmanager
def _console(stand: Stand) -> Iterator[tuple[str, int]]:
    """Address and process of a console of the stand."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    child = stand.stack.spawn(["console", "--port", str(port)], "console")
    try:
        until(lambda: _answers(address), START_S, "the console")
        yield address, child.pid
    finally:
        stand.stack.forget(child)


def _answers(address: str) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"{address}/static/early.js", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def _visitors(address: str, paths: list[str], by: str) -> Iterator[dict[str, Any]]:
    """Pages that are open meanwhile; what they have asked stands in `visitors` afterwards."""
    command = [sys.executable, "-m", "tests.bench.visitors", address, *paths, "--by", by]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        told: dict[str, Any] = {}
        if not process.stdout.readline():
            raise RuntimeError("the pages did not come")
        try:
            yield told
        finally:
            process.stdin.close()
            told["visitors"] = json.loads(process.stdout.readline() or "{}")


def _all_recorded(stand: Stand, service: Service, client: Any) -> None:
    """Wait until every answer is in ClickHouse."""
    total = sum(stand.ends(service.topic).values())

    def reached() -> bool:
        stand.stack.check()
        asked = {"service": service.workload.service}
        return bool(client.query(NEWEST, parameters=asked).result_rows[0][0] >= total)

    until(reached, READY_S * 3, "all answers in ClickHouse", every_s=1.0)


if __name__ == "__main__":
    main()
