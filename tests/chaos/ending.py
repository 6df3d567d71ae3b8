"""Group 8: SIGTERM drains and commits within a stated time; the pages for machines tell the truth throughout."""

from __future__ import annotations

import time

from weir.edges.embedded.stack import WORKER_GRACE_S

from tests.asleep import asleep
from tests.chaos.load import PARTITIONS
from tests.chaos.scene import Fault, Scene
from tests.chaos.verdict import entries
from tests.chaos.watch import looking
from tests.waiting import WAIT_S, until

RATE = 400.0
SMALL = {"chunk_max_records": 256, "batch_max_rows": 256}
SOON_S = 12.0  # a session of 3 s and what the brokers' silence takes to be believed, on two busy cores
TOLD_S = 3.0  # metrics of the group are told once a second


def terminated(scene: Scene, rounds: int) -> list[float]:
    """Both workers end under load: status 0, within the grace that a supervisor gives, and nothing is done twice."""
    scene.scorer(**SMALL)
    scene.recorder()
    scene.under_load(RATE)
    recoveries, took = [], {"scorer": [0.0], "recorder": [0.0]}
    for _ in range(rounds):
        for name, again in (("scorer", lambda: scene.scorer(**SMALL)), ("recorder", scene.recorder)):
            scene.load.send(1500)
            scene.pause(0.0, 0.5)
            log = scene.children[name]
            status, seconds = scene.end(name)
            took[name].append(seconds)
            assert status == 0, f"{name} ended with status {status}: {log.log_tail(3)}"
            assert seconds <= WORKER_GRACE_S, f"{name} took {seconds:.1f} s to end, its grace is {WORKER_GRACE_S:g} s"
            if name == "scorer":
                committed_all_it_wrote(scene)
            again()
        scene.until_ready("scorer", "recorder")
        recoveries.append(scene.recovered())
    longest = ", ".join(f"{name} {max(times):.1f} s" for name, times in took.items())
    scene.notes.append(f"longest end: {longest}; bound {WORKER_GRACE_S:g} s")
    return recoveries


def committed_all_it_wrote(scene: Scene) -> None:
    """With no scorer alive, what its group has committed is what the ledger of the log covers, to the record."""
    covered: dict[int, int] = {}
    for _, _, partition, _, last, *_ in entries(scene.service):
        covered[partition] = max(covered.get(partition, 0), last + 1)
    committed = {p: offset for p, offset in scene.service.committed().items() if offset}
    assert covered == committed, f"covered by the ledger up to {covered}, committed {committed}"


def pages(scene: Scene, rounds: int) -> list[float]:
    """Ready only between having joined and being told to stop; alive all the time."""
    scene.load.rate = 50.0
    recoveries = []
    scene.recorder()
    for _ in range(rounds):
        scene.scorer()
        seen: set[tuple[int, int]] = set()

        def look(seen: set[tuple[int, int]] = seen) -> bool:
            seen.add((scene.page("scorer", "live"), scene.page("scorer", "ready")))
            return (200, 200) in seen

        until(look, WAIT_S, "the scorer to be alive and ready")
        assert seen <= {(0, 0), (0, 503), (200, 503), (200, 200), (0, 200)}, f"while it started its pages said {seen}"
        until(lambda: scene.assigned("scorer") == PARTITIONS, TOLD_S, "a scorer that is ready to read all partitions")
        scene.until_ready("scorer", "recorder")
        recoveries.append(scene.recovered())
        _ends_unready(scene)
    scene.scorer()
    scene.load.send(500)
    return recoveries


def _ends_unready(scene: Scene) -> None:
    """From the moment it is told to stop it is not ready any more."""
    scene.load.send(3000)
    with looking(lambda: (scene.page("scorer", "live"), scene.page("scorer", "ready")), 0.02) as seen:
        told = time.monotonic()
        status, _ = scene.end("scorer")
    assert status == 0
    late = [pages for at, pages in seen if at > told + 1.0 and pages[1] == 200]
    assert not late, f"ready {len(late)} times more than a second after it had been told to stop"


def broker_away(scene: Scene, rounds: int) -> list[float]:
    """A stopped broker answers nobody: workers live on, say that they are not ready, and are ready when it is back."""
    scene.scorers()
    scene.recorder()
    scene.under_load(100.0)
    recoveries = []
    broker, workers = scene.stack.child("broker").pid, ("scorer", "rival", "recorder")
    for _ in range(rounds):
        with asleep(broker):
            until(
                lambda: not any(map(scene.ready, workers)),
                SOON_S,
                "the workers to say that they are not ready without a broker",
            )
            assert all(scene.page(name, "live") == 200 for name in workers)
        scene.until_ready(*workers)
        recoveries.append(scene.recovered())
    return recoveries


FAULTS = [
    Fault(8, "SIGTERM under load", terminated, quick=2, full=10),
    Fault(8, "pages during start and stop", pages, full=3),
    Fault(8, "pages while the broker is silent", broker_away, full=3),
]
