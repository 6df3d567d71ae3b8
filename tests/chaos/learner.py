"""`python -m tests.chaos.learner`: the learner worker is killed again and again while outcomes come.

Real workers on Apache Kafka. In the end the newest snapshots are compared, bit for bit, with those of a learner that
has learned the whole log in one go; and every outcome is in the log once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from weir.core.chunk import Partition
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.admin import bounds
from weir.settings import Settings, load

from tests.chaos.monitor import prepared
from tests.doubles import labelled
from tests.doubles.labelled import Sender, outcome
from tests.integration.test_learner_worker import same_as_never_stopped, states
from tests.kafka_cluster import LIBS
from tests.waiting import START_S, until

A_LIFE = 250  # outcomes
ACTIVE = "this learner worker is the active one"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        _killed(Path(folder), asked.kills, random.Random(asked.seed))
    return 0


def _killed(home: Path, kills: int, chance: random.Random) -> None:
    labelled.learners(home / "learners", ("broken", "hybrid"))
    of = labelled.made("fragile", "binary", A_LIFE * (kills + 1), ("whole", "broken"))
    with Stack(load(home=home, embedded_broker="kafka", kafka_libs_dir=LIBS)) as stack:
        settings = prepared(stack, "killed", home).having(learners_dir=home / "learners", home=home)
        with closing(connect(settings.recording)) as client:
            labelled.bundle(client, of)
            labelled.record(client, of)
        given = {
            "WEIR_DEPLOYMENT": settings.kafka.deployment,
            "WEIR_CLICKHOUSE_DATABASE": settings.recording.clickhouse_database,
            "WEIR_LEARNERS_DIR": str(settings.paths.learners_dir),
            "WEIR_SESSION_TIMEOUT_S": "3",
            "WEIR_LEARNER_PUBLISH_S": "0.05",
        }
        workers = [stack.spawn(["worker", "learner"], f"learner-{life}", given) for life in range(2)]
        with closing(Sender(settings)) as sender:
            for life in range(kills + 1):
                one = until(lambda: _active(workers), START_S, "an active worker")
                end = _end(settings)
                for begin in range(A_LIFE * life, A_LIFE * (life + 1), 25):
                    sender.send([outcome(of, i) for i in range(begin, begin + 25)], chance.randrange(4))
                if life == kills:
                    break
                until(lambda end=end: _end(settings) > end, START_S, "an entry of the log", every_s=0.0)
                time.sleep(chance.choice([0.0, chance.uniform(0.0, 0.5)]))
                os.kill(one.pid, signal.SIGKILL)
                stack.forget(one)
                workers.remove(one)
                workers.append(stack.spawn(["worker", "learner"], f"learner-{life + 2}", given))
            want = A_LIFE * (kills + 1)

            def done() -> bool:
                stack.check()
                found = states(settings)
                return {row["learned"] for row in found.values()} == {want} and len(found) == 2

            until(done, 2 * START_S, f"{want} outcomes learned", every_s=1.0)
            same_as_never_stopped(settings)
            print(f"{kills} kills: {want} outcomes learned once each, bit for bit as never stopped", flush=True)
        for one in workers:
            stack.forget(one)


def _active(workers: Sequence[Child]) -> Child | None:
    """The worker that works: of several that have said so, the last, to which it went over."""
    said = [
        (json.loads(line)["timestamp"], number)
        for number, one in enumerate(workers)
        if one.log.exists()
        for line in one.log.read_text().splitlines()
        if ACTIVE in line
    ]
    return workers[max(said)[1]] if said else None


def _end(settings: Settings) -> int:
    """Of the log of labelled outcomes."""
    topic = settings.kafka.names.labelled
    return bounds(settings.kafka, topic)[Partition(topic, 0)][1]


if __name__ == "__main__":
    sys.exit(main())
