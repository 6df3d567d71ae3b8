"""Detectors decide as River's do, and go on from what a snapshot holds."""

import json

import numpy as np
import pytest
from river import drift
from weir.learn.detectors import Adwin, PageHinkley


def values(seed):
    chance = np.random.default_rng(seed)
    parts = [chance.exponential(mean, n) for mean, n in ((1, 6000), (1.3, 4000), (0.7, 3000), (2.5, 2000))]
    return np.concatenate(parts).tolist()


@pytest.mark.parametrize("seed", [1, 2])
def test_they_find_what_rivers_find_wherever_they_were_stopped(seed):
    pairs = [
        (Adwin, drift.ADWIN()),
        (lambda: PageHinkley(0.1, 50), drift.PageHinkley(delta=0.1, threshold=50, mode="up")),
    ]
    for made, rivers in pairs:
        mine, found, expected = made(), [], []
        for i, value in enumerate(values(seed)):
            if i % 997 == 0:
                said = json.loads(json.dumps(mine.kept(), allow_nan=False))
                mine = made()
                mine.restore(said)
            found += [i] if mine.update(value) else []
            rivers.update(value)
            expected += [i] if rivers.drift_detected else []
        assert found == expected != []
        if isinstance(mine, Adwin):
            assert mine.mean == rivers.estimation
