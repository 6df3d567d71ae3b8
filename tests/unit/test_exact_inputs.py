"""Numbers of more digits than float32 has: a model that takes them gets every digit, from the request to the record."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime as ort
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from weir.core.beside import values_at
from weir.core.errors import Refused
from weir.core.features import FeatureBlock, ServicePlan, ViewPlan
from weir.core.signature import Dtype, Held, Input, Policy, Signature, Source, Task
from weir.edges.bundles import folder
from weir.edges.bundles.onnx_model import Blocks
from weir.edges.bundles.opened import Opened
from weir.operations import bundles, new_service, projects, services
from weir.operations.reproduce import Reproduced, _Answer, _input_differences, _tables
from weir.operations.score import score
from weir.scoring.assemble import Assembler
from weir.settings import load

from tests.bundles import aside, opened_bundle
from tests.tails import (
    ACCOUNTS,
    DOUBLE,
    FLOAT,
    INT,
    LONG,
    RATIOS,
    answers,
    bundle,
    digit,
    model,
    of_every_type,
    rows,
    tails,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    projects.init(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def served(project: Path, made: onnx.ModelProto, sample: pa.Table, **wishes: object) -> tuple[Opened, pa.Table]:
    """A service of a model and a sample: its bundle, opened, and its answers to the sample."""
    onnx.save(made, project / "m.onnx")
    pq.write_table(sample, project / "rows.parquet")
    new_service.add("exact", project / "m.onnx", project / "rows.parquet", new_service.Wishes(**wishes), load())
    opened = opened_bundle(folder.find(bundles.build(services.spec_of("exact", load()), load())[0], load()))
    return opened, score(opened, None, sample)


def held_of(opened: Opened) -> dict[str, Held]:
    return {item.name: item.held for item in opened.bundle.signature.inputs}


def test_the_last_digit_of_an_int64_reaches_the_model(project: Path) -> None:
    opened, done = served(project, model(("account", LONG, 1)), pa.table({"account": ACCOUNTS}))
    assert held_of(opened) == {"account": Held.INT64}
    assert done["rejected"].null_count == len(ACCOUNTS)
    assert done["score"].to_numpy().tolist() == digit(ACCOUNTS).tolist()


def test_the_tenth_digit_of_a_double_reaches_the_model(project: Path) -> None:
    opened, done = served(project, model(("ratio", DOUBLE, 1)), pa.table({"ratio": RATIOS}))
    assert [item.dtype for item in opened.bundle.signature.inputs] == [Dtype.DOUBLE]
    assert '"double"' in (project / "schemas" / "requests.exact" / "v1.avsc").read_text()
    np.testing.assert_array_equal(done["score"].to_numpy(), tails(RATIOS))


def test_a_model_of_every_type_gets_each_column_in_its_own(project: Path) -> None:
    opened, done = served(project, of_every_type(), rows())
    assert held_of(opened) == {
        "amount": Held.FLOAT32, "account": Held.INT64, "ratio": Held.FLOAT64, "count": Held.INT32
    }  # fmt: skip
    assert opened.model.beside == {"tensor(double)": 1, "tensor(int64)": 2}
    np.testing.assert_allclose(done["score"].to_numpy(), answers(rows()), rtol=1e-6)


@pytest.mark.parametrize(("kind", "values"), [(LONG, ACCOUNTS), (DOUBLE, RATIOS)])
def test_one_tensor_of_many_columns_is_as_exact(project: Path, kind: int, values: list) -> None:
    opened, done = served(project, model(("x", kind, 2)), pa.table({"a": values, "b": values[::-1]}))
    assert len(opened.bundle.signature.beside) == 2
    of = digit if kind == LONG else tails
    np.testing.assert_allclose(done["score"].to_numpy(), of(values) + of(values[::-1]), rtol=1e-6)


def test_wide_tensors_of_several_types_take_the_columns_in_turn(project: Path) -> None:
    sample = pa.table({"r": RATIOS, "s": RATIOS[::-1], "a": ACCOUNTS, "b": ACCOUNTS[::-1]})
    opened, done = served(project, model(("ratios", DOUBLE, 2), ("accounts", LONG, 2)), sample)
    assert list(held_of(opened).values()) == [Held.FLOAT64, Held.FLOAT64, Held.INT64, Held.INT64]
    wanted = tails(RATIOS) + tails(RATIOS[::-1]) + digit(ACCOUNTS) + digit(ACCOUNTS[::-1])
    np.testing.assert_allclose(done["score"].to_numpy(), wanted, rtol=1e-6)


def test_what_int32_does_not_hold_is_a_dead_letter(project: Path) -> None:
    opened, _ = served(project, model(("count", INT, 1)), pa.table({"count": pa.array([1, 2, 2**31 - 1], pa.int32())}))
    done = score(opened, None, pa.table({"count": [2**31 - 1, 2**31, -(2**31), -(2**31) - 1]}))
    assert done["rejected"].to_pylist() == [
        None, "out_of_range: count = 2147483648", None, "out_of_range: count = -2147483649"
    ]  # fmt: skip


def test_a_model_of_float32_rounds_as_its_library_does(project: Path) -> None:
    made = model(("amount", FLOAT, 1))
    opened, done = served(project, made, pa.table({"amount": [16_777_217, 16_777_219, 2**60 + 1]}))
    assert held_of(opened) == {"amount": Held.FLOAT32}
    assert done["score"].to_pylist() == [16_777_216.0, 16_777_220.0, float(2**60)]


def assembled(item: Input, values: list, kind: pa.DataType) -> tuple[list, list]:
    """What the model gets of a column, and why rows are rejected."""
    signature = Signature(inputs=(item,), task=Task.REGRESSION)
    asked = pa.RecordBatch.from_pydict(
        {item.ref: pa.array(values, kind), "event_time": pa.array([1] * len(values)).cast(pa.timestamp("ms"))}
    )
    built = Assembler(signature, None).build(asked, None)
    return values_at(built.matrix[:, 0], built.tables[0])[built.usable].tolist(), list(built.rejects.detail)


@pytest.mark.parametrize(
    ("said", "values", "given", "rejected"),
    [
        ({"high": 2.0**53}, [2**53, 2**53 + 1], [2**53], [f"x = {2**53 + 1}"]),
        ({"low": 0.5}, [0, 1], [1], ["x = 0"]),
        ({}, [None, 2**60 + 1], [2**60 + 1], ["x"]),
        ({"on_missing": Policy.DEFAULT, "default": 3.0}, [None, 2**60 + 1], [3, 2**60 + 1], []),
    ],
)
def test_the_rules_of_a_signature_hold_for_long_numbers(said, values, given, rejected) -> None:
    item = Input(name="x", source=Source.REQUEST, ref="x", dtype=Dtype.INT, held=Held.INT64, **said)
    assert assembled(item, values, pa.int64()) == (given, rejected)


@pytest.mark.parametrize(
    ("said", "given", "rejected"),
    [
        ({"high": 0.1234567890}, [0.1234567890], ["x = 0.1234567891", "x", "x", "x", "x"]),
        ({"on_missing": Policy.DEFAULT, "default": 0.25}, [0.1234567890, 0.1234567891, 0.25, 0.25], ["x", "x"]),
    ],
)
def test_the_rules_of_a_signature_hold_for_doubles(said, given, rejected) -> None:
    item = Input(name="x", source=Source.REQUEST, ref="x", dtype=Dtype.DOUBLE, held=Held.FLOAT64, **said)
    values = [0.1234567890, 0.1234567891, float("nan"), None, float("inf"), float("-inf")]
    assert assembled(item, values, pa.float64()) == (given, rejected)


def looked_up(item: Input, dtype: str, values: list[float]) -> tuple[list, list]:
    """The same for a feature of a view, as a reader gives it."""
    plan = ServicePlan("weir", "service", (ViewPlan("view", ("key",), ("x",), (dtype,), 0.0),))
    n, signature = len(values), Signature(inputs=(item,), task=Task.REGRESSION)
    asked = pa.RecordBatch.from_pydict({"event_time": pa.array([1] * n).cast(pa.timestamp("ms"))})
    numbers = np.array(values, plan.value_dtype)[:, None]
    block = FeatureBlock(numbers, np.full((n, 1), 1000), ~np.isnan(numbers), 0, n)
    built = Assembler(signature, plan).build(asked, block)
    return values_at(built.matrix[:, 0], built.tables[0])[built.usable].tolist(), list(built.rejects.detail)


@pytest.mark.parametrize(
    ("dtype", "held", "of", "values", "given", "rejected"),
    [
        (Dtype.FLOAT, Held.FLOAT64, "float64", [0.1234567891, np.nan], [0.1234567891, 7.0], []),
        (Dtype.INT, Held.INT64, "int64", [2**53 - 1, np.nan, 2**53], [2**53 - 1, 7], [f"x = {2**53}"]),
        (Dtype.INT, Held.INT32, "int64", [2**31 - 1, 2**31], [2**31 - 1], [f"x = {2**31}"]),
    ],
)
def test_features_reach_the_model_with_every_digit_or_not_at_all(dtype, held, of, values, given, rejected) -> None:
    item = Input(
        name="x", source=Source.FEATURE, ref="view__x", dtype=dtype, held=held, on_missing=Policy.DEFAULT, default=7.0
    )
    assert looked_up(item, of, values) == (given, rejected)


def test_blocks_of_one_size_take_what_stands_beside_the_matrix(tmp_path: Path) -> None:
    opened = bundle(tmp_path, "tails")
    columns = [rows()[name].to_pylist() for name in opened.bundle.signature.names]
    matrix, tables = aside(opened.bundle.signature, columns)
    session = ort.InferenceSession(opened.path / "model.onnx", providers=["CPUExecutionProvider"])
    found = Blocks(session, [1], device="cpu", rows=3).run(matrix, tables)
    np.testing.assert_array_equal(found, opened.model.run(matrix, tables))
    np.testing.assert_allclose(found[:, 0], answers(rows()), rtol=1e-6)


def test_a_missing_double_is_nan_to_the_model() -> None:
    item = Input(name="x", source=Source.REQUEST, ref="x", dtype=Dtype.DOUBLE, held=Held.FLOAT64, on_missing=Policy.USE)
    given, rejected = assembled(item, [0.1, None, float("nan")], pa.float64())
    assert (given[0], np.isnan(given[1:]).all(), rejected) == (0.1, True, [])


def test_a_recorded_number_is_made_again_as_it_was() -> None:
    item = Input(name="x", source=Source.REQUEST, ref="x", dtype=Dtype.DOUBLE, held=Held.FLOAT64, on_missing=Policy.USE)
    signature, recorded = Signature(inputs=(item,), task=Task.REGRESSION), [0.1, -0.0, None, 0.0]
    answers = [_Answer({}, Reproduced(*[""] * 7, 0.0), exact={} if x is None else {"x": x}) for x in recorded]
    matrix = np.zeros((len(answers), 1), np.float32)
    tables = _tables(answers, matrix, signature)
    found = values_at(matrix[:, 0], tables[0])
    assert found.tobytes() == np.array([0.1, -0.0, np.nan, 0.0]).tobytes()
    opened = SimpleNamespace(bundle=SimpleNamespace(signature=signature))
    times = pa.array([1]).cast(pa.timestamp("ms"))
    request = pa.RecordBatch.from_pydict({"x": pa.nulls(1, pa.float64()), "event_time": times})
    said = [list(_input_differences(answer, matrix[0], request, opened)) for answer in answers]
    assert [len(one) for one in said] == [1, 1, 0, 1]
    assert said[0] == ["input x = 0.1 was recorded, the record in the log gives nan"]


def test_what_a_specification_says_of_it_must_be_so(project: Path) -> None:
    served(project, model(("account", LONG, 1)), pa.table({"account": ACCOUNTS}))
    spec = services.spec_of("exact", load())
    content = yaml.safe_load(spec.read_text())
    content["signature"]["inputs"][0]["held"] = "float64"
    spec.write_text(yaml.safe_dump(content | {"version": "2"}))
    with pytest.raises(Refused, match="account: held is float64, and the model takes int64"):
        bundles.build(spec, load())
