"""`python -m tests.bench.served`: from an outcome to the first answer by a state that has learned it; real workers.

A learner's bundle answers; requests come all the time, and each answer gets its outcome. Beside it, in this process:
what a state costs whoever follows, and what it costs an answer that its model takes a state.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from weir.agents.learner.books import Book
from weir.agents.worker.learned import Learned
from weir.core.chunk import Partition
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.log_reader import LogReader
from weir.edges.kafka.topics import declared
from weir.edges.schemas.registry import publish
from weir.operations import learner_bundle
from weir.settings import Settings, load
from weir.telemetry import Telemetry

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, opened_bundle, tiny_bundle
from tests.doubles.labelled import Sender
from tests.service_under_test import Service
from tests.unit.test_served_learner import row, state
from tests.waiting import START_S, WAIT_S, until

FILE = """service: {service}
model: [river.preprocessing.StandardScaler, river.linear_model.LogisticRegression]
learning_rate: 0.01
features: [items, amount]
guards: {{window: 100, one_class: 0, tenant_sd: 100}}
"""
EVERY_S = 0.05  # between two requests


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outcomes", type=int, default=300)
    asked = parser.parse_args()
    for k in (2, 30):
        print(json.dumps({"columns": k, **cost(k)}))
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(load(home=Path(folder) / "home", embedded_broker="kafka")) as stack,
    ):
        print(json.dumps(lived(stack, Path(folder), asked.outcomes)))


def cost(k: int, rounds: int = 300) -> dict[str, float]:
    """Microseconds of CPU, medians: of a state that is taken, and of a batch of 16 rows with and without a state."""
    inputs = tuple(replace(SIGNATURE.inputs[0], name=f"c{i}", ref=f"c{i}") for i in range(k)) if k > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        settings = load().having(home=Path(folder), bundles_dir=Path(folder) / "bundles")
        signature = SIGNATURE if inputs is None else replace(SIGNATURE, inputs=inputs)
        columns = signature.names[:k]
        path = tiny_bundle(Path(folder), signature)
        opened = opened_bundle(learner_bundle.build(settings, row(state(1, k), columns), path))
        learned, x = Learned(settings, opened, Telemetry()), opened.golden.inputs[:16].copy()
        rows = [row(state(seed, k), columns) for seed in range(2, 2 + rounds)]
        taken = [spent(lambda one=one: learned.offer(one)) for one in rows]
        with_state, without = learned.now().run, opened.model.run
        return {
            "taken_us": float(np.median(taken)),
            "batch_us": float(np.median([spent(lambda: with_state(x)) for _ in range(rounds)])),
            "batch_of_its_own_us": float(np.median([spent(lambda: without(x)) for _ in range(rounds)])),
        }


def spent(what: Callable[[], object]) -> float:
    """Microseconds of CPU of this thread."""
    began = time.thread_time_ns()
    what()
    return (time.thread_time_ns() - began) / 1000


def lived(stack: Stack, folder: Path, outcomes: int) -> dict[str, Any]:
    """Seconds from an outcome that was produced to the first answer by a state that has it."""
    service = Service(stack, folder)
    publish(service.registry, stack.settings.paths.schemas_dir, declared(stack.settings))
    (folder / "learners").mkdir()
    (folder / "learners" / "fresh.yaml").write_text(FILE.format(service=service.name))
    more = {"learners_dir": folder / "learners", "bundles_dir": service.bundle.parent}
    settings = stack.settings.having(clickhouse_database="served", **more)
    migrations.apply(settings.recording)
    environment = stack.environment | {
        "WEIR_CLICKHOUSE_DATABASE": "served",
        "WEIR_LEARNERS_DIR": str(folder / "learners"),
        "WEIR_BUNDLES_DIR": str(service.bundle.parent),
    }
    stack.spawn(["worker", "recorder"], "recorder", environment)
    with service.worker():
        service.send_rows(200)
        until(lambda: service.look() and len(service.predictions) >= 200, START_S, "the champion's answers")
        until(lambda: sum(service.committed().values()) == 200, START_S, "commits: none is answered again")
    stack.spawn(["worker", "learner"], "learner", environment)
    with closing(Sender(settings)) as sender:
        sender.send([outcome(service.name, one) for one in service.predictions])
        until(lambda: any(one["answering"] for one in states(settings)), START_S, "the first state")
        service.bundle = learner_bundle.build(settings, learner_bundle.newest(settings, "fresh"), service.bundle)
        with service.worker():
            sent = steady(settings, service, sender, outcomes)
        service.look()
    mine = sorted((one for one in service.predictions if one["learner_state"]), key=lambda one: one["scored_at"])
    learned = {one["digest"]: one["learned"] for one in states(settings)}
    has = np.array([learned[one["learner_state"]] for one in mine])
    at = np.array([one["scored_at"].timestamp() for one in mine])
    seconds = []
    for number, produced in enumerate(sent, 201):
        there = np.flatnonzero((has >= number) & (at >= produced))
        seconds += [at[there[0]] - produced] if len(there) else []
    written = {one["digest"]: one["at"] / 1000 for one in states(settings)}
    first = {one["learner_state"]: one["scored_at"].timestamp() for one in reversed(mine)}
    own = mine[0]["learner_state"]  # of the bundle, which answers first
    since = [first[name] - written[name] for name in first if name != own]
    found = {
        "written_to_answer_p95_s": round(float(np.quantile(since, 0.95)), 3),
        "outcomes": len(seconds),
        "never_served": len(sent) - len(seconds),
        "states": len({one["learner_state"] for one in mine}),
        "p50_s": round(float(np.quantile(seconds, 0.5)), 3),
        "p95_s": round(float(np.quantile(seconds, 0.95)), 3),
        "max_s": round(max(seconds), 3),
    }
    print(json.dumps(found), flush=True)
    waits(settings, {one["prediction_id"] for one in mine})
    return again(settings, mine)


def outcome(service: str, prediction: dict[str, Any]) -> dict[str, Any]:
    """What came true of an answer: two of five are positive."""
    label = "positive" if prediction["source_offset"] * 7919 % 5 < 2 else "negative"
    said = {"service": service, "prediction_id": prediction["prediction_id"], "request_id": None, "label": label}
    return said | {"observed": None, "attributes": {}, "revision": 0, "withdrawn": False, "occurred_at": tiny.AT_MS}


def steady(settings: Settings, service: Service, sender: Sender, outcomes: int) -> list[float]:
    """Requests come all the time, and of each answer an outcome; when each of these was produced."""
    before, sent = len(service.predictions), []
    until(
        lambda: service.send_rows(1) or (service.look_once() and len(service.predictions) > before), START_S, "answers"
    )
    told = before
    deadline_s = time.monotonic() + outcomes * 10 * EVERY_S + START_S
    while len(sent) < outcomes and time.monotonic() < deadline_s:
        service.send_rows(1)
        service.look_once()
        for one in service.predictions[told:][: outcomes - len(sent)]:
            sender.send([outcome(service.name, one)])
            sent.append(time.time())
        told = len(service.predictions)
        time.sleep(EVERY_S)
    end_s, last = time.monotonic() + START_S, ""
    while time.monotonic() < end_s and not any(one["learner_state"] == last for one in service.predictions[told:]):
        service.send_rows(1)
        service.look_once()
        time.sleep(EVERY_S)
        newest = states(settings)[-1]
        last = newest["digest"] if newest["learned"] >= 200 + len(sent) else ""
    return sent


def states(settings: Settings) -> list[dict[str, Any]]:
    """All that the log has."""
    topic = settings.kafka.names.learner_snapshots
    return [
        one for _, one in Book(settings, topic).decoded(LogReader(settings.kafka, Partition(topic, 0)).read(WAIT_S))
    ]


def waits(settings: Settings, ids: set[str]) -> None:
    """Until these are recorded."""
    with closing(connect(settings.recording)) as client:
        question = "SELECT uniqExact(prediction_id) FROM predictions WHERE learner_state != ''"
        until(lambda: int(client.query(question).first_row[0]) >= len(ids), START_S, "the record")


def again(settings: Settings, mine: list[dict[str, Any]]) -> dict[str, Any]:
    """How many answers of how many states come out the same, from the record."""
    from weir.operations import reproduce

    of = {one["learner_state"]: one["prediction_id"] for one in mine}
    with closing(connect(settings.recording)) as client:
        found = reproduce.reproduce(client, settings, list(of.values()))
    return {
        "again": len(found),
        "same": sum(one.same for one in found),
        "differences": [one.differences for one in found if not one.same][:2],
    }


if __name__ == "__main__":
    main()
