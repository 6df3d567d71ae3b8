"""`make bench`: see README.md beside this for what is measured and protocol.py for the rules."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from weir.core.errors import Unavailable

from tests.bench import (
    beside,
    latency,
    limit,
    machine,
    memory,
    monitors,
    recorder,
    report,
    rounds,
    scale,
    stages,
    throughput,
)
from tests.bench.peers import run
from tests.bench.protocol import BROKERS, FULL, QUICK, Judge, Say
from tests.bench.stand import HOME, Stand
from tests.bench.workload import INSIDE
from tests.kafka_cluster import LIBS, find_kafka

SECTIONS = ("limit", "recorder", "throughput", "peers", "stages", "scale", "latency", "memory", "monitors", "rounds")
NAMED = ("bytewax", "faust", "quix")  # peers of the short form; the others take long to start
# On an empty log: the embedded broker has it in memory, and is slower with each batch that it holds; and a recorder
# would have to record all of it first.
APART = {"tansu": {"latency", "monitors", "rounds"}, "kafka": {"monitors", "rounds"}}
WIDTH = 130  # of the tables where there is no terminal
REFUSED = 3  # exit status of a run that broke the protocol


def main(arguments: list[str]) -> int:
    """Measure, show, write; the exit status is 0 when the protocol was kept."""
    asked = _parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    began_s = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - began_s:6.1f} s[/dim]  {line}", highlight=False, soft_wrap=True)

    judge = Judge(QUICK if asked.quick else FULL)
    found: dict[str, Any] = {
        "machine": machine.describe(),
        "versions": machine.versions(LIBS),
        "brokers": [],
        "limit": {},
        "stages": [],
        "configurations": [],
        "peers": [],
        "latency": [],
        "recorder": {},
        "memory": {},
        "monitors": {},
        "rounds": {},
    }
    wanted = set(asked.only or SECTIONS)
    for broker in available(asked.brokers, say):
        first, apart = not found["brokers"], wanted & APART.get(broker, set())
        found["brokers"].append(broker)
        for sections in filter(None, (wanted - apart, apart)):
            with Stand(broker, say) as stand:
                say(f"{broker} is up")
                _sections(stand, sections, first, judge, found, say)
    found["ratio_to_limit"] = {one["name"]: one["ratio_to_limit"] for one in found["configurations"]}
    found["protocol"] = judge.protocol.to_dict() | {
        "valid": judge.valid,
        "broken": judge.broken,
        "only": list(asked.only or ()),
        "brokers": asked.brokers,
        "took_s": round(time.monotonic() - began_s, 1),
    }
    report.show(found, console)
    report.save(found, asked.json or HOME / "bench.json")
    kept = report.keep(found, machine.fingerprint(found["machine"]))
    if kept is not None:
        say(f"kept as {kept}")
    return 0 if judge.valid else REFUSED


def _sections(stand: Stand, only: set[str], first: bool, judge: Judge, found: dict[str, Any], say: Say) -> None:
    """What is asked for on one broker; what does not depend on the broker is measured on the first alone.

    The recorder comes first, since it would record all that lies in the log; memory last, since it takes longest.
    A section that fails breaks the run, and the others go on.
    """
    quick = judge.protocol.quick

    def throughput_and_peers() -> None:
        wanted = "peers" in only and first
        named = [peer for peer in run.available() if peer.name in NAMED or not quick] if wanted else []
        peers = [one for peer in named for one in peer.each_engine]
        for name, reason in (run.unavailable() if peers else {}).items():
            say(f"peer {name} is not measured: {reason}")
        cases = throughput.cases(quick=quick, broker=stand.broker)
        entries, others = throughput.measure(stand, cases if "throughput" in only else cases[:1], peers, judge, say)
        found["configurations"] += entries
        found["peers"] += others

    def each_stage() -> None:
        services = (INSIDE,) if quick else (INSIDE, throughput.HITS[95])
        found["stages"] += [stages.measure(stand, workload, judge, say) for workload in services]

    def each_latency() -> None:
        engines = [{}, throughput.BY_ONNX_RUNTIME] if first and not quick else [{}]
        for environment in engines:
            found["latency"] += latency.measure(stand, judge, say, environment)

    def each_of_monitors() -> None:
        found["monitors"] = monitors.measure(stand, judge, say)
        found["monitors"]["beside"] = beside.measure(stand, judge, say)

    steps: dict[str, tuple[bool, Callable[[], None]]] = {
        "limit": (first, lambda: found.update(limit=limit.measure(stand, judge, say))),
        "recorder": (first, lambda: found.update(recorder=recorder.measure(stand, judge, say))),
        "throughput": (True, throughput_and_peers),
        "peers": (first and "throughput" not in only, throughput_and_peers),
        "stages": (first, each_stage),
        "scale": (first and not quick, lambda: found["configurations"].extend(scale.measure(stand, judge, say))),
        "latency": (first or not quick, each_latency),
        "monitors": (first, each_of_monitors),
        "rounds": (first and not quick, lambda: found.update(rounds=rounds.measure(stand, judge, say))),
        "memory": (first, lambda: found.update(memory=memory.measure(stand, judge, say))),
    }
    for section, (here, step) in steps.items():
        if section in only and here:
            try:
                step()
            except Exception as error:  # whatever it is: what the other sections found must be written
                judge.refuse(f"{section} on {stand.broker} failed: {error!r}")
                say(f"{judge.broken[-1]}\n{traceback.format_exc()}")


def available(brokers: list[str], say: Say) -> list[str]:
    """Those that can be started here; says which cannot, and why."""
    if "kafka" in brokers:
        try:
            find_kafka()
        except Unavailable as error:
            say(f"Apache Kafka is not measured: {error}")
            return [broker for broker in brokers if broker != "kafka"]
    return brokers


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form, about ten minutes")
    parser.add_argument("--json", type=Path, help="where to write the report (default: .weir/bench/bench.json)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections alone")
    parser.add_argument("--brokers", nargs="+", choices=BROKERS, default=list(BROKERS))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
