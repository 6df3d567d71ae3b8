"""The bench holds a sample of the answers to ONNX Runtime's own scores."""

from __future__ import annotations

import numpy as np
import onnx
import pyarrow as pa
import pytest
from weir.core.features import ServicePlan, ViewPlan
from weir.core.signature import Input, JoinKey, Policy, Signature, Source
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.lmdb import LmdbStore
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import Write

from tests.bench import scores
from tests.bundles import graph

VIEW = ViewPlan("view", ("who",), ("f",), ("float32",), 0.0)
PLAN = ServicePlan("weir", "s", (VIEW,))
SIGNATURE = Signature(
    inputs=(
        Input(name="view__f", source=Source.FEATURE, ref="view__f", on_missing=Policy.USE),
        Input(name="a", source=Source.REQUEST, ref="a"),
    ),
    join_keys=(JoinKey(name="who"),),
)
N = {0: 700, 1: 500}
BEGINS = {0: 1000, 1: 0}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Sample, and the scores of all requests by (partition, offset), worked out by hand."""
    folder = tmp_path_factory.mktemp("scores")
    onnx.save(graph([2.0, -1.0]), folder / "model.onnx")
    store = LmdbStore(folder / "store", "weir")
    values = np.arange(10, dtype=np.float32)[:, None] / 10
    keys = [encode_key((f"k{i}",)) for i in range(10)]
    store.write_many([Write(VIEW, keys, layout_of(VIEW).pack_floats(values, np.ones(10, np.int64)))])
    parts, all_scores = [], {}
    for number, n in N.items():
        a = np.random.default_rng(number).standard_normal(n, np.float32)
        who = [f"k{i % 10}" for i in range(n)]
        parts.append((number, pa.RecordBatch.from_pydict({"a": a, "who": who})))
        by_hand = 1 / (1 + np.exp(-(2.0 * (np.arange(n) % 10) / 10 - a.astype(np.float64))))
        all_scores |= {(number, BEGINS[number] + i): score for i, score in enumerate(by_hand.tolist())}
    found = scores.sample(folder / "model.onnx", SIGNATURE, parts, store, PLAN)
    store.close()
    return found, all_scores


def answers(all_scores, change=lambda place, score: score):
    rows = [
        (partition, offset, change((partition, offset), score)) for (partition, offset), score in all_scores.items()
    ]
    order = np.random.default_rng(1).permutation(len(rows))
    names = ("source_partition", "source_offset", "score")
    columns = [pa.array([rows[i][column] for i in order]) for column in range(3)]
    return pa.RecordBatch.from_arrays([columns[0], columns[1], columns[2].cast(pa.float32())], names=names)


def test_right_answers_in_any_order_are_right(expected):
    found, all_scores = expected
    assert len(found.scores) == scores.ROWS
    assert found.faults(BEGINS, N, answers(all_scores)) == []


def test_one_answer_of_another_request_is_seen(expected):
    found, all_scores = expected
    place = (int(found.partition[7]), BEGINS[int(found.partition[7])] + int(found.position[7]))
    (fault,) = found.faults(BEGINS, N, answers(all_scores, lambda at, score: score + 0.01 if at == place else score))
    assert fault.startswith("1 of 512 scores differ from ONNX Runtime's own, by up to 1.0e-02")
    (fault,) = found.faults(BEGINS, N, answers(all_scores, lambda at, score: np.nan if at == place else score))
    assert fault.startswith("1 of 512 scores differ")


def test_answers_that_are_not_there_are_counted_and_requests_beyond_the_round_are_not_asked_for(expected):
    found, all_scores = expected
    half = {number: n // 2 for number, n in N.items()}
    kept = {place: score for place, score in all_scores.items() if place[1] < BEGINS[place[0]] + half[place[0]]}
    assert found.faults(BEGINS, half, answers(kept)) == []
    (fault,) = found.faults(BEGINS, N, answers(kept))
    assert fault == f"{scores.ROWS // 2} of {scores.ROWS} requests that were looked up have no answer"
