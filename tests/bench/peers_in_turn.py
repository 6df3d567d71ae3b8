"""One round of a peer: started and warmed up on a few requests, then given many, and the rate at which it answers.

What is counted begins when the generator is done, as with Weir, and ends when nine tenths are answered, or when the
time is up: a slow peer is judged by what it did until then. Not from a tenth of the answers on: a system that reads
all, thinks, and answers in one go would then have been measured while it answers. That answers are right is held by
peers/check.py.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import psutil

from tests.bench import log
from tests.bench.machine import Bystanders
from tests.bench.peers import run
from tests.bench.protocol import Judge, median, ratios, window
from tests.bench.stand import HOME, LOOK_S, Part, Service, Stand
from tests.waiting import until

START_S = 90.0  # PyFlink starts a JVM and a Python beside it
WARM_ROWS = 2_000  # answered before anything is counted
MAX_BATCH = 1024  # what their documentation takes as an example; larger ones gained them nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """One round of a peer. cpu_us: of all its processes, per event. foreign: share of the machine that others took."""

    events_per_s: float
    cpu_us: float
    foreign: float
    faults: list[str]


def take(stand: Stand, service: Service, peer: run.Peer, turn: int, judge: Judge) -> Took:
    """Run one round of a peer over the protocol's peer_rows; a peer that ends or hangs is a fault of its own."""
    try:
        return _take(stand, service, peer, turn, judge)
    except (AssertionError, RuntimeError) as error:
        return Took(events_per_s=math.nan, cpu_us=math.nan, foreign=0.0, faults=[str(error)])


def _take(stand: Stand, service: Service, peer: run.Peer, turn: int, judge: Judge) -> Took:
    protocol, partitions = judge.protocol, service.workload.partitions
    requests, predictions = f"bench.requests.{peer.title}.{turn}", f"bench.predictions.{peer.title}.{turn}"
    stand.create([requests, predictions], partitions)
    parts = stand.requests(service, protocol.drain_rows)
    bystanders = Bystanders()
    process = _start(stand, service, peer, (requests, predictions))

    def answered() -> int:
        if process.poll() is not None:
            raise RuntimeError(f"peer {peer.title} ended with status {process.returncode}; see its log in {HOME}")
        return sum(stand.ends(predictions).values())

    try:
        stand.produce(requests, _first(parts, WARM_ROWS))
        until(lambda: answered() >= WARM_ROWS, START_S, f"the first answers of {peer.title}")
        warm = stand.ends(predictions)
        bystanders.begin()
        stand.produce(requests, _first(parts, protocol.peer_rows))
        generated_ms, spent_s = time.time() * 1000, _cpu_s(process.pid)
        deadline_s = time.monotonic() + protocol.peer_s
        while answered() < WARM_ROWS + protocol.peer_rows and time.monotonic() < deadline_s:
            time.sleep(LOOK_S)
        spent_s, foreign = _cpu_s(process.pid) - spent_s, bystanders.share()
    finally:
        run.stop(process)
    found = log.read(stand.settings, predictions, warm, stand.ends(predictions))
    try:
        counted = window(found.times_ms, 0.0, 0.9, generated_ms)
    except ValueError as error:
        return Took(events_per_s=math.nan, cpu_us=math.nan, foreign=foreign, faults=[str(error)])
    late_rows = int((found.times_ms > generated_ms).sum())
    return Took(events_per_s=counted.per_s, cpu_us=spent_s / max(1, late_rows) * 1e6, foreign=foreign, faults=[])


def _start(stand: Stand, service: Service, peer: run.Peer, topics: tuple[str, str]) -> subprocess.Popen[bytes]:
    schema = (HOME / "request.avsc").resolve()
    schema.write_text(service.encoder.contract.schema, encoding="utf-8")
    return peer.start(
        {
            "BROKERS": stand.settings.kafka.brokers,
            "REQUESTS_TOPIC": topics[0],
            "PREDICTIONS_TOPIC": topics[1],
            "MODEL": str(service.bundle / "model.onnx"),
            "SCHEMA": str(schema),
            "GROUP": f"group.{topics[0]}",
            "MAX_BATCH": str(MAX_BATCH),
        },
        (HOME / "logs" / f"{peer.title}.log").resolve(),
    )


def _first(parts: list[Part], rows: int) -> list[Part]:
    return [(number, values[: rows // len(parts)]) for number, values in parts]


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process and all that descend from it."""
    spent = 0.0
    with contextlib.suppress(psutil.Error):
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                spent += times.user + times.system
    return spent


def entry(peer: run.Peer, took: list[Took], ours: list[float], judge: Judge) -> dict[str, Any]:
    """The rounds of one peer, as the JSON has them. ours: Weir's events per second in the same rounds, one process."""
    theirs = [one.events_per_s for one in took]
    for one in took:
        judge.whole(peer.title, one.faults)
        judge.foreign(peer.title, one.foreign)
    found = ratios(ours, theirs)
    return {
        "name": peer.title,
        "version": peer.version,
        "events_per_s": median(theirs),
        "weir_per_s": median(ours),
        "cpu_us": median([one.cpu_us for one in took]),
        "ratio": median(found),
        "ratios": found,
    }
