"""`python -m tests.doubles.recorder_process STATE SEED`: records made-up logs until their end, or until it is killed.

STATE holds the committed offsets, as a consumer group would. The logs and what must come of them are `logs()`.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from weir.core.chunk import Partition
from weir.edges.clickhouse.blocks import ClickHouseBlocks
from weir.recording.recorder import Recorder
from weir.settings import load

from tests.doubles import recording, records

PARTITIONS = 2
ROWS = 6000  # predictions of each partition
STEP = 500  # a scorer's ledger entry


@cache
def logs() -> dict[Partition, list[bytes | None]]:
    """Predictions with stretches written twice by a replaying scorer, and the three other topics beside them."""
    chance = random.Random(5)
    found: dict[Partition, list[bytes | None]] = {}
    for partition in range(PARTITIONS):
        offsets: list[int] = []
        end = 0
        while end < ROWS:
            begin = max(0, end - chance.randrange(400)) if chance.random() < 0.3 else end
            upto = min(ROWS, end + chance.randrange(1, 700))
            offsets += range(begin, upto)
            end = upto
        spans = [(first, first + STEP - 1) for first in range(0, ROWS, STEP)]
        ids = [records.prediction_id(partition, offset) for offset in range(ROWS)]
        labels = [float(offset % 7 == 0) for offset in range(ROWS)]
        made: dict[str, Sequence[bytes | None]] = {
            "weir.predictions": records.encode("predictions", records.predictions(partition, offsets)),
            "weir.shadows": records.encode("shadows", records.shadows(partition, offsets)),
            "weir.outcomes": [*records.encode("outcomes", records.outcomes(ids, labels)), b"", b"\0nonsense"],
            "weir.dead-letters": records.encode("dead_letters", records.dead_letters(partition, [1, 2, 2, 3])),
            "weir.ledger": records.encode("ledger", records.ledger(partition, spans)),
        }
        found |= {Partition(topic, partition): list(values) for topic, values in made.items()}
    return found


def main() -> None:
    """One life of the recorder. Chunks are cut at random, differently in every life."""
    state, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    settings = load()
    recorder = Recorder(ClickHouseBlocks(settings, "killed"), recording.streams(), block_max_rows=1500)
    committed: dict[Partition, int] = {}
    for topic, partition, end in json.loads(state.read_text()) if state.exists() else []:
        committed[Partition(topic, partition)] = end
    waiting = {}
    for source, values in logs().items():
        bounds = [committed.get(source, 0)]
        while bounds[-1] < len(values):
            bounds.append(min(len(values), bounds[-1] + chance.randrange(1, 600)))
        waiting[source] = records.cut(source, values, bounds)
    print("begun", flush=True)
    with ThreadPoolExecutor(3) as pool:
        while any(waiting.values()):
            for chunks in waiting.values():
                for chunk in chunks[: chance.randrange(1, 4)]:
                    recorder.take(chunk)
                    chunks.remove(chunk)
            for chunk in recorder.flush(pool.map).done:
                committed[chunk.source] = chunk.last + 1
            if chance.random() < 0.7:  # a commit every now and then; a crash loses the acknowledgements since
                draft = state.with_suffix(".new")
                draft.write_text(json.dumps([[*source, end] for source, end in committed.items()]))
                draft.replace(state)
    assert all(committed[source] == len(values) for source, values in logs().items())
    print("done", flush=True)


if __name__ == "__main__":
    main()
