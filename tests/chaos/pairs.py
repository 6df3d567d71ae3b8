"""Group 2: two workers of a group; one joins, one leaves, one sleeps past its session and wakes up a zombie."""

from __future__ import annotations

from tests.asleep import asleep
from tests.chaos.scene import Fault, Scene
from tests.chaos.watch import never_back
from tests.waiting import WAIT_S, until

RATE = 400.0
SESSION_S = 3.0  # of every worker in a scene
PAST_S = (0.5, 3.0)  # how far beyond its session a worker sleeps: at its edge the other has only begun
SMALL = {"chunk_max_records": 256, "batch_max_rows": 256}


def joins_and_leaves(scene: Scene, rounds: int) -> list[float]:
    """A second scorer joins, the first leaves; each time the other goes on where it stopped."""
    scene.recorder()
    scene.scorer("scorer-0", **SMALL)
    scene.load.rate = RATE
    scene.under_way()
    recoveries = []
    with never_back(scene):
        for number in range(rounds):
            old, new = f"scorer-{number}", f"scorer-{number + 1}"
            scene.scorer(new, **SMALL)
            scene.until_ready(new)
            scene.pause(0.0, 1.0)
            status, _ = scene.end(old)
            assert status == 0, f"the scorer that left ended with status {status}"
            recoveries.append(scene.recovered())
    return recoveries


def sleeps(scene: Scene, name: str, other: str) -> None:
    """Stop a worker in the midst of its work, past its session, until the other has its partitions; then wake it."""
    with asleep(scene.children[name].pid):
        scene.pause(SESSION_S + PAST_S[0], SESSION_S + PAST_S[1])
    until(lambda: scene.ready(other), WAIT_S, f"{other} to go on")


def scorer_zombie(scene: Scene, rounds: int) -> list[float]:
    scene.recorder()
    scene.scorer("scorer-a", **SMALL)
    scene.scorer("scorer-b", **SMALL)
    scene.under_load(RATE)
    recoveries = []
    with never_back(scene):
        for number in range(rounds):
            name, other = ("scorer-a", "scorer-b") if number % 2 else ("scorer-b", "scorer-a")
            scene.load.send(2000)  # so that it sleeps in the midst of a batch
            scene.pause(0.0, 0.3)
            sleeps(scene, name, other)
            recoveries.append(scene.recovered())
            alive = scene.children[name].poll() is None
            assert alive, f"the zombie ended: {scene.children[name].log_tail(1)}"
    _nothing_in_flight(scene)
    return recoveries


def recorder_zombie(scene: Scene, rounds: int) -> list[float]:
    scene.scorers(**SMALL)
    scene.recorder("recorder-a")
    scene.recorder("recorder-b")
    scene.under_load(RATE)
    recoveries = []
    for number in range(rounds):
        name, other = ("recorder-a", "recorder-b") if number % 2 else ("recorder-b", "recorder-a")
        scene.load.send(2000)
        scene.pause(0.0, 1.5)
        sleeps(scene, name, other)
        recoveries.append(scene.recovered())
        alive = scene.children[name].poll() is None
        assert alive, f"the zombie ended: {scene.children[name].log_tail(1)}"
    return recoveries


def _nothing_in_flight(scene: Scene) -> None:
    """Let what a zombie may still have in flight come, before the log is compared: who ends in order has drained."""
    scene.load.rate = 0.0
    scene.load.flush()
    scene.recovered()
    for name in ("scorer-a", "scorer-b"):
        status, _ = scene.end(name)
        assert status == 0, f"{name} ended with status {status}"


FAULTS = [
    Fault(2, "a scorer joins, another leaves", joins_and_leaves, quick=2, full=8),
    Fault(2, "scorer asleep past its session", scorer_zombie, quick=2, full=10),
    Fault(2, "recorder asleep past its session", recorder_zombie, quick=2, full=10),
]
