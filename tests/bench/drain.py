"""One round of throughput: scorers that have joined and wait, requests written at once, the rate of the answers.

What is counted begins when the generator is done and a tenth is answered, and ends when nine tenths are: scorers and
broker have the machine to themselves, and are warm. Times are those of the predictions in the log (the broker's clock
with Apache Kafka), read back afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.asleep import asleep
from tests.bench import log, metrics
from tests.bench.machine import Bystanders
from tests.bench.protocol import Window, window
from tests.bench.sampler import Sampler
from tests.bench.stand import DEAD_LETTERS, LEDGER, PREDICTIONS, READY_S, Part, Service, Stand, Worker
from tests.bench.workload import PREFIX_ROWS, Workload
from tests.waiting import until

SLOWEST_PER_S = 2_000  # below this a drain counts as hung
STAGES = ("wait", "decode", "lookup", "assemble", "run", "encode", "produce")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A configuration. beside: the generator writes all the while, and counts as part of the load."""

    name: str
    workload: Workload
    processes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0  # of the protocol's drain_rows
    beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What one round of a case gave. us: CPU microseconds per event. faults: why it does not count."""

    events_per_s: float
    scorer_us: float
    broker_us: float
    bytes_in: float
    bytes_out: float
    hit_rate: float | None
    batch_rows: float
    closed_by: dict[str, float]
    stage_us: dict[str, float]
    foreign: float
    faults: list[str]


def drain(stand: Stand, case: Case, n: int) -> Drained:
    """Run one round of a case over n requests."""
    service = stand.service(case.workload)
    parts = stand.requests(service, n)
    before = {topic: stand.ends(topic) for topic in (service.topic, PREDICTIONS, DEAD_LETTERS, LEDGER)}
    bystanders = Bystanders()
    with stand.workers(service, case.processes, case.environment) as workers:
        joined(stand, service, workers)
        groups = {"scorer": [worker.pid for worker in workers], "broker": [stand.broker_pid]}
        bystanders.begin()
        with Sampler(groups) as sampler:
            warm = _warm(stand, case, parts, workers)
            generated_ms = _generate(stand, case, parts, workers)
            stand.wait_for(PREDICTIONS, sum(before[PREDICTIONS].values()) + n, n / SLOWEST_PER_S)
        told = metrics.scrape(workers).since(warm)
        foreign = bystanders.share()
    wrote = {
        topic: log.read(stand.settings, topic, before[topic], stand.ends(topic)) for topic in (PREDICTIONS, LEDGER)
    }
    letters = sum(stand.ends(DEAD_LETTERS).values()) - sum(before[DEAD_LETTERS].values())
    faults = check(stand, service, wrote[PREDICTIONS].values, wrote[LEDGER].values, letters, n, before[service.topic])
    try:
        counted = window(wrote[PREDICTIONS].times_ms, not_before_ms=0.0 if case.beside else generated_ms)
    except ValueError as error:
        faults.append(str(error))
        counted = Window(0, 0, 1)
    lookups = told.total("weir_cache_lookups_total")
    batches, rows = told.total("weir_batch_rows_count"), max(1.0, told.total("weir_batch_rows_sum"))
    return Drained(
        events_per_s=counted.per_s,
        scorer_us=sampler.cpu_between("scorer", counted.begin_ms, counted.end_ms) / max(1, counted.rows) * 1e6,
        broker_us=sampler.cpu_between("broker", counted.begin_ms, counted.end_ms) / max(1, counted.rows) * 1e6,
        bytes_in=float(np.mean([len(value) for value in parts[0][1][:1000]])),
        bytes_out=wrote[PREDICTIONS].octets / max(1, len(wrote[PREDICTIONS].values)),
        hit_rate=told.total("weir_cache_lookups_total", result="hit") / lookups if lookups else None,
        batch_rows=rows / max(1.0, batches),
        closed_by={why: count / max(1.0, batches) for why, count in told.by("weir_batches_total", "closed_by").items()},
        stage_us={stage: told.total("weir_stage_seconds_sum", stage=stage) / rows * 1e6 for stage in STAGES},
        foreign=foreign,
        faults=faults,
    )


def joined(stand: Stand, service: Service, workers: Sequence[Worker]) -> None:
    """Wait until every worker reads its partitions, and all of them are read."""
    expected = service.workload.partitions

    def assigned() -> bool:
        stand.stack.check()
        found = [metrics.scrape([worker]).total("weir_assigned_partitions") for worker in workers]
        return sum(found) == expected and (all(found) or expected < len(workers))

    until(assigned, READY_S, f"{len(workers)} scorers of {service.workload.service} to read {expected} partitions")


def check(
    stand: Stand,
    service: Service,
    predictions: list[bytes],
    ledger: list[bytes],
    letters: int,
    n: int,
    begins: Mapping[int, int],
) -> list[str]:
    """What is wrong with the answers to n requests, which lie behind `begins` in each partition.

    Each must have one prediction, the ledger must say so, and a sample must have ONNX Runtime's scores.
    """
    faults = []
    answered = of_service(log.columns(stand.settings, PREDICTIONS, predictions), service)
    where = pc.add(pc.multiply(answered["source_offset"], 64), answered["source_partition"].cast(pa.int64()))
    distinct = len(pc.unique(where))
    if (answered.num_rows, distinct, letters) != (n, n, 0):
        faults.append(f"{n} requests gave {answered.num_rows} predictions of {distinct}, and {letters} dead letters")
    counts = {number: len(values) for number, values in stand.requests(service, n)}
    faults += stand.sample(service, n).faults(begins, counts, answered)
    entries = of_service(log.columns(stand.settings, LEDGER, ledger), service)
    read, scored = pc.sum(entries["read"]).as_py(), pc.sum(entries["scored"]).as_py()
    if (read, scored) != (n, n):
        faults.append(f"the ledger says {read} read and {scored} scored of {n}")
    return faults


def of_service(rows: pa.RecordBatch, service: Service) -> pa.RecordBatch:
    """Rows written in the name of a service."""
    return rows.filter(pc.equal(rows["service"], service.workload.service))


def _warm(stand: Stand, case: Case, parts: Sequence[Part], workers: Sequence[Worker]) -> metrics.Metrics:
    """The workers' metrics; if they look features up, when their caches have met every warm key."""
    if not case.workload.looked_up:
        return metrics.scrape(workers)
    prefix = PREFIX_ROWS // len(parts)
    stand.produce(case.workload.topic, [(partition, values[:prefix]) for partition, values in parts])

    def warm() -> metrics.Metrics | None:
        stand.stack.check()
        found = metrics.scrape(workers)
        return found if found.total("weir_scored_rows_total") >= prefix * len(parts) else None

    return until(warm, READY_S, f"the caches of {case.name} to be warm")


def _generate(stand: Stand, case: Case, parts: Sequence[Part], workers: Sequence[Worker]) -> float:
    """Write the requests, but those that `_warm` wrote; when that was done, milliseconds of the wall clock.

    Scorers that keep up with the generator would leave little to be counted: so they sleep meanwhile, unless it is to
    run beside them.
    """
    if case.workload.looked_up:
        parts = [(partition, values[PREFIX_ROWS // len(parts) :]) for partition, values in parts]
    with ExitStack() as sleeping:
        for worker in () if case.beside else workers:
            sleeping.enter_context(asleep(worker.pid))
        stand.produce(case.workload.topic, parts)
        return time.time() * 1000
