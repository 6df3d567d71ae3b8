"""Group 3: Apache Kafka ended and started, killed, and a cluster of three whose leaders move while a node is down."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from weir.core.errors import Unavailable
from weir.settings import load

from tests.asleep import asleep
from tests.chaos.scene import Fault, Scene
from tests.chaos.watch import never_back
from tests.kafka_cluster import LIBS, Cluster, find_kafka

RATE = 300.0
KAFKA = load(embedded_broker="kafka", kafka_libs_dir=LIBS)
# Of workers that shall outlive a broker's restart, which takes Java ten seconds, and a minute where others are at work.
BUDGET = {"sink_budget_s": 300.0, "redrive_settle_s": 600.0}


def no_kafka() -> str:
    """Why there is no Apache Kafka here; "" when there is."""
    try:
        find_kafka()
    except Unavailable as error:
        return str(error)
    return ""


def _again(scene: Scene, name: str, start: Callable[[], object]) -> None:
    """A supervisor: a worker that has given up is started again."""
    child = scene.children[name]
    if child.poll() is not None:
        scene.notes.append(f"{name} gave up: {child.log_tail(1)}")
        scene.ended(name)
        start()


def _scorers_again(scene: Scene, settings: dict[str, float]) -> None:
    for name in ("scorer", "rival"):
        _again(scene, name, partial(scene.scorer, name, **settings))


def restarted(how: str) -> Callable[[Scene, int], list[float]]:
    """The one broker goes (in order, or by SIGKILL) under load and comes back with its log."""

    def act(scene: Scene, rounds: int) -> list[float]:
        scene.scorers(**BUDGET)
        scene.recorder(**BUDGET)
        scene.under_load(RATE)
        recoveries = []
        with never_back(scene):
            for _ in range(rounds):
                scene.pause(0.0, 1.5)
                (scene.stack.kill if how == "killed" else scene.stack.end)("broker")
                scene.pause(0.5, 4.0)
                scene.stack.begin("broker")
                _scorers_again(scene, BUDGET)
                _again(scene, "recorder", lambda: scene.recorder(**BUDGET))
                recoveries.append(scene.recovered())
        return recoveries

    return act


def silent(scene: Scene, rounds: int) -> list[float]:
    """The broker answers nobody for longer than the workers' budget: they stop, the group replays, nothing is lost."""
    budget = {"sink_budget_s": 3.0, "batch_max_rows": 256, "chunk_max_records": 256}
    scene.scorers(**budget)
    scene.recorder()
    scene.under_load(RATE)
    recoveries = []
    with never_back(scene):
        for _ in range(rounds):
            scene.load.send(3000)
            scene.pause(0.0, 0.5)
            with asleep(scene.stack.child("broker").pid):
                scene.pause(2.5, 6.0)  # about the budget: some of a batch may be on its way
            scene.pause(1.0, 2.0)
            _scorers_again(scene, budget)
            _again(scene, "recorder", scene.recorder)
            recoveries.append(scene.recovered())
            _scorers_again(scene, budget)
    return recoveries


def leaders_move(scene: Scene, rounds: int) -> list[float]:
    """Three nodes: one is killed, a second is stopped in order once the first is back, so that every leader moves."""
    cluster = scene.cluster
    assert cluster is not None
    scene.scorers(**BUDGET)
    scene.recorder(**BUDGET)
    scene.under_load(RATE)
    recoveries = []
    with never_back(scene):
        for number in range(rounds):
            down, moved = 1 + number % 3, 1 + (number + 1) % 3
            before = cluster.leaders(scene.service.topic)
            cluster.kill(down)
            scene.pause(1.0, 5.0)
            recoveries.append(scene.recovered())  # with one node down
            assert down not in cluster.leaders(scene.service.topic).values()
            cluster.start(down)
            cluster.until_in_sync(scene.service.topic)
            cluster.stop(moved)
            recoveries.append(scene.recovered())
            after = cluster.leaders(scene.service.topic)
            assert after != before, f"leaders did not move: {before}"
            cluster.start(moved)
            cluster.until_in_sync(scene.service.topic)
    return recoveries


def three_nodes(home) -> Cluster:
    return Cluster(home / "cluster", 3)


FAULTS = [
    Fault(3, "broker stopped and started", restarted("ended"), full=5, settings=KAFKA, missing=no_kafka),
    Fault(3, "broker killed -9", restarted("killed"), full=5, settings=KAFKA, missing=no_kafka),
    Fault(3, "broker silent about as long as the budget", silent, quick=2, full=8, settings=KAFKA, missing=no_kafka),
    Fault(3, "three nodes, one down, leaders move", leaders_move, full=3, cluster=three_nodes, missing=no_kafka),
]
