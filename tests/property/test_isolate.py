"""Whatever rows make the model raise: exactly they stand alone, the others keep their bits, and the cost is bounded."""

from __future__ import annotations

from math import ceil, log2
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.core.errors import SAID_CHARS, Refused, Unavailable
from weir.edges.bundles.onnx_model import Model
from weir.scoring.isolate import outputs_of

from tests.bundles import SIGNATURE, fragile_graph, tiny_bundle, weights_of

ITEMS = 1  # the column on which the fragile model depends
POISON = 100.0
batches = st.integers(1, 200).flatmap(
    lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=min(n, 12)))
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tiny_bundle(tmp_path_factory.mktemp("fragile"), model=fragile_graph(weights_of(SIGNATURE), ITEMS)))


class Counted:
    """The model, and how often it was called; from call `broken_from` on nothing works any more."""

    def __init__(self, model: Model, broken_from: int = 10**9) -> None:
        self.model, self.calls, self.broken_from = model, 0, broken_from

    def __call__(self, matrix: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls >= self.broken_from:
            raise RuntimeError("the device is lost")
        return self.model.run(matrix)


def rows(n: int, poisoned: set[int] | frozenset[int] = frozenset()) -> np.ndarray:
    matrix = np.random.default_rng(n).uniform(0, 90, (n, len(SIGNATURE.inputs))).astype(np.float32)
    matrix[sorted(poisoned), ITEMS] = POISON
    return matrix


def isolated(run, matrix: np.ndarray, max_failed: int = 10**6):
    return outputs_of(run, matrix, known_good=rows(1), max_failed=max_failed)


@given(batches)
@settings(deadline=None)
def test_exactly_the_poison_stands_alone_and_the_others_keep_their_bits(model: Model, batch: tuple[int, set[int]]):
    n, poisoned = batch
    run = Counted(model)
    ran = isolated(run, rows(n, poisoned))
    assert set(ran.failed) == poisoned
    others = [row for row in range(n) if row not in poisoned]
    np.testing.assert_array_equal(ran.outputs[others].view(np.int32), model.run(rows(n))[others].view(np.int32))
    assert np.isnan(ran.outputs[sorted(poisoned)]).all()
    assert ran.calls == run.calls
    bound = 3 + max(1, min(2 * len(poisoned) * ceil(log2(n)), 2 * n)) if poisoned else 1
    assert ran.calls <= bound


@given(batches.filter(lambda batch: batch[1]), st.integers(2, 60))
@settings(deadline=None)
def test_a_runtime_that_breaks_down_turns_no_row_away(model: Model, batch: tuple[int, set[int]], broken_from: int):
    n, poisoned = batch
    run = Counted(model, broken_from)
    needed = isolated(model.run, rows(n, poisoned)).calls
    if broken_from > needed:
        assert set(isolated(run, rows(n, poisoned)).failed) == poisoned
    else:
        with pytest.raises(Unavailable, match="the device is lost"):
            isolated(run, rows(n, poisoned))


def test_a_model_that_failed_once_scores_the_batch_again(model: Model) -> None:
    class Hiccup(Counted):
        def __call__(self, matrix: np.ndarray) -> np.ndarray:
            scores = super().__call__(matrix)
            if self.calls == 1:
                raise RuntimeError("out of memory, for once")
            return scores

    ran = isolated(Hiccup(model), rows(64))
    assert not ran.failed
    assert ran.calls > 1
    np.testing.assert_array_equal(ran.outputs, model.run(rows(64)))


def test_past_the_limit_the_search_is_given_up(model: Model) -> None:
    run = Counted(model)
    with pytest.raises(Refused, match="more than 3 rows of a batch of 4096") as caught:
        isolated(run, rows(4096, set(range(4096))), max_failed=3)
    assert "indices element out of data bounds" in str(caught.value)
    assert run.calls < 40


def test_the_detail_is_one_short_line(model: Model) -> None:
    (detail,) = isolated(model.run, rows(2, {1})).failed.values()
    assert detail.startswith("ONNX Runtime failed: ")
    assert "Gather" in detail
    assert len(detail) <= SAID_CHARS
    assert "\n" not in detail


def test_no_rows_are_no_call(model: Model) -> None:
    run = Counted(model)
    assert len(isolated(run, rows(0)).outputs) == run.calls == 0


def test_a_failing_model_says_nothing_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fragile = Model(tiny_bundle(tmp_path, model=fragile_graph(weights_of(SIGNATURE), ITEMS)))
    isolated(fragile.run, rows(64, {7}))
    assert capfd.readouterr().err == ""
