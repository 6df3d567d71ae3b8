"""Every stage of a scorer alone, in a process with nothing beside it: `python -m tests.bench.stages N` under a stack.

The parts are the scorer's own (`open_resources`, its poller, its producer); only the overlap is missing: first
everything is fetched, then batch by batch computed, then batch by batch written and delivered.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from weir.settings import ROOT, load

from tests.bench.protocol import Judge, Say, median
from tests.waiting import until

if TYPE_CHECKING:
    from weir.core.batch import MicroBatch

    from tests.bench.stand import Stand
    from tests.bench.workload import Workload

COMPUTED = ("decode", "lookup", "assemble", "run", "encode")
VARIANTS = (1, 2, 4)
FETCH_S = 60.0
FULL_BATCHES, SMALL_BATCHES, SMALL_ROWS = 8, 64, 16  # of `Alone`
ROUTED_ROWS = 40_000  # for the cost of more variants


def measure(stand: Stand, workload: Workload, judge: Judge, say: Say) -> dict[str, Any]:
    """Microseconds of the clock and of CPU per event in each stage; which is the slowest; what more variants cost."""
    workload = replace(workload, service=f"{workload.service}-stages")  # requests that no scorer waits for
    service, n = stand.service(workload), judge.protocol.drain_rows
    stand.produce(service.topic, stand.requests(service, n))
    environment = (
        os.environ
        | stand.stack.environment
        | {
            "WEIR_SERVICE": workload.service,
            "WEIR_BUNDLE": str(service.bundle),
            "WEIR_CACHE_TTL_S": "3600",
        }
    )
    rounds = []
    for _ in range(judge.protocol.scale_rounds):
        command = [sys.executable, "-m", "tests.bench.stages", str(n)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=FETCH_S * 4
        )
        rounds.append(json.loads(done.stdout.splitlines()[-1]))
    found: dict[str, Any] = {
        kind: {name: median([one[kind][name] for one in rounds]) for name in rounds[0][kind]} for kind in rounds[0]
    }
    slowest = max(found["us"], key=lambda name: float(found["us"][name]))
    say(
        f"stages of {workload.service}, us: "
        + ", ".join(f"{name} {us:.2f}" for name, us in found["us"].items())
        + f"; the slowest is {slowest}"
    )
    return {
        "name": f"{stand.broker}/{workload.service}",
        "rows": n,
        "bottleneck": slowest,
        **found,
        "per_s": {name: 1e6 / us if us else None for name, us in found["us"].items()},
    }


def _main(rows: int) -> dict[str, dict[str, float]]:
    from weir.agents.scorer.resources import open_resources
    from weir.telemetry import Telemetry

    settings = load()
    resources, _ = open_resources(settings, Telemetry())
    us: dict[str, float] = {}
    cpu_us: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began, began_cpu = time.perf_counter(), time.process_time()
        result = work()
        us[name] = us.get(name, 0.0) + (time.perf_counter() - began) / rows * 1e6
        cpu_us[name] = cpu_us.get(name, 0.0) + (time.process_time() - began_cpu) / rows * 1e6
        return result

    batches, us["fetch"], cpu_us["fetch"] = _fetch(rows)
    compute = partial(_compute, resources.scorer, resources)
    for batch in batches[:3]:
        compute(batch)
    results = timed("compute", lambda: [compute(batch) for batch in batches])
    for name in COMPUTED:
        us[name] = sum(encoded.stats.timing.by_stage[name] for encoded in results) / rows * 1e6
    for encoded in results:
        timed("produce", lambda encoded=encoded: _write(resources, encoded))
    us = {name: us[name] for name in ("fetch", *COMPUTED, "produce")}
    resources.producer.close()
    return {"us": us, "cpu_us": cpu_us, "variants_us": _routed(resources, batches)}


class Alone:
    """The stages of a scorer in this process, of so many rows that wait in the service's topic.

    full: batches as they were fetched. small: some of the same rows, SMALL_ROWS at a time.
    """

    def __init__(self, rows: int) -> None:
        from weir.agents.scorer.resources import open_resources
        from weir.telemetry import Telemetry

        self._rows = rows
        self._resources, _ = open_resources(load(), Telemetry())
        batches, _, _ = _fetch(rows)
        self.full = sorted(batches, key=len)[-FULL_BATCHES:]
        self.small = list(islice(_cut(self.full[-1], SMALL_ROWS), SMALL_BATCHES))

    def fetched(self) -> dict[str, float]:
        """CPU microseconds of fetching a row."""
        return {"fetch": _fetch(self._rows)[2]}

    def computed(self, batches: Sequence[MicroBatch]) -> dict[str, float]:
        """CPU microseconds for a row: of computing, from decoding to encoding, and of writing."""
        rows, began_s = sum(map(len, batches)), time.process_time()
        encoded = [_compute(self._resources.scorer, self._resources, batch) for batch in batches]
        computed_s = time.process_time()
        for one in encoded:
            _write(self._resources, one)
        written_s = time.process_time()
        return {"compute": (computed_s - began_s) / rows * 1e6, "produce": (written_s - computed_s) / rows * 1e6}


def _cut(batch: MicroBatch, rows: int) -> Iterator[MicroBatch]:
    """The records of a batch's first chunk, so many at a time."""
    chunk = batch.chunks[0]
    for begin in range(0, len(chunk) - rows, rows):
        part = slice(begin, begin + rows)
        offsets = chunk.offsets[part]
        yield replace(
            batch,
            chunks=(
                replace(
                    chunk,
                    first=int(offsets[0]),
                    last=int(offsets[-1]),
                    values=chunk.values[part],
                    keys=chunk.keys[part],
                    offsets=offsets,
                ),
            ),
        )


def _compute(scorer: Any, resources: Any, batch: MicroBatch) -> Any:
    scored = scorer.score(batch, tick=time.perf_counter)
    return resources.output.encode(
        scored, resources.meter.take(), wall_ms=time.time_ns() // 1_000_000, tick=time.perf_counter
    )


def _fetch(rows: int) -> tuple[list[MicroBatch], float, float]:
    """So many records from the beginning of the log, by the scorer's own poller, a batch per chunk.

    Also microseconds per record, of the clock and of CPU, from the first chunk on: joining the group is not fetching.
    """
    from weir.core.batch import ClosedBy, MicroBatch
    from weir.edges.kafka.poller import Poller

    settings = load()
    found: list[MicroBatch] = []
    poller = Poller(
        settings.kafka,
        f"bench-stages-{os.getpid()}-{rows}",
        [settings.kafka.names.requests(settings.scoring.service)],
        on_ready=lambda: None,
        on_assigned=lambda _: None,
        on_revoked=lambda _: None,
        drain_s=1.0,
        from_beginning=True,
    )

    marks: list[tuple[float, float, int]] = []

    def enough() -> bool:
        chunks = poller.holdings.take()
        if chunks:
            marks.append((time.perf_counter(), time.process_time(), sum(map(len, chunks))))
        for chunk in chunks:
            if poller.holdings.begin(chunk):
                poller.holdings.ack(chunk)
                found.append(MicroBatch((chunk,), ClosedBy.ROWS, 0.0))
        return sum(map(len, found)) >= rows

    poller.start()
    try:
        until(enough, FETCH_S, f"{rows} records")
    finally:
        poller.stop(drain=False)
    (began, began_cpu, had), (ended, ended_cpu, _) = marks[0], marks[-1]
    counted = max(1, sum(map(len, found)) - had)
    return found, (ended - began) / counted * 1e6, (ended_cpu - began_cpu) / counted * 1e6


def _write(resources: Any, encoded: Any) -> None:
    """What a batch gives by itself; the ledger's entries are those of several."""
    names, producer = resources.names, resources.producer
    for chunk, written in zip(encoded.batch.chunks, encoded.written, strict=True):
        producer.write(names.predictions, chunk.source.partition, written.predictions)
    producer.write(names.batches, 0, resources.output.encode_batches([encoded]))
    producer.flush()


def _routed(resources: Any, batches: list[MicroBatch]) -> dict[str, float]:
    """Microseconds of computing an event when a route spreads requests over so many variants of the same model."""
    from weir.scoring.predict import Scorer
    from weir.scoring.route import Route

    found = {}
    few = batches[: max(1, ROUTED_ROWS // 4096)]
    for count in VARIANTS:
        service = resources.scorer.service
        variants = tuple(replace(service.variants[0], name=f"variant-{i}") for i in range(count))
        route = Route(tuple(variant.name for variant in variants), (1.0,) * count)
        several = Scorer(replace(service, route=route, variants=variants))
        _compute(several, resources, few[0])
        began = time.perf_counter()
        for batch in few:
            _compute(several, resources, batch)
        found[str(count)] = (time.perf_counter() - began) / sum(map(len, few)) * 1e6
    return found


if __name__ == "__main__":
    print(json.dumps(_main(int(sys.argv[1]))))
