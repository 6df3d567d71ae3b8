"""One side of `turns.py`: the stand of the tree in which it is started, told what to measure line by line.

Run as a program with that tree on PYTHONPATH, it uses the tree's own bench and code: only names that both trees have. A
line of its input is a command with its arguments as JSON; the answer is a line of its output that begins with MARK.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from typing import Any

from tests.bench import latency, stages
from tests.bench.drain import Case, drain, joined
from tests.bench.protocol import QUICK
from tests.bench.sampler import Sampler
from tests.bench.stand import Stand
from tests.bench.throughput import FRESH, HITS, rows_of
from tests.bench.workload import INSIDE

MARK = "=> "
STAGE_ROWS = 100_000
CASES = {
    case.name: case
    for case in (
        Case(name="inside/1p", workload=INSIDE),
        Case(name="inside/2p", workload=INSIDE, processes=2),
        Case(name="feast-95/2p", workload=HITS[95], processes=2, environment=FRESH),
    )
}


class _Unwatched(nullcontext[Any]):
    """In the place of `tests.bench.gaps.Gaps`."""

    stolen = 0.0

    def __enter__(self) -> Any:
        return self

    def worst_ms(self, *_: float) -> float:
        """None is known of."""
        return 0.0


def _drain(stand: Stand, name: str, rows: int) -> dict[str, Any]:
    found = drain(stand, CASES[name], rows_of(CASES[name], rows))
    told = ("events_per_s", "scorer_us", "broker_us", "foreign", "faults")
    return {field: getattr(found, field) for field in told}


def _loops(stand: Stand, rates: list[float], seconds: float) -> dict[str, Any]:
    """A loop per rate, by one scorer, behind one that is not counted.

    Nothing watches the machine meanwhile: a commit that has no such watcher would be the better for it.
    """
    latency.Gaps = _Unwatched  # type: ignore[attr-defined, misc, assignment]
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


class _Stages:
    """The scorer's stages alone, in this process; opened once, so that turns can be short and many."""

    def __init__(self, stand: Stand) -> None:
        workload = replace(INSIDE, service=f"{INSIDE.service}-stages")  # requests that no scorer waits for
        service = stand.service(workload)
        stand.produce(service.topic, stand.requests(service, STAGE_ROWS))
        os.environ.update(
            stand.stack.environment | {"WEIR_SERVICE": workload.service, "WEIR_BUNDLE": str(service.bundle)}
        )
        self._alone = stages.Alone(STAGE_ROWS)

    def measure(self) -> dict[str, float]:
        """CPU microseconds of each stage for a row, in batches as they were fetched and in small ones."""
        return self._alone.fetched() | {
            f"{stage} {name}": us
            for name, batches in {"full": self._alone.full, "16 rows": self._alone.small}.items()
            for stage, us in self._alone.computed(batches).items()
        }


def main() -> None:
    """Until the input ends."""
    answers, alone = sys.stdout, None
    with redirect_stdout(sys.stderr), Stand("kafka", lambda line: print(line, flush=True)) as stand:
        print(MARK + "{}", file=answers, flush=True)
        for line in sys.stdin:
            command, *arguments = json.loads(line)
            if command == "stages":
                alone = alone or _Stages(stand)
                answer = alone.measure()
            else:
                answer = {"drain": _drain, "loops": _loops}[command](stand, *arguments)
            print(MARK + json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
