"""Which decision an answer is, and what that one was worth."""

import numpy as np
import pyarrow as pa
import pytest
from weir.operations.learner_value import Worth, of_answers


def page(worth, decided):
    return pa.table({"worth": pa.array(worth, pa.list_(pa.float64())), "decided": pa.array(decided, pa.int64())})


def test_three_decisions_by_two_cuts():
    """A score that equals a cut is above it, no opinion is one half; of the champion it is the one recorded."""
    worth = Worth("f", ("pass", "review", "block"), (0.4, 0.6))
    rows = page([[1.0, 2.0, 3.0]] * 4 + [[1.0, np.nan, 3.0]], [2, 0, 1, -1, 1])
    said = np.array([[0.39], [0.4], [0.6], [np.nan], [0.5]])
    found = of_answers(worth, rows, {"learner": said, "champion": said})
    assert found["learner"].tolist() == pytest.approx([1, 2, 3, 2, np.nan], nan_ok=True)
    assert found["champion"].tolist() == pytest.approx([3, 1, 2, np.nan, np.nan], nan_ok=True)  # one that nobody knows


def test_of_several_classes_the_likeliest_is_decided():
    worth = Worth("f", ("letter", "box", "pallet"))
    rows = page([[1.0, 2.0, 1e18], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], [0, 1, 2])
    said = np.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [np.nan] * 3])
    found = of_answers(worth, rows, {"learner": said, "champion": said})
    assert found["learner"].tolist() == pytest.approx([np.nan, 5, 7], nan_ok=True)  # the first is beyond any value
    assert found["champion"].tolist() == [1, 5, 9]


def test_without_a_formula_there_are_no_values():
    assert of_answers(Worth(), page([[]], [0]), {"learner": np.array([[0.5]])}) == {}
