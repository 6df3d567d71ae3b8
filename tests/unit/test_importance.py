"""How important inputs are: measured of every task when a bundle is built, and told wherever it is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from weir.core import reference as references
from weir.core.reference import About
from weir.core.signature import Cycle, Task
from weir.edges.bundles import checks, folder
from weir.edges.bundles.importance import FEWEST, importances

from tests.bundles import SIGNATURE, WITH_FEATURES, opened_bundle, tiny_bundle

TASKS = {
    "binary": SIGNATURE,
    "multiclass": replace(SIGNATURE, threshold=None, task=Task.MULTICLASS, classes=("a", "b", "c")),
    "regression": replace(SIGNATURE, threshold=None, task=Task.REGRESSION),
}


def told(path: Path) -> dict[str, About]:
    return dict(references.load((path / folder.REFERENCE).read_text()).inputs)


@pytest.mark.parametrize("task", TASKS)
def test_a_bundle_of_any_task_says_how_important_its_inputs_are(tmp_path: Path, task: str) -> None:
    path = tiny_bundle(tmp_path, TASKS[task], rows=200)
    shares = {name: about.importance for name, about in told(path).items()}
    assert shares.keys() == set(SIGNATURE.names)
    assert sum(filter(None, shares.values())) == pytest.approx(1, abs=1e-3)
    assert json.loads(opened_bundle(path).reference)["inputs"].keys() == shares.keys()
    assert tiny_bundle(tmp_path / "again", TASKS[task], rows=200).name == path.name


def test_what_a_bundle_of_few_rows_says_is_what_it_said_before() -> None:
    """Nothing of importance, views or cycles: the texts, and so the digests, of older bundles are what they were."""
    assert "cycle" not in SIGNATURE.to_dict()["inputs"][0]
    said = replace(SIGNATURE, inputs=(replace(SIGNATURE.inputs[0], cycle=Cycle.SEASON), *SIGNATURE.inputs[1:]))
    assert said.to_dict()["inputs"][0]["cycle"] == "season"
    assert checks.schema_hash(said) != checks.schema_hash(SIGNATURE)


def test_few_rows_say_nothing_and_views_and_cycles_are_told_without_them(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, rows=FEWEST - 1)
    assert "inputs" not in json.loads((path / folder.REFERENCE).read_text())
    inputs = (replace(WITH_FEATURES.inputs[0], cycle=Cycle.CALENDAR), *WITH_FEATURES.inputs[1:])
    known = told(tiny_bundle(tmp_path, replace(WITH_FEATURES, inputs=inputs), rows=FEWEST - 1))
    assert known["amount"] == About(cycle="calendar")
    assert known["shop_recent__returns_1d"] == About(view="shop_recent")
    assert "items" not in known


class Linear:
    """A model whose answer is a weighted sum, and that counts the rows it was given."""

    def __init__(self, weights: list[float], fails: bool = False) -> None:
        self.weights, self.fails, self.rows = np.array(weights, np.float32), fails, 0

    def run(self, matrix: np.ndarray, tables: object = None) -> np.ndarray:
        self.rows += len(matrix)
        if self.fails and self.rows > len(matrix):
            raise RuntimeError("such a pair of values is not to be")
        return (np.nan_to_num(matrix) @ self.weights)[:, None]


def test_shares_follow_what_moves_the_answers() -> None:
    rows = np.random.default_rng(1).normal(size=(5000, 3)).astype(np.float32)
    model = Linear([3.0, 1.0, 0.0])
    found = importances(model, ("a", "b", "c"), rows)  # type: ignore[arg-type]
    assert found == {"a": pytest.approx(0.75, abs=0.02), "b": pytest.approx(0.25, abs=0.02), "c": 0.0}
    assert model.rows == 4 * 2000
    few = importances(Linear([1.0, 0.0, 0.0]), ("a", "b", "c"), rows[: FEWEST - 1])  # type: ignore[arg-type]
    assert few == importances(Linear([0.0, 0.0, 0.0]), ("a", "b", "c"), rows) == {}  # type: ignore[arg-type]
    assert importances(Linear([1.0, 0.0, 0.0], fails=True), ("a", "b", "c"), rows) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "inputs",
    [{"a": {"importance": 2}}, {"a": {"importance": True}}, {"a": {"cycle": "moon"}}, {"a": {"view": 1}}, {"a": 1}],
)
def test_what_is_no_share_and_no_cycle_is_refused(tmp_path: Path, inputs: dict[str, object]) -> None:
    text = (tiny_bundle(tmp_path) / folder.REFERENCE).read_text()
    assert references.load(text).inputs == {}
    with pytest.raises(ValueError, match=r"an input is|an importance is|no reference"):
        references.load(json.dumps({**json.loads(text), "inputs": inputs}))
    assert references.inputs(json.dumps(inputs)) == {}
