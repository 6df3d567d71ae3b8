"""Made-up requests are requests that the model takes."""

import dataclasses
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from weir.core.errors import Unavailable
from weir.core.signature import Dtype, Input, Source
from weir.operations import made_up
from weir.operations.score import score
from weir.settings import load

from tests.bundles import SIGNATURE, opened_bundle, spoken_graph, tiny_bundle


@pytest.mark.parametrize("n", [1, 2500])
def test_every_row_is_scored_and_the_same_seed_makes_the_same(tmp_path, n):
    bundle, settings = tiny_bundle(tmp_path), load(home=tmp_path)
    rows = list(chain(*made_up.rows(settings, "tiny", n, 1)))
    assert len(rows) == n
    scored = score(opened_bundle(bundle), None, pa.Table.from_pylist(rows))
    assert scored.column("rejected").null_count == n
    assert rows == list(chain(*made_up.rows(settings, "tiny", n, 1)))
    assert rows != list(chain(*made_up.rows(settings, "tiny", n, 2)))
    if n > 1:
        assert {row["channel"] for row in rows} == set(SIGNATURE.inputs[3].categories)
        assert {row["gift"] for row in rows} == {True, False}
        assert all(isinstance(row["shop"], int) and isinstance(row["customer"], str) for row in rows)


def test_a_number_without_a_range_is_one_of_the_baselines(tmp_path):
    amount, items, *rest = SIGNATURE.inputs
    inputs = (dataclasses.replace(amount, low=None, high=2.0), dataclasses.replace(items, low=None, high=None), *rest)
    tiny_bundle(tmp_path, dataclasses.replace(SIGNATURE, inputs=inputs))
    rows = list(chain(*made_up.rows(load(home=tmp_path), "tiny", 500, 1)))
    assert 0 <= min(row["amount"] for row in rows) < max(row["amount"] for row in rows) <= 2
    assert {row["items"] for row in rows} == {0, 1, 2, 3}
    assert inputs[1].dtype is Dtype.INT


@pytest.mark.parametrize(
    ("low", "high", "made"),
    [(None, 0.8, 0), (0.2, None, 1), (0.2, 1.4, 1), (None, -3.5, -4), (-0.5, 0.9, 0), (-7, 7, 1)],
)
def test_a_whole_number_is_in_its_range_whatever_the_baseline_holds(tmp_path, low, high, made):
    amount, items, *rest = SIGNATURE.inputs
    inputs = (amount, dataclasses.replace(items, low=low, high=high), *rest)
    ranges = made_up._ranges(
        dataclasses.replace(SIGNATURE, inputs=inputs), baseline(tmp_path, amount=[1.0, 2.0], items=[0.3, 0.6])
    )
    _, span = ranges.values()
    assert set(made_up._numbers(inputs[1], span, 50, np.random.default_rng(1))) == {made}


def baseline(folder, **columns):
    path = folder / "baseline.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_a_text_is_one_of_the_baselines(tmp_path):
    remark = Input(name="remark", source=Source.REQUEST, ref="remark", dtype=Dtype.STRING)
    signature = dataclasses.replace(SIGNATURE, inputs=(*SIGNATURE.inputs, remark))
    bundle = tiny_bundle(tmp_path, signature, model=spoken_graph(signature))
    rows = list(chain(*made_up.rows(load(home=tmp_path), "tiny", 500, 1)))
    assert {row["remark"] for row in rows} == {f"word {code}" for code in range(7)}
    assert score(opened_bundle(bundle), None, pa.Table.from_pylist(rows)).column("rejected").null_count == 500


def test_a_service_without_a_bundle_here_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="no model bundle of service other"):
        next(made_up.rows(load(home=tmp_path), "other", 1, 1))
