"""Which variant answers which request."""

import numpy as np
import pyarrow as pa
import pytest
from weir.scoring.route import Route

KEYS = pa.array([f"request-{i}" for i in range(50_000)])


def test_one_variant_takes_everything():
    assert Route(("champion",)).assign(KEYS).tolist() == [0] * len(KEYS)


def test_shares_are_met():
    assigned = Route(("a", "b", "c"), (8, 1, 1)).assign(KEYS)
    assert np.abs(np.bincount(assigned) / len(KEYS) - [0.8, 0.1, 0.1]).max() < 0.01


def test_a_key_keeps_its_variant_whatever_batch_it_comes_in():
    route = Route(("a", "b"), (1, 1), "experiment")
    whole = route.assign(KEYS)
    assert np.array_equal(np.concatenate([route.assign(KEYS.slice(0, 7)), route.assign(KEYS.slice(7))]), whole)


def test_a_growing_share_takes_over_keys_and_gives_none_back():
    small, large = (Route(("canary", "champion"), (share, 1 - share)).assign(KEYS) for share in (0.05, 0.2))
    assert (large[small == 0] == 0).all()


def test_another_salt_is_an_independent_experiment():
    one, two = (Route(("a", "b"), (1, 1), salt).assign(KEYS) for salt in ("one", "two"))
    assert abs((one == two).mean() - 0.5) < 0.01


def test_a_batch_without_rows():
    assert Route(("a", "b"), (1, 1)).assign(pa.array([], pa.string())).tolist() == []


@pytest.mark.parametrize("shares", [(1.0,), (1.0, 0.0), (1.0, -1.0), (1.0, 1.0, 1.0)])
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(ValueError, match="one positive share for each variant"):
        Route(("a", "b"), shares)
