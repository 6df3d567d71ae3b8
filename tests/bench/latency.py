"""Latency under open loops: from when a request was due to when its prediction was in the hands of a consumer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from weir.edges.kafka.client import client_config
from weir.settings import ROOT

from tests.bench import log, metrics
from tests.bench.drain import SLOWEST_PER_S, Case, drain, joined
from tests.bench.gaps import Gaps
from tests.bench.machine import Bystanders
from tests.bench.protocol import LATE_MS, Judge, Protocol, Say, median, percentiles
from tests.bench.scores import Sample
from tests.bench.stand import HOME, PREDICTIONS, Service, Stand, Worker
from tests.bench.workload import INSIDE

RATES = (50, 500, 5000)
SHARE = 0.8  # of the measured maximum, the generator beside
WARM_S = 2.0  # at the head of each loop, not counted
MAX_REQUESTS = 500_000  # of a loop; bounds memory of the generator
OFFERED_PER_S = MAX_REQUESTS / (WARM_S + 3.0)  # at most, to find that maximum: more than this generator can send
# Of the generator's client. 5 ms is the clients' default, librdkafka's and Java's; it is charged to the request, so a
# generator of few requests chooses less. With less at thousands a second nearly each record is a request to the broker,
# which alone takes most of a core.
LINGER_MS = {"slow": 0.5, "fast": 5.0}
FAST_PER_S = 1_000
WARM_PER_S = (5_000, 500)  # Java compiles what runs often: before that a broker alone answers in tens of milliseconds
SLACK_S = 120.0
START_S = 30.0  # until a loop's process has its requests in memory
# Loops of a rate that keep the rules, and at most; the embedded broker is slower at each next one.
LOOPS = {"kafka": (3, 6), "tansu": (1, 1)}
LEAST_GOOD = 2  # where others keep the machine busy, so many that keep the rules are enough
MEDIANS = ("p50_ms", "p99_ms", "p99.9_ms", "late", "answered_per_s", "foreign")
SLOW_MS = 100.0  # an answer so slow is told with its time: something stood still
NOTHING_SET: Final[Mapping[str, str]] = MappingProxyType({})
APART_S = 0.1  # between two slow answers of one standstill


def measure(stand: Stand, judge: Judge, say: Say, environment: Mapping[str, str] = NOTHING_SET) -> list[dict[str, Any]]:
    """A loop per rate; with Apache Kafka one more, at a share of what can be answered.

    The embedded broker compiles nothing and is not warmed up; and it slows down with each batch that it holds, until it
    answers next to nothing (after some 40 s at 5,000 a second), so that more than these rates cannot be asked of it.

    environment: of the scorer, such as its engine.
    """
    service = stand.service(INSIDE)
    found: list[dict[str, Any]] = []
    maximum, of = 0.0, " ".join([stand.broker, *environment.values(), "latency"])
    bound = _beside(stand, judge, environment) if stand.broker == "kafka" else 0.0
    with stand.workers(service, 1, environment) as workers:
        joined(stand, service, workers)
        if bound:
            maximum = _warmed_up(stand, service, judge, min(bound, OFFERED_PER_S))
        last = [round(SHARE * maximum, -2)] if maximum else []
        for rate in (*map(float, RATES), *last):
            one = _loops(stand, service, workers, rate, judge)
            if rate in RATES:  # near the maximum a generator on the same cores may fail: its loop tells nothing
                judge.whole("latency", one["broken"])
            share = rate / maximum if maximum else None
            found.append(one | {"share_of_maximum": share, "settings": dict(environment)})
            say(
                f"{of} at {rate:,.0f}/s: p50 {one['p50_ms']:.1f}, p99 {one['p99_ms']:.1f}, "
                f"p99.9 {one['p99.9_ms']:.1f} ms; {one['late']:.2%} sent late; batches of {one['batch_rows']:.1f}; "
                f"p99 by loop {_by_loop(one['loops'])}"
            )
    return found


def _loops(stand: Stand, service: Service, workers: list[Worker], rate: float, judge: Judge) -> dict[str, Any]:
    """Loops of one rate: the median of those that keep the rules, and each by itself.

    One that the machine or another process disturbed is run again, a few times; one that loses something stands as it
    is. Where too few keep the rules the reasons of the last are those of all.
    """
    wanted, most = LOOPS[stand.broker] if rate in RATES else (1, 1)
    before = metrics.scrape(workers)
    found: list[dict[str, Any]] = []
    while len(found) < most and len(_good(found)) < wanted and not any(one["lost"] for one in found):
        found.append(loop(stand, service, rate, judge.protocol))
    told = metrics.scrape(workers).since(before)
    counted = _good(found) or found
    enough = len(_good(found)) >= min(wanted, LEAST_GOOD)
    batches = max(1.0, told.total("weir_batch_rows_count"))
    reasons = told.by("weir_batches_total", "closed_by")
    return {
        "broker": stand.broker,
        "rate": rate,
        **{name: median([one[name] for one in counted]) for name in MEDIANS},
        "max_ms": max(one["max_ms"] for one in counted),
        "p99_spread_ms": [min(one["p99_ms"] for one in counted), max(one["p99_ms"] for one in counted)],
        "broken": [] if enough else found[-1]["broken"],
        "loops": found,
        "batch_rows": told.total("weir_batch_rows_sum") / batches,
        "closed_by": {why: count / batches for why, count in reasons.items()},
    }


def _by_loop(loops: list[dict[str, Any]]) -> str:
    """p99 of each loop, in brackets where the loop does not count."""
    return ", ".join(f"[{one['p99_ms']:.1f}]" if one["broken"] else f"{one['p99_ms']:.1f}" for one in loops)


def _good(loops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in loops if not one["broken"]]


def _beside(stand: Stand, judge: Judge, environment: Mapping[str, str]) -> float:
    """What one scorer answers a second with the drain's generator beside it: more than an open loop can be answered."""
    case = Case(name="maximum", workload=INSIDE, beside=True, environment=environment)
    found = drain(stand, case, judge.protocol.drain_rows)
    judge.whole(f"{stand.broker}/maximum", found.faults)
    return found.events_per_s


def _warmed_up(stand: Stand, service: Service, judge: Judge, offered: float) -> float:
    """Loops that are not counted; the requests a second that were answered of the last, which is offered too many."""
    warming = replace(judge.protocol, latency_s=judge.protocol.latency_warm_s / len(WARM_PER_S))
    for rate in WARM_PER_S:
        loop(stand, service, rate, warming)
    answered: float = loop(stand, service, offered, warming)["answered_per_s"]
    return answered


def loop(
    stand: Stand, service: Service, rate: float, protocol: Protocol, begin_s: float | None = None
) -> dict[str, Any]:
    """One open loop, in a process of its own.

    begin_s: time of the wall clock at which its first request is due; each has the time at which it is due as its event
    time then. Without it the loop begins at once, with requests that are made once.
    """
    n = min(MAX_REQUESTS, int(rate * (protocol.latency_s + WARM_S)))
    partitions = service.workload.partitions
    of = n if begin_s else max(protocol.drain_rows, n)  # requests, of which the loop takes the first n
    made = stand.stamped(service, n, begin_s, rate) if begin_s else stand.requests(service, of)
    values = _interleaved(made, n)
    folder = HOME.resolve() / "latency"
    folder.mkdir(parents=True, exist_ok=True)
    base = stand.ends(service.topic)
    plan = {
        "client": client_config(stand.settings.kafka, "bench-open-loop"),
        "requests": service.topic,
        "rate": rate,
        "predictions": PREDICTIONS,
        "partitions": partitions,
        "ends": stand.ends(PREDICTIONS),
        "fetch_wait_max_ms": stand.settings.kafka.fetch_wait_max_ms,
        "out": str(folder / "out.arrow"),
        "values": str(folder / "values.arrow"),
        "linger_ms": LINGER_MS["fast" if rate > FAST_PER_S else "slow"],
        "begin_s": begin_s,
    }
    table = pa.table({"value": pa.array(values, pa.binary())})
    with pa.OSFile(plan["values"], "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    (folder / "plan.json").write_text(json.dumps(plan))
    if begin_s:
        time.sleep(max(0.0, begin_s - START_S - time.time()))  # nothing is watched before
    bystanders = Bystanders()
    bystanders.begin()
    command = [sys.executable, "-m", "tests.bench.open_loop", str(folder / "plan.json")]
    before = sum(plan["ends"].values())
    with Gaps() as gaps:
        subprocess.run(command, cwd=ROOT, check=True, timeout=n / rate + SLACK_S)
    foreign = bystanders.share()
    stand.wait_for(PREDICTIONS, before + n, n / SLOWEST_PER_S)  # what is left must not meet the next loop
    taken = _Taken(plan, base, stand.sample(service, of))
    return _judged(stand, service, rate, taken, gaps, foreign, protocol) | {"linger_ms": plan["linger_ms"]}


@dataclass(frozen=True, slots=True)
class _Taken:
    """A loop that is done. plan: as open_loop had it. base: partition -> offset of its first request."""

    plan: dict[str, Any]
    base: dict[int, int]
    sample: Sample


def _judged(
    stand: Stand, service: Service, rate: float, loop: _Taken, gaps: Gaps, foreign: float, protocol: Protocol
) -> dict[str, Any]:
    plan, base = loop.plan, loop.base
    with pa.memory_map(plan["out"]) as source:
        taken = pa.ipc.open_file(source).read_all()
    with np.load(plan["out"] + ".npz") as times:
        due, called = times["due"], times["called"]
    rows = log.columns(stand.settings, PREDICTIONS, taken["value"].to_pylist())
    mine = np.asarray(rows["service"]) == service.workload.service
    number = request_numbers(
        np.asarray(rows["source_partition"])[mine], np.asarray(rows["source_offset"])[mine], base, plan["partitions"]
    )
    received = np.full(len(due), np.inf)
    inside = (number >= 0) & (number < len(due))
    np.minimum.at(received, number[inside], taken["received_s"].to_numpy()[mine][inside])
    counted = due >= due[0] + WARM_S
    late = float(np.mean((called - due)[counted] * 1000 > LATE_MS))
    lost = int(np.isinf(received).sum())
    latency_ms = (received - due)[counted] * 1000
    name = f"{stand.broker} at {rate:,.0f}/s"
    own = Judge(protocol)
    own.late(name, late)
    own.foreign(name, foreign)
    gap_ms = gaps.worst_ms(due[counted][0], float(due[-1]) + 1.0)
    own.stood_still(name, gap_ms)
    counts = {part: len(range(part, len(due), plan["partitions"])) for part in range(plan["partitions"])}
    faults = loop.sample.faults(base, counts, rows.filter(pa.array(mine)))
    own.whole(name, [f"{lost} of {len(due)} requests had no answer in time"] if lost else faults)
    meanwhile = received[counted & (received < called[-1])]
    return {
        "requests": int(counted.sum()),
        "late": late,
        "lost": lost + len(faults),
        "answered_per_s": len(meanwhile) / (called[-1] - due[counted][0]),
        "foreign": foreign,
        "gap_ms": gap_ms,
        "stolen": gaps.stolen,
        "slow": standstills(due[counted] - due[0], latency_ms),
        "broken": own.broken,
        **{f"{quantile}_ms": value for quantile, value in percentiles(latency_ms).items()},
        "max_ms": float(latency_ms.max()),
    }


def standstills(due_s: npt.NDArray[np.float64], latency_ms: npt.NDArray[np.float64]) -> list[dict[str, float]]:
    """When answers were slow: seconds after the loop's first request, how many, and the slowest.

    >>> standstills(np.array([0.0, 1.0, 1.05, 3.0]), np.array([5.0, 250.0, 200.0, 130.0]))
    [{'from_s': 1.0, 'answers': 2, 'max_ms': 250.0}, {'from_s': 3.0, 'answers': 1, 'max_ms': 130.0}]
    """
    slow = np.flatnonzero(latency_ms > SLOW_MS)
    groups = np.split(slow, np.flatnonzero(np.diff(due_s[slow]) > APART_S) + 1)
    return [
        {"from_s": round(float(due_s[at[0]]), 3), "answers": len(at), "max_ms": round(float(latency_ms[at].max()), 1)}
        for at in groups
        if len(at)
    ]


def request_numbers(
    partition: npt.NDArray[np.int64], offset: npt.NDArray[np.int64], base: dict[int, int], partitions: int
) -> npt.NDArray[np.int64]:
    """Which request of a loop lies where: request i went to partition i % partitions, after base[partition] others.

    >>> request_numbers(np.array([0, 1, 0]), np.array([10, 7, 11]), {0: 10, 1: 7}, 2)
    array([0, 1, 2])
    """
    begins = np.array([base[number] for number in range(partitions)])
    return (offset - begins[partition]) * partitions + partition


def _interleaved(parts: list[tuple[int, list[bytes]]], n: int) -> list[bytes]:
    """The first n requests in the order in which a generator sends them, a partition after the other."""
    return [parts[i % len(parts)][1][i // len(parts)] for i in range(n)]
