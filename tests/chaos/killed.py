"""Group 1: scorer and recorder die by SIGKILL at random moments under load, alone and together."""

from __future__ import annotations

from tests.chaos.scene import Fault, Scene

RATE = 400.0
BETWEEN_S = (0.0, 1.2)  # how long a worker is left at work before it dies
AT_START = 0.2  # share of the deaths that come while the successor still starts
SMALL = {"chunk_max_records": 256, "batch_max_rows": 256}


def _start(scene: Scene, name: str) -> None:
    if name == "recorder":
        scene.recorder()
    else:
        scene.scorer(name, **SMALL)


def _die(scene: Scene, names: tuple[str, ...]) -> None:
    """All of them are dead before the first is started again."""
    for name in names:
        scene.kill(name)
    for name in names:
        _start(scene, name)


def _killed(*names: str):
    def act(scene: Scene, rounds: int) -> list[float]:
        if "scorer" in names:  # its successor is of the other variant
            _start(scene, "scorer")
        else:
            scene.scorers(**SMALL)
        _start(scene, "recorder")
        scene.under_load(RATE)
        recoveries = []
        for _ in range(rounds):
            scene.pause(*BETWEEN_S)
            _die(scene, names)
            if scene.chance.random() < AT_START:
                scene.pause(0.5, 6.0)  # its successor joins, reads, repeats: another moment to die in
                _die(scene, names)
            recoveries.append(scene.recovered())
        return recoveries

    return act


FAULTS = [
    Fault(1, "scorer killed -9", _killed("scorer"), quick=3, full=20),
    Fault(1, "recorder killed -9", _killed("recorder"), quick=3, full=20),
    Fault(1, "scorer and recorder killed -9", _killed("scorer", "recorder"), quick=3, full=20),
]
