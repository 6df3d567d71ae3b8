"""Bins against their definition, and grids that any values get."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.grid import INFINITE, MISSING, UNIT, Grid, GridKind, bins, grid_of

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
ANYTHING = st.lists(NUMBERS | st.integers(-5, 5).map(float), max_size=40)


@given(values=ANYTHING, center=st.integers(-1000, 1000), power=st.integers(-20, 20))
def test_a_bin_is_what_its_definition_says(values, center, power):
    grid = Grid(center=float(center), scale=2.0**power)
    for value, found in zip(values, bins(np.array(values), grid).tolist(), strict=True):
        if np.isnan(value):
            assert found == MISSING
        elif np.isinf(value):
            assert found == np.sign(value) * INFINITE
        else:
            with np.errstate(over="ignore"):
                exact = 16 * np.arcsinh((np.float64(value) - center) / grid.scale)
            assert abs(found - np.clip(exact, -1431, 1431)) <= 0.5001


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_score_of_three_decimals_is_in_its_own_bin(dtype):
    assert bins((np.arange(1001) / 1000).astype(dtype), UNIT).tolist() == list(range(1001))


@given(ANYTHING)
def test_any_values_have_a_grid_and_lie_on_it(values):
    grid = grid_of(np.array(values))
    finite = [value for value in values if np.isfinite(value)]
    assert (grid.lo, grid.hi) == ((min(finite), max(finite)) if finite else (None, None))
    assert len(bins(np.array(values), grid)) == len(values)


def test_two_samples_of_one_population_have_one_grid():
    random = np.random.default_rng(3)
    found = {(grid.center, grid.scale) for grid in (grid_of(random.normal(100, 12, 2000)) for _ in range(20))}
    assert found == {(96.0, 8.0), (104.0, 8.0)} or len(found) == 1


@pytest.mark.parametrize(
    ("values", "center", "scale"),
    [
        ([0.0] * 9, 0.0, 1.0),
        ([1013.0] * 9, 1013.0, 32.0),
        ([0.0] * 95 + [1.0] * 5, 0.0, 2.0**-5),  # mostly one value: of how far the others are
        ([np.nan, np.inf], 0.0, 1.0),
        ([], 0.0, 1.0),
        ([-1.7e308, 1.7e308], None, 2.0**1000),
    ],
)
def test_grids_of_odd_values(values, center, scale):
    grid = grid_of(np.array(values, np.float64))
    assert grid.scale == scale
    assert center is None or abs(grid.center - center) <= scale / 2


@pytest.mark.parametrize(
    "wrong", [{"scale": 0.0}, {"scale": -1.0}, {"scale": np.inf}, {"center": np.nan}, {"lo": np.inf}]
)
def test_a_grid_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=r"center|scale|range"):
        Grid(GridKind.ASINH, **wrong)
