"""One side of `turns.py`: the stand of the tree in which it is started, told what to measure line by line.

Run as a program with that tree on PYTHONPATH, it uses the tree's own bench and code: only names that both trees have. A
line of its input is a command with its arguments as JSON; the answer is a line of its output that begins with MARK.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

from tests.bench import latency
from tests.bench.drain import Case, drain, joined
from tests.bench.protocol import QUICK
from tests.bench.sampler import Sampler
from tests.bench.stand import Stand
from tests.bench.throughput import FRESH, HITS, rows_of
from tests.bench.workload import INSIDE

MARK = "=> "
CASES = {
    case.name: case
    for case in (
        Case(name="inside/1p", workload=INSIDE),
        Case(name="inside/2p", workload=INSIDE, processes=2),
        Case(name="feast-95/2p", workload=HITS[95], processes=2, environment=FRESH),
    )
}


def _drain(stand: Stand, name: str, rows: int) -> dict[str, Any]:
    found = drain(stand, CASES[name], rows_of(CASES[name], rows))
    told = ("events_per_s", "scorer_us", "broker_us", "foreign", "faults")
    return {field: getattr(found, field) for field in told}


def _loops(stand: Stand, rates: list[float], seconds: float) -> dict[str, Any]:
    """A loop per rate, by one scorer, behind one that is not counted."""
    service, protocol = stand.service(INSIDE), replace(QUICK, latency_s=seconds)
    found: dict[str, Any] = {}
    with stand.workers(service, 1) as workers:
        joined(stand, service, workers)
        latency.loop(stand, service, rates[-1], replace(QUICK, latency_s=1.0))
        for rate in rates:
            with Sampler({"scorer": [worker.pid for worker in workers]}) as sampler:
                one = latency.loop(stand, service, rate, protocol)
            spent_s = sampler.cpu_between("scorer", sampler.times_ms[0], sampler.times_ms[-1])
            told = ("p50_ms", "p99_ms", "max_ms", "late", "lost", "requests")
            found[f"{rate:g}"] = {field: one[field] for field in told} | {
                "scorer_us": spent_s / (rate * (seconds + latency.WARM_S)) * 1e6
            }
    return found


def main() -> None:
    """Until the input ends."""
    answers = sys.stdout
    with redirect_stdout(sys.stderr), Stand("kafka", lambda line: print(line, flush=True)) as stand:
        print(MARK + "{}", file=answers, flush=True)
        for line in sys.stdin:
            command, *arguments = json.loads(line)
            answer = {"drain": _drain, "loops": _loops}[command](stand, *arguments)
            print(MARK + json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
