"""Group 6: rows on which the model raises, and a stream of garbage that stops the worker at the limit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from weir.core.rejects import Reason, Stage

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, fragile_graph, tiny_bundle, weights_of
from tests.chaos.scene import Fault, Scene
from tests.chaos.watch import never_back
from tests.waiting import START_S

RATE = 300.0
ITEMS = 1  # the column on which the fragile model depends
POISON = 100  # within the signature's range, and beyond the model's table
SMALL = {"chunk_max_records": 256, "batch_max_rows": 256}
LIMIT = {"dead_letter_limit": 0.05, "dead_letter_window": 1000}


def fragile(folder: Path, service: str) -> Path:
    return tiny_bundle(folder, service=service, model=fragile_graph(weights_of(SIGNATURE), ITEMS))


def _poison(scene: Scene, count: int) -> list[bytes]:
    rows = tiny.rows(count, first=scene.chance.randrange(10**6, 10**9))
    items = rows.schema.get_field_index("items")
    values = scene.service.encoder.encode(rows.set_column(items, "items", pa.array(np.full(count, POISON))))
    for value in values:
        scene.truth.expect_letter(value, Stage.PREDICT, Reason.MODEL_FAILED)
    return list(values)


def rows_that_raise(scene: Scene, rounds: int) -> list[float]:
    """Poison among good rows, also while the scorer is killed: the poison is dead letters, the rest is scored."""
    scene.scorer()
    scene.recorder()
    scene.under_load(RATE)
    recoveries = []
    for _ in range(rounds):
        for _ in range(5):
            scene.load.send_values(list(_poison(scene, scene.chance.randrange(1, 12))))
            scene.pause(0.0, 0.3)
        scene.kill("scorer")
        scene.scorer()
        recoveries.append(scene.recovered())
    return recoveries


def _broken(values_of) -> object:
    """A stream of records that cannot be scored; the worker stops at the limit, and goes on when told to."""

    def act(scene: Scene, rounds: int) -> list[float]:
        scene.recorder()
        scene.scorer(**SMALL, **LIMIT)
        scene.until_ready("scorer", "recorder")
        scene.load.send(1000)
        scene.load.flush()
        scene.recovered()
        recoveries = []
        with never_back(scene):
            for _ in range(rounds):
                scene.load.send_values(values_of(scene))
                scene.load.send(500)
                stops_at_the_limit(scene)
                scene.load.flush()
                before = scene.service.committed()
                scene.scorer(**SMALL, **LIMIT)  # nothing was repaired: it stops again, behind what it judged
                assert scene.ended("scorer", START_S) == 78
                drained = sum(scene.service.committed().values()) - sum(before.values())
                assert drained <= 4 * 256, f"a restart without a repair drained {drained} records"
                scene.scorer(**SMALL, dead_letter_limit=1.0)
                recoveries.append(scene.recovered())
                scene.settle()  # what is replayed of the stream would stop the next one again
                scene.kill("scorer")
                scene.scorer(**SMALL, **LIMIT)
                scene.load.send(500)
                scene.load.flush()
                scene.recovered()  # good rows after the stream: the limit stops nobody any more
        return recoveries

    return act


def stops_at_the_limit(scene: Scene) -> None:
    """The scorer ends by itself and says in one line what to do."""
    log = scene.children["scorer"]
    assert scene.ended("scorer", START_S) == 78
    last = log.log_tail(1)
    assert last.startswith("weir: "), last
    assert "WEIR_DEAD_LETTER_LIMIT" in last, last


def garbage(scene: Scene, count: int = 3000) -> list[bytes | None]:
    value = b"garbage %d" % scene.chance.randrange(10**9)
    scene.truth.expect_letter(value, Stage.DECODE, Reason.BAD_FRAME)
    return [value] * count


FAULTS = [
    Fault(6, "rows on which the model raises", rows_that_raise, full=5, bundle=fragile),
    Fault(6, "a stream of garbage", _broken(garbage), full=3, load={"bad": 0.0}),
    Fault(
        6, "a stream of poison", _broken(lambda scene: _poison(scene, 3000)), full=3, bundle=fragile, load={"bad": 0.0}
    ),
]
