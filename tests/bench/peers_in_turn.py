"""One round of a peer: a backlog in a topic of its own, the program started, and the rate at which it answers.

Measured like Weir, from the times of the predictions in the log between a tenth and nine tenths of them; but a slow
peer is stopped after a while, and judged by what it did until then. That its answers are right is held by
peers/check.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.bench import log
from tests.bench.machine import Bystanders
from tests.bench.peers import run
from tests.bench.protocol import Judge, Window, median, ratios, window
from tests.bench.stand import HOME, Service, Stand
from tests.waiting import until

START_S = 90.0              # PyFlink starts a JVM and a Python beside it
MAX_BATCH = 1024            # what their documentation takes as an example; larger ones gained them nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """One round of a peer. foreign: share of the machine that others took. faults: why it does not count."""

    events_per_s: float
    foreign: float
    faults: list[str]


def take(stand: Stand, service: Service, peer: run.Peer, turn: int, judge: Judge) -> Took:
    """Run one round of a peer over the protocol's peer_rows."""
    protocol = judge.protocol
    requests, predictions = f"bench.requests.{peer.name}.{turn}", f"bench.predictions.{peer.name}.{turn}"
    partitions = service.workload.partitions
    stand.create([requests, predictions], partitions)
    parts = stand.requests(service, protocol.drain_rows)
    stand.produce(requests, [(number, values[:protocol.peer_rows // partitions]) for number, values in parts])
    schema = (HOME / "request.avsc").resolve()
    schema.write_text(service.encoder.contract.schema, encoding="utf-8")
    bystanders = Bystanders()
    process = peer.start({
        "BROKERS": stand.settings.brokers, "REQUESTS_TOPIC": requests, "PREDICTIONS_TOPIC": predictions,
        "MODEL": str(service.bundle / "model.onnx"), "SCHEMA": str(schema), "GROUP": f"bench-{peer.name}-{turn}",
        "MAX_BATCH": str(MAX_BATCH),
    }, (HOME / "logs" / f"{peer.name}.log").resolve())  # fmt: skip
    try:
        def answered() -> int:
            if process.poll() is not None:
                raise RuntimeError(f"peer {peer.name} ended with status {process.returncode}; see its log in {HOME}")
            return sum(stand.ends(predictions).values())

        until(answered, START_S, f"the first answer of {peer.name}")
        bystanders.begin()
        deadline_s = time.monotonic() + protocol.peer_s
        while answered() < protocol.peer_rows and time.monotonic() < deadline_s:
            time.sleep(0.25)  # between two looks
        foreign = bystanders.share()
    finally:
        run.stop(process)
    found = log.read(stand.settings, predictions, {}, stand.ends(predictions))
    try:
        counted, faults = window(found.times_ms), []
    except ValueError as error:
        counted, faults = Window(0, 0, 1), [str(error)]
    return Took(events_per_s=counted.per_s, foreign=foreign, faults=faults)


def entry(peer: run.Peer, took: list[Took], ours: list[float], judge: Judge) -> dict[str, Any]:
    """The rounds of one peer, as the JSON has them. ours: Weir's events per second in the same rounds, one process."""
    theirs = [one.events_per_s for one in took]
    for one in took:
        judge.whole(peer.name, one.faults)
        judge.foreign(peer.name, one.foreign)
    found = ratios(ours, theirs) if all(theirs) else []
    return {
        "name": peer.name, "version": peer.version, "events_per_s": median(theirs), "weir_per_s": median(ours),
        "ratio": median(found), "ratios": found,
    }  # fmt: skip
