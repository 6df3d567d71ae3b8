"""Golden requests: rows whose answers are known, and what is made of them, for every task."""

import re
from dataclasses import replace

import numpy as np
import pytest
from weir.core import golden
from weir.core.decide import decide, words
from weir.core.signature import Task
from weir.operations.golden import known

from tests.bundles import SIGNATURE, expected, golden_rows, opened_bundle, tiny_bundle

TASKS = {
    "binary": SIGNATURE,
    "multiclass": replace(
        SIGNATURE, task=Task.MULTICLASS, threshold=None, classes=("sky", "a path: or grass", "Straße")
    ),
    "regression": replace(SIGNATURE, task=Task.REGRESSION, threshold=None),
}


@pytest.mark.parametrize("task", TASKS)
def test_golden_rows_are_requests_with_their_known_answers(tmp_path, task):
    signature = TASKS[task]
    opened = opened_bundle(tiny_bundle(tmp_path, signature))
    found = known(opened, None)
    assert found
    matrix = golden_rows(signature, 32)[[one.row for one in found]]
    outputs = expected(matrix, signature).astype(np.float32).reshape(len(found), -1)
    decided = decide(signature, outputs)
    assert [one.score for one in found] == pytest.approx(decided.score.tolist(), abs=1e-6)
    decisions = words(signature, decided.index).to_pylist() if signature.decisions else [""] * len(found)
    assert [one.decision for one in found] == decisions
    assert all(one.record.keys() == {"amount", "items", "gift", "channel", "customer", "shop"} for one in found)


def test_a_name_says_what_is_expected():
    name = golden.name("0123456789ab", 3, 0.1, 1e-6, "a path: or grass", "x")
    assert re.fullmatch(r"weir-golden:0123456789ab:3:0\.1:1e-06:a%20path%3A%20or%20grass:x", name)
