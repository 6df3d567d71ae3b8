import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.trees import opening, target
from weir.trees.engine import Trees
from weir.trees.walk_code import SLOTS

from tests import trees

FEATURES = 5
COMPARISONS = ("LEQ", "LT", "GTE", "GT")
SOME = settings(deadline=None, max_examples=8)
MOST = 12  # trees; as many sums where each has one of its own, so that a kernel is compiled for a few forests, not each
SHAPES = {
    "seed": st.integers(0, 2**32 - 1),
    "leaves": st.lists(
        st.sampled_from([1, 2, 3, 8, 31, 32, 33, 64, 65, 100, 256, 257, 600]), min_size=1, max_size=MOST
    ),
    "modes": st.sampled_from([("LEQ",), ("LT",), COMPARISONS, ("MEMBER",), ("EQ", "NEQ"), trees.MODES]),
}


def taken(model, width=FEATURES, processor=""):
    found = opening.opened(model.SerializeToString(), width, processor)
    assert isinstance(found, Trees), found
    return found


def same_bits(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


@given(**SHAPES)
@SOME
def test_every_row_reaches_the_leaf_of_a_plain_walk(seed, leaves, modes):
    """Each tree writes the number of the leaf into a column of its own."""
    rng = np.random.default_rng(seed)
    forest = [
        trees.tree(rng, max(count, 2), FEATURES, modes, lambda leaf, at=at: {at: np.float32(leaf)})
        for at, count in enumerate(leaves)
    ]
    matrix = trees.rows(rng, forest, FEATURES, 71)
    wanted = trees.sums(forest, matrix, MOST)
    for form in (trees.old, trees.new):
        found = taken(form(forest, FEATURES, MOST))
        np.testing.assert_array_equal(found.run(matrix), wanted)
        np.testing.assert_array_equal(np.concatenate([found.run(row[None]) for row in matrix[:9]]), wanted[:9])


@given(**SHAPES)
@SOME
def test_sums_are_those_of_a_plain_walk_to_the_last_bit(seed, leaves, modes):
    rng = np.random.default_rng(seed)
    forest = [trees.tree(rng, count, FEATURES, modes, lambda _: {0: np.float32(rng.normal())}) for count in leaves]
    matrix = trees.rows(rng, forest, FEATURES, 71)
    found = taken(trees.old(forest, FEATURES, 1))
    assert same_bits(found.run(matrix), trees.sums(forest, matrix, 1))


@given(**SHAPES, targets=st.integers(2, 5))
@SOME
def test_sums_of_several_targets_are_those_of_a_plain_walk_to_the_last_bit(seed, leaves, modes, targets):
    """A tree may add to one of them, to some or to all; a leaf may add to none."""
    rng = np.random.default_rng(seed)

    def weigh(_):
        return {t: np.float32(rng.normal()) for t in range(targets) if rng.random() < 0.7} or {0: np.float32(1)}

    forest = [trees.tree(rng, count, FEATURES, modes, weigh) for count in leaves]
    matrix = trees.rows(rng, forest, FEATURES, 71)
    found = taken(trees.old(forest, FEATURES, targets))
    wanted = trees.sums(forest, matrix, targets)
    assert same_bits(found.run(matrix), wanted)
    assert same_bits(np.concatenate([found.run(row[None]) for row in matrix]), wanted)


@pytest.mark.parametrize("processor", [target.HOST, "x86-64-v2", target.AVX2, target.AVX512])
@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=3)
def test_a_row_has_the_same_bits_in_any_batch_at_any_place_on_any_processor(processor, seed):
    if not target.runs_here(processor):
        pytest.skip(f"this processor is no {processor}")
    rng = np.random.default_rng(seed)
    forest = [
        trees.tree(rng, int(rng.integers(2, 80)), FEATURES, trees.MODES, lambda _: {0: np.float32(rng.normal())})
        for _ in range(3 * SLOTS + 1)
    ]
    matrix = trees.rows(rng, forest, FEATURES, 700)
    model = trees.old(forest, FEATURES, 1)
    trees.then(model, "Sigmoid")
    wanted = taken(model).run(matrix)
    found = taken(model, processor=processor)
    assert same_bits(found.run(matrix), wanted)
    for size in (1, 2, 5, 6, 7, 13, 31, 32, 33, 38, 39, 127, 128, 129, 300):
        parts = [found.run(matrix[start : start + size]) for start in range(0, len(matrix), size)]
        assert same_bits(np.concatenate(parts), wanted), size
    order = rng.permutation(len(matrix))
    assert same_bits(found.run(matrix[order]), wanted[order])
