"""Groups of faults in brief, for `make test`: as many as can share one scene do, since starting workers takes longest.

The group of feature stores is not among them: tests/integration/test_feature_outage.py has it.
"""

from __future__ import annotations

from dataclasses import replace

from tests.chaos import brokers
from tests.chaos.ending import committed_all_it_wrote
from tests.chaos.pairs import sleeps
from tests.chaos.poison import LIMIT, garbage, stops_at_the_limit
from tests.chaos.scene import Fault, Scene
from tests.chaos.watch import never_back

RATE = 60.0
BACK_S = 300.0  # other tests run beside these
LOAD = {"tick_s": 0.25}  # so few a second, one by one, would cost each of them what a whole batch costs
SMALL = {"chunk_max_records": 128, "batch_max_rows": 128}


def in_brief(scene: Scene, _rounds: int) -> list[float]:
    """Each of six groups once, one after the other, on the same log."""
    scene.recorder()
    scene.scorer("a", **SMALL)
    scene.scorer("b", **SMALL)
    scene.load.rate = RATE
    scene.under_way(40)
    with never_back(scene):
        recoveries = [_twice(scene), _asleep(scene), _killed(scene), _storage_killed(scene), _ended(scene)]
        recoveries.append(_garbage(scene))
    return recoveries


def _twice(scene: Scene) -> float:
    """Group 7."""
    again = scene.load.send(300)
    scene.chance.shuffle(again)
    scene.load.send_values(again)
    scene.load.flush()
    return scene.recovered()


def _asleep(scene: Scene) -> float:
    """Group 2."""
    scene.load.send(600)
    sleeps(scene, "a", "b")
    return scene.recovered()


def _killed(scene: Scene) -> float:
    """Group 1; the other scorer takes over."""
    scene.load.send(600)
    scene.kill("a")
    scene.kill("recorder")
    scene.recorder()
    return scene.recovered()


def _storage_killed(scene: Scene) -> float:
    """Group 4."""
    scene.load.send(600)
    scene.stack.kill("clickhouse")
    scene.stack.begin("clickhouse")
    return scene.recovered()


def _ended(scene: Scene) -> float:
    """Group 8."""
    scene.load.send(600)
    status, _ = scene.end("b")
    assert status == 0
    committed_all_it_wrote(scene)
    return 0.0


def _garbage(scene: Scene) -> float:
    """Group 6."""
    scene.load.send_values(garbage(scene, 300))
    scene.scorer(**SMALL, **LIMIT)
    stops_at_the_limit(scene)
    scene.scorer(**SMALL, dead_letter_limit=1.0)
    scene.until_ready("scorer")
    return scene.recovered()


def _of(name: str, faults: list[Fault]) -> Fault:
    return next(fault for fault in faults if fault.name == name)


SHORT = [
    Fault(0, "groups 1, 2, 4, 6, 7 and 8 in brief", in_brief, back_s=BACK_S, load=LOAD),
    replace(_of("broker killed -9", brokers.FAULTS), back_s=BACK_S, load=LOAD),
]
