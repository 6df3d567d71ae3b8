"""Answers of a block, counted by batch and kind, against counting row by row."""

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
from weir.core import golden
from weir.core.arrow import replaced
from weir.recording import answers

from tests.doubles import records

LOG = records.place(records.Partition("weir.predictions", 3))
KEYS = (*answers.BATCH, *answers.KIND)
N = 200


def block(seed):
    """Predictions of some batches, of every kind, of which nobody has said what their values are called; one golden."""
    random = np.random.default_rng(seed)
    rows = records.predictions(0, list(range(N)), digest="ffffffffffff")
    for name in answers.KIND:
        rows = replaced(rows, name, pa.array(random.choice(["", "a", "b"], N)))
    batch = random.integers(0, 4, N)
    rows = replaced(rows, "batch_id", pa.array(batch))
    rows = replaced(rows, "scored_at", pa.array(records.BASE_MS + batch % 2).cast(records.MS))
    asked = [golden.name(records.DIGEST, 0, 0.5, 1e-6, "", "1"), *rows["request_id"].to_pylist()[1:]]
    return replaced(rows, "request_id", pa.array(asked))


def test_each_answer_is_counted_once_under_its_batch_and_kind():
    rows, offsets = block(1), 1000 + 3 * np.arange(N)
    truth, first = Counter(), defaultdict(list)
    for row, offset in zip(rows.select(KEYS).to_pylist(), offsets.tolist(), strict=True):
        truth[tuple(row.values())] += 1
        first[tuple(row.values())].append(offset)
    made = answers.of(rows, LOG, offsets).to_pylist()
    assert {tuple(row[key] for key in KEYS): row["answers"] for row in made} == truth
    assert len(made) == len(truth)
    assert {tuple(row[key] for key in KEYS): row["log_offset"] for row in made} == {
        key: min(mine) for key, mine in first.items()
    }
    assert {(row["log_id"], row["log_topic"], row["log_partition"]) for row in made} == {LOG}


def test_the_same_block_makes_the_same_rows():
    assert answers.of(block(2), LOG, np.arange(N)).equals(answers.of(block(2), LOG, np.arange(N)))
