"""`python -m tests.bench.labelled`: outcomes through Kafka, the join and a learner, and what they wait for.

Real Kafka, the embedded ClickHouse, and the rounds of a learner worker in this process. Requests of 30 features are
recorded, a hundred a second; their outcomes have come before the worker starts, so that it is never short of them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from clickhouse_connect.driver import Client
from weir.agents.learner import joining
from weir.agents.learner.books import Journal, Outcomes, Snapshots
from weir.agents.learner.kept import Kept
from weir.agents.learner.rounds import Rounds
from weir.edges.clickhouse import learning
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.settings import Settings, load

from tests.chaos.monitor import prepared
from tests.doubles.labelled import BEGIN_MS, Sender, id_of

COLUMNS, EVERY_MS, SERVICE = 30, 10, "orders"
FILE = f"""service: {SERVICE}
model: [river.preprocessing.StandardScaler, river.linear_model.LogisticRegression]
learning_rate: 0.001
guards: {{outlier_sd: 1e9, tenant_sd: 100}}
"""
RECORD = """
    INSERT INTO predictions
        (prediction_id, request_id, service, model, digest, event_time, scored_at, tenant, score, features)
    WITH toInt64({begin:Int64} + {every:Int64} * number) AS ms, leftPad(lower(hex(ms)), 12, '0') AS hex12,
         leftPad(lower(hex(number)), 12, '0') AS last, fromUnixTimestamp64Milli(ms) AS at
    SELECT toUUID(concat(substring(hex12, 1, 8), '-', substring(hex12, 9, 4), '-7000-8000-', last)),
           concat('r-', toString(number)), {service:String}, 'm', 'd', at, at,
           ['atlas', 'borealis', 'cirrus'][number % 3 + 1], randUniform(0, 1),
           mapFromArrays({names:Array(String)},
                         arrayMap(name -> toFloat32(randNormal(0, 1) + cityHash64(name) % 7), {names:Array(String)}))
    FROM numbers({from:UInt64}, {count:UInt64})
"""
PARTS: tuple[tuple[Any, str, str], ...] = (
    (Outcomes, "read", "read outcomes"),
    (joining, "said", "read outcomes"),
    (learning, "served", "ask ClickHouse"),
    (joining, "joined", "join"),
    (joining, "entries_of", "make entries"),
    (Journal, "write", "write entries"),
    (Journal, "read", "read entries again"),
    (Kept, "take", "learn"),
    (Snapshots, "write", "write states"),
)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outcomes", type=int, default=100_000)
    parser.add_argument("--shuffled", action="store_true", help="outcomes come in no order")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(load(home=Path(folder) / "home", embedded_broker="kafka")) as stack,
    ):
        print(json.dumps(measured(stack, Path(folder), asked.outcomes, shuffled=asked.shuffled), indent=1))


def measured(stack: Stack, folder: Path, outcomes: int, *, shuffled: bool) -> dict[str, Any]:
    """Outcomes a second of the clock and of CPU, and where the worker's time goes."""
    (folder / "learners").mkdir()
    (folder / "learners" / "one.yaml").write_text(FILE)
    settings = prepared(stack, "labelled", folder).having(learners_dir=folder / "learners")
    with closing(connect(settings.recording)) as client:
        recorded(client, outcomes)
    send(settings, outcomes, shuffled=shuffled)
    spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    worker = Rounds(settings, lambda: connect(settings.recording), lambda: round(time.time() * 1000))
    children = {name: stack.child(name) for name in ("clickhouse", "broker")}
    worker.round()  # opens
    began_s, own_s, theirs_s = (
        time.monotonic(),
        time.process_time(),
        {name: cpu_s(one) for name, one in children.items()},
    )
    begun = learned(worker)
    with timed(spent):
        while learned(worker) < outcomes:
            worker.round()
    wall_s, n = time.monotonic() - began_s, outcomes - begun
    found: dict[str, Any] = {
        "outcomes": n,
        "a_second": round(n / wall_s),
        "a_cpu_second_of_the_worker": round(n / (time.process_time() - own_s)),
        "wall_s": round(wall_s, 2),
        "worker_cpu_s": round(time.process_time() - own_s, 2),
    }
    found |= {f"{name}_cpu_s": round(cpu_s(one) - theirs_s[name], 2) for name, one in children.items()}
    found["of_it_wall_and_cpu_s"] = {name: [round(one, 2) for one in both] for name, both in spent.items()}
    found["load"] = os.getloadavg()[0]
    worker.close()
    return found


def recorded(client: Client, outcomes: int) -> None:
    """Requests, and what their bundle says of them."""
    names = [f"c{i}" for i in range(COLUMNS)]
    columns = ["digest", "service", "model", "inputs", "task", "classes", "role", "written_at"]
    row = ["d", SERVICE, "m", names, "binary", ["no", "yes"], "scorer", BEGIN_MS // 1000]
    client.insert("bundles", [row], columns, settings={"insert_deduplication_token": uuid.uuid4().hex})
    for begin in range(0, outcomes, 20_000):
        parameters = {"names": names, "service": SERVICE, "begin": BEGIN_MS, "every": EVERY_MS}
        parameters |= {"from": begin, "count": min(20_000, outcomes - begin)}
        client.command(RECORD, parameters=parameters, settings={"insert_deduplication_token": uuid.uuid4().hex})


def send(settings: Settings, outcomes: int, *, shuffled: bool) -> None:
    """An outcome of each, in the order of the requests or in none."""
    order = [i * 7919 % outcomes for i in range(outcomes)] if shuffled else list(range(outcomes))
    with closing(Sender(settings)) as sender:
        for begin in range(0, outcomes, 5000):
            sender.send([outcome(i) for i in order[begin : begin + 5000]])


def outcome(i: int) -> dict[str, Any]:
    """What came true: one in three."""
    said = {"service": SERVICE, "prediction_id": id_of(BEGIN_MS + EVERY_MS * i, i), "request_id": None}
    said |= {"label": "yes" if i % 3 == 0 else "no", "observed": None, "attributes": {}}
    return said | {"revision": 0, "withdrawn": False, "occurred_at": BEGIN_MS}


def learned(worker: Rounds) -> int:
    """Outcomes of the learner."""
    assert worker.opened is not None
    return worker.opened.learners[0].live.learned


def cpu_s(child: Child) -> float:
    """CPU time of a process."""
    parts = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def timed(spent: dict[str, list[float]]) -> Iterator[None]:
    """Wall and CPU time of parts, by name; what stands within another one counts there, too."""
    plain = [(owner, name, getattr(owner, name)) for owner, name, _ in PARTS]
    for owner, name, told in PARTS:
        setattr(owner, name, _timed(getattr(owner, name), spent[told]))
    try:
        yield
    finally:
        for owner, name, of in plain:
            setattr(owner, name, of)


def _timed(of: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
    def call(*given: Any, **more: Any) -> Any:
        wall_s, cpu = time.monotonic(), time.thread_time()
        try:
            return of(*given, **more)
        finally:
            into[0] += time.monotonic() - wall_s
            into[1] += time.thread_time() - cpu

    return call


if __name__ == "__main__":
    main()
