"""`python -m tests.bench.learning`: what a live learner and its challenger in shadow cost the answers beside them.

Open loops of one scorer with recorder and ClickHouse, in turns without and with a learner that learns from outcomes of
earlier answers meanwhile and a shadow that answers every request by that learner, all on the same cores.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from weir.agents.learner.books import Book
from weir.core.chunk import Partition
from weir.edges.clickhouse import migrations
from weir.edges.kafka.log_reader import LogReader
from weir.edges.schemas.registry import publish
from weir.operations import learner_bundle

from tests.bench import latency, log, metrics
from tests.bench.drain import joined
from tests.bench.protocol import FULL, Protocol, median
from tests.bench.sampler import Sampler
from tests.bench.stand import HOME, PREDICTIONS, Service, Stand, Worker
from tests.bench.workload import INSIDE
from tests.doubles.labelled import Sender
from tests.waiting import START_S, WAIT_S, until

RATE: Final = 5_000.0
FILE: Final = """service: {service}
model: [river.preprocessing.StandardScaler, river.linear_model.LogisticRegression]
learning_rate: 0.01
guards: {{one_class: 0, tenant_sd: 100}}
"""
NAME: Final = "beside"
SENT_EVERY_S: Final = 0.25  # outcomes are produced so often
FIRST: Final = 2_000  # outcomes until the challenger is built


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=FULL.latency_s, help="of each loop")
    parser.add_argument("--outcomes", type=float, default=1_000.0, help="a second")
    asked = parser.parse_args()
    protocol = replace(FULL, rounds=asked.rounds, latency_s=asked.seconds)
    with Stand("kafka", print) as stand:
        print(json.dumps(measure(stand, protocol, asked.outcomes)))


def measure(stand: Stand, protocol: Protocol, outcomes_per_s: float) -> dict[str, Any]:
    """p99 in milliseconds of each loop, and how many outcomes were learned a second in those with a learner."""
    folder = HOME.resolve() / "learning"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.yaml").write_text(FILE.format(service=INSIDE.service))
    stand.settings = stand.settings.having(learners_dir=folder)
    environment = {"WEIR_LEARNERS_DIR": str(folder)}
    migrations.apply(stand.settings.recording)
    service = stand.service(INSIDE)
    publish(stand._registry, stand.settings.paths.schemas_dir, stand._declared())
    rounds: list[dict[str, Any]] = []
    with (
        stand.workers(service, 1) as scorers,
        stand.workers(service, 1, role="recorder"),
        Outcomes(stand) as outcomes,
    ):
        joined(stand, service, scorers)
        warming = replace(protocol, latency_s=protocol.latency_warm_s / 2)
        for rate in (RATE, RATE / 10):  # uncounted: the broker compiles
            latency.loop(stand, service, rate, warming)
        with stand.workers(service, 1, environment, role="learner"):
            outcomes.send(FIRST)
            until(lambda: _learned(stand) >= FIRST, START_S, "a state of the learner")
            challenger = learner_bundle.build(
                stand.settings, learner_bundle.newest(stand.settings, NAME), service.bundle
            )
        for _ in range(protocol.rounds):
            alone = latency.loop(stand, service, RATE, protocol)
            beside = _beside(
                stand, replace(service, bundle=challenger), environment, outcomes, protocol, outcomes_per_s
            )
            rounds.append({"alone_ms": alone["p99_ms"], "beside_ms": beside["p99_ms"]} | beside["seen"])
            rounds[-1]["broken"] = [*alone["broken"], *beside["broken"]]
            print(json.dumps(rounds[-1]), flush=True)
    ratios = [one["beside_ms"] / one["alone_ms"] for one in rounds]
    return {"rate": RATE, "ratio": median(ratios), "ratios": ratios, "rounds": rounds}


class Outcomes:
    """Outcomes of answers, the oldest first; two of five are positive."""

    def __init__(self, stand: Stand) -> None:
        self._stand, self._sender = stand, Sender(stand.settings)
        self._begins = stand.ends(PREDICTIONS)
        self._ids: list[str] = []
        self.sent = 0

    def __enter__(self) -> Outcomes:
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.close()

    def look(self) -> None:
        """Read what was answered since the last look."""
        ends = self._stand.ends(PREDICTIONS)
        read = log.read(self._stand.settings, PREDICTIONS, self._begins, ends)
        rows = log.columns(self._stand.settings, PREDICTIONS, read.values)
        self._ids += rows["prediction_id"].to_pylist()
        self._begins = ends

    def send(self, count: int) -> None:
        """Produce so many, in one request."""
        if self.sent + count > len(self._ids):
            self.look()
        ids = self._ids[self.sent : self.sent + count]
        self._sender.send([_outcome(one, self.sent + i) for i, one in enumerate(ids)])
        self.sent += len(ids)


def _outcome(prediction_id: str, i: int) -> dict[str, Any]:
    label = "positive" if i * 7919 % 5 < 2 else "negative"
    said = {"service": INSIDE.service, "prediction_id": prediction_id, "request_id": None, "label": label}
    at_ms = int(time.time() * 1000)
    return said | {"observed": None, "attributes": {}, "revision": 0, "withdrawn": False, "occurred_at": at_ms}


@contextmanager
def _sending(outcomes: Outcomes, per_s: float) -> Iterator[None]:
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(SENT_EVERY_S):
            outcomes.send(int(per_s * SENT_EVERY_S))

    thread = threading.Thread(target=send, name="outcomes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beside(
    stand: Stand,
    challenger: Service,
    environment: dict[str, str],
    outcomes: Outcomes,
    protocol: Protocol,
    per_s: float,
) -> dict[str, Any]:
    outcomes.look()
    shadowed = {"WEIR_BUNDLE": str(challenger.bundle)}
    with (
        stand.workers(challenger, 1, environment, role="learner") as learners,
        stand.workers(challenger, 1, environment | shadowed, role="shadow") as shadows,
    ):
        until(
            lambda: _caught_up(stand, shadows[0]), START_S * 3, "the challenger to have answered what lies in the log"
        )
        until(lambda: _learned(stand) >= outcomes.sent, START_S * 3, "the learner to have learned what was sent")
        before = _learned(stand)
        pids = {"learner": [learners[0].pid], "shadow": [shadows[0].pid], "clickhouse": [stand.pid_of("clickhouse")]}
        began_s = time.time()
        with Sampler(pids) as sampler, _sending(outcomes, per_s):
            found = latency.loop(stand, challenger, RATE, protocol)
        took_s = time.time() - began_s
        until(lambda: _learned(stand) >= outcomes.sent, START_S * 3, "the learner to have learned what was sent")
    cores = {name: sampler.cpu_between(name, began_s * 1000, (began_s + took_s) * 1000) / took_s for name in pids}
    return found | {"seen": {"outcomes_per_s": (outcomes.sent - before) / took_s, "cores": cores}}


def _caught_up(stand: Stand, shadow: Worker) -> bool:
    """Whether the shadow has answered as many as were asked."""
    stand.stack.check()
    return metrics.scrape([shadow]).total("weir_lag_records") == 0 and bool(
        metrics.scrape([shadow]).total("weir_assigned_partitions")
    )


def _learned(stand: Stand) -> int:
    """Outcomes behind the newest state."""
    topic = stand.settings.kafka.names.learner_snapshots
    read = LogReader(stand.settings.kafka, Partition(topic, 0)).read(WAIT_S)
    return max((int(one["learned"]) for _, one in Book(stand.settings, topic).decoded(read)), default=0)


if __name__ == "__main__":
    main()
