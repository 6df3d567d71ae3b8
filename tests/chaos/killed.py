"""Group 1: scorer and recorder die by SIGKILL at random moments under load, alone and together."""

from __future__ import annotations

from tests.chaos.scene import Fault, Scene

RATE = 400.0
BETWEEN_S = (0.0, 1.2)      # how long a worker is left at work before it dies
AT_START = 0.2              # share of the deaths that come while the successor still starts
SMALL = {"chunk_max_records": 256, "batch_max_rows": 256}
BLOCKS: dict[str, object] = {}


def _start(scene: Scene, name: str) -> None:
    if name == "scorer":
        scene.scorer(**SMALL)
    else:
        scene.recorder(**BLOCKS)


def _killed(*names: str):
    def act(scene: Scene, rounds: int) -> list[float]:
        _start(scene, "scorer")
        _start(scene, "recorder")
        scene.load.rate = RATE
        scene.under_way()
        recoveries = []
        for _ in range(rounds):
            scene.pause(*BETWEEN_S)
            for name in names:
                scene.kill(name)
                _start(scene, name)
            if scene.chance.random() < AT_START:
                scene.pause(0.5, 6.0)                   # its successor joins, reads, repeats: another moment to die in
                for name in names:
                    scene.kill(name)
                    _start(scene, name)
            recoveries.append(scene.recovered())
        return recoveries

    return act


FAULTS = [
    Fault(1, "scorer killed -9", _killed("scorer"), quick=3, full=20),
    Fault(1, "recorder killed -9", _killed("recorder"), quick=3, full=20),
    Fault(1, "scorer and recorder killed -9", _killed("scorer", "recorder"), quick=3, full=20),
]
