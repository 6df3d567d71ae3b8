"""`weir service add`: a model and rows become a service that builds as it is, or a refusal says what to say."""

from __future__ import annotations

import json
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnx
import pandas as pd
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner
from weir.core.errors import Refused
from weir.edges.bundles import folder
from weir.operations import bundles, new_service, projects, services, values
from weir.operations.service_text import scalar
from weir.settings import load

from tests.bundles import graph
from tests.command_line import cli

N = 300
CHANNELS = ("web", "app", "shop")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    projects.init(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "project"


def frame(n: int = N) -> pd.DataFrame:
    random = np.random.default_rng(3)
    amount = random.gamma(2.0, 50.0, n)
    items = random.integers(1, 9, n)
    channel = random.choice(CHANNELS, n)
    return pd.DataFrame(
        {
            "transaction": [f"tx-{i}" for i in range(n)],
            "made_at": pd.date_range("2026-01-01", periods=n, freq="h", tz="UTC"),
            "customer": random.choice([f"c{i}" for i in range(40)], n),
            "amount": np.where(random.random(n) < 0.1, np.nan, amount),
            "items": items,
            "gift": random.random(n) < 0.3,
            "channel": pd.Categorical(channel, CHANNELS),
            "label": np.where(amount > 100, "fraud", "good"),
        }
    )


def booster(rows: pd.DataFrame, columns: list[str], target: np.ndarray, **options: object) -> lgb.Booster:
    chosen = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 4, **options}
    return lgb.train(chosen, lgb.Dataset(rows[columns], target), 5)


@pytest.fixture
def fraud(tmp_path: Path) -> tuple[Path, Path, pd.DataFrame]:
    """A LightGBM model of columns with missing values, whole numbers, truth values and categories; a sample."""
    rows = frame()
    columns = ["amount", "items", "gift", "channel"]
    booster(rows, columns, (rows.label == "fraud").to_numpy()).save_model(tmp_path / "fraud.txt")
    rows.to_parquet(tmp_path / "rows.parquet")
    return tmp_path / "fraud.txt", tmp_path / "rows.parquet", rows


def weir(*arguments: str):
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def left_behind(project: Path) -> list[str]:
    return [path.name for path in (project / "services").iterdir() if path.name != "README.md"]


def onnx_file(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def test_a_service_is_found_out_and_builds_as_it_is(project, fraud):
    model, sample, rows = fraud
    added = weir("service", "add", "card-fraud", str(model), "--sample", str(sample))
    assert added.exit_code == 0
    for line in (
        "4 inputs: amount, items, gift, channel",
        "task binary: the model's objective",
        "classes: good, fraud: the second is the positive one, since the model scores it higher",
        "categories of channel: as the model file says",
        "ranges of 2 inputs: 10 times what the sample has; a value outside is a dead letter: edit low "
        "and high in service.yaml",
        "left out transaction: it looks like an id, different in each row",
        "left out made_at: its values are times",
        "left out customer: the model does not take it",
    ):
        assert line in added.output.splitlines()
    written = (project / "services" / "card-fraud" / "service.yaml").read_text()
    for comment in (
        "column transaction of the sample is left out",
        "{name: customer, dtype: STRING}",
        "# the sample has ",
    ):
        assert comment in written
    inputs = yaml.safe_load(written)["signature"]["inputs"]
    assert [(item["dtype"], item["on_missing"]) for item in inputs] == [
        ("float", "use"), ("int", "reject"), ("bool", "reject"), ("category", "reject")
    ]  # fmt: skip
    assert inputs[3]["categories"] == list(CHANNELS)
    for item in inputs[:2]:
        most = 10 * rows[item["name"]].abs().max()
        assert most <= item["high"] <= 2 * most
        assert item["low"] == -item["high"]
    assert not {"low", "high"} & (inputs[2].keys() | inputs[3].keys())
    built = weir("bundle", "build", "card-fraud")
    assert built.exit_code == 0
    assert "warning" not in built.output
    assert (project / "schemas" / "requests.card-fraud" / "v1.avsc").is_file()
    scored = json.loads(weir("bundle", "score", "card-fraud", str(sample), "--json").output)
    own = lgb.Booster(model_file=model).predict(rows[["amount", "items", "gift", "channel"]])
    assert [row["rejected"] for row in scored] == [None] * N
    assert np.abs(np.array([row["score"] for row in scored]) - own).max() < 1e-6
    assert {row["decision"] for row in scored} <= {"good", "fraud"}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_samples_of_text_will_do(project, fraud, tmp_path, form):
    model, _, rows = fraud
    sample = tmp_path / f"rows.{form}"
    rows.to_csv(sample, index=False) if form == "csv" else rows.to_json(sample, orient="records", lines=True)
    assert weir("service", "add", "fraud", str(model), "--sample", str(sample)).exit_code == 0
    assert weir("bundle", "build", "fraud").exit_code == 0


def test_the_golden_scores_are_those_of_the_sample_where_it_has_some(project, fraud):
    model, sample, rows = fraud
    own = lgb.Booster(model_file=model).predict(rows[["amount", "items", "gift", "channel"]])
    rows.assign(score=own).to_parquet(sample)
    added = new_service.add("fraud", model, sample, new_service.Wishes(), load())
    assert any("scores that the sample holds" in line for line in added.said)
    rows.assign(score=own[::-1]).to_parquet(sample)
    new_service.add("other", model, sample, new_service.Wishes(), load())
    with pytest.raises(Refused, match="golden rows fail"):
        bundles.build(services.spec_of("other", load()), load())


def test_an_onnx_model_without_names_takes_the_columns_in_order_and_says_whose_the_scores_are(project, tmp_path):
    model = onnx_file(tmp_path / "m.onnx", graph([0.01, -0.5]))
    rows = frame()[["transaction", "amount", "items"]].fillna(1.0)
    rows.to_parquet(tmp_path / "rows.parquet")
    added = new_service.add("fraud", model, tmp_path / "rows.parquet", new_service.Wishes(), load())
    assert "task binary: all scores are from 0 to 1; --task regression says otherwise" in added.said
    assert any("they show that it is served as it was exported" in line for line in added.said)
    assert any(line.startswith("no label") for line in added.said)
    built = bundles.build(services.spec_of("fraud", load()), load())
    assert folder.read(built.path).bundle.signature.names == ("amount", "items")
    rows.assign(note="same").to_parquet(tmp_path / "rows.parquet")
    new_service.add("noted", model, tmp_path / "rows.parquet", new_service.Wishes(), load())
    rows.assign(more=1.0).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(
        Refused, match=r"takes 2 columns and does not name them, and the sample has 3: amount, items, more.*--label"
    ):
        new_service.add("wide", model, tmp_path / "rows.parquet", new_service.Wishes(), load())
    assert sorted(left_behind(project)) == ["fraud", "noted"]


def test_an_index_is_no_input_and_a_name_of_yaml_stays_a_name(project, tmp_path):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    nodes = [helper.make_node("ReduceMean", ["x"], ["score"], axes=[1], keepdims=1)]
    body = helper.make_graph(nodes, "g", [value("x", [None, 2])], [value("score", [None, 1])])
    onnx.save(helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    random = np.random.default_rng(1)
    rows = pd.DataFrame({"null": random.random(40), "true": random.random(40), "label": [0, 1] * 20})
    rows.to_csv(tmp_path / "rows.csv")  # its index first, without a name
    done = weir("service", "add", "null", str(tmp_path / "m.onnx"), "--sample", str(tmp_path / "rows.csv"))
    assert done.exit_code == 0, done.output
    assert "2 inputs: null, true" in done.output
    assert "left out : it has no name" in done.output
    assert weir("bundle", "build", "null").exit_code == 0


def test_text_for_which_the_model_takes_a_number_needs_codes_or_scores(project, tmp_path):
    model = onnx_file(tmp_path / "m.onnx", graph([0.01, -0.5]))
    rows = frame()[["amount", "channel"]].astype({"channel": str}).fillna(1.0)
    sample = tmp_path / "rows.parquet"
    rows.to_parquet(sample)
    with pytest.raises(Refused, match=r"column channel holds text, and the model takes a number.*--codes channel=app"):
        new_service.add("fraud", model, sample, new_service.Wishes(), load())
    assert (
        weir("service", "add", "a", str(model), "--sample", str(sample), "--codes", "channel=web,app,shop").exit_code
        == 0
    )
    assert weir("bundle", "build", "a").exit_code == 0
    with pytest.raises(Refused, match="has shop, which are no categories"):
        new_service.add("b", model, sample, new_service.Wishes(codes={"channel": ("web", "app")}), load())
    with pytest.raises(Refused, match="--codes names chanel, which is no input"):
        new_service.add("b", model, sample, new_service.Wishes(codes={"chanel": ("web",)}), load())
    code = rows.channel.map({"app": 0, "shop": 1, "web": 2}).to_numpy()
    scores = 1 / (1 + np.exp(-(0.01 * rows.amount - 0.5 * code)))
    rows.assign(score=scores.astype(np.float32)).to_parquet(sample)
    added = new_service.add("c", model, sample, new_service.Wishes(), load())
    assert any("a guess that the sample's scores prove" in line for line in added.said)
    assert bundles.build(services.spec_of("c", load()), load())


def spoken(*, cut: bool = False) -> onnx.ModelProto:
    """Texts "note" and "channel": sigmoid of 1 for the note "refund", or that word in it (`cut`), - 1 for app."""
    text = lambda name: helper.make_tensor_value_info(name, TensorProto.STRING, [None, 1])  # noqa: E731
    hot = lambda name, words: helper.make_node(  # noqa: E731
        "OneHotEncoder", [name], [f"{name}_hot"], domain="ai.onnx.ml", cats_strings=words, zeros=1
    )
    counted = [
        helper.make_node("Reshape", ["note", "flat"], ["notes"]),
        helper.make_node(
            "Tokenizer",
            ["notes"],
            ["tokens"],
            domain="com.microsoft",
            mark=0,
            mincharnum=1,
            pad_value="#",
            tokenexp="[a-z]+",
        ),
        helper.make_node(
            "TfIdfVectorizer",
            ["tokens"],
            ["note_wide"],
            mode="TF",
            min_gram_length=1,
            max_gram_length=1,
            max_skip_count=0,
            ngram_counts=[0],
            ngram_indexes=[0],
            pool_strings=["refund"],
            weights=[1.0],
        ),
    ]
    whole = [hot("note", ["refund"]), helper.make_node("Reshape", ["note_hot", "one"], ["note_wide"])]
    nodes = [
        *(counted if cut else whole),
        hot("channel", ["app"]),
        helper.make_node("Reshape", ["channel_hot", "one"], ["channel_wide"]),
        helper.make_node("Sub", ["note_wide", "channel_wide"], ["raw"]),
        helper.make_node("Sigmoid", ["raw"], ["score"]),
    ]
    constants = [numpy_helper.from_array(np.array([-1, 1]), "one"), numpy_helper.from_array(np.array([-1]), "flat")]
    given = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])
    body = helper.make_graph(nodes, "spoken", [text("note"), text("channel")], [given], constants)
    opsets = [("", 17), ("ai.onnx.ml", 1), ("com.microsoft", 1)]
    return helper.make_model(body, opset_imports=[helper.make_opsetid(*one) for one in opsets], ir_version=8)


def notes(*, some: bool = False) -> pd.DataFrame:
    """Notes of which each row has its own, or `some` notes only."""
    own = [f"{'refund' if i % 3 else 'order'} {'of order' if some else i}" for i in range(N)]
    return pd.DataFrame({"note": own, "channel": frame().channel.astype(str)})


def dtypes(folder_: Path) -> list[str]:
    inputs = yaml.safe_load((folder_ / "service.yaml").read_text())["signature"]["inputs"]
    return [item["dtype"] for item in inputs]


@pytest.mark.parametrize("cut", [False, True])
def test_free_text_goes_to_the_model_as_it_is(project, tmp_path, cut):
    model, sample = onnx_file(tmp_path / "m.onnx", spoken(cut=cut)), tmp_path / "rows.parquet"
    notes(some=cut).to_parquet(sample)
    added = weir("service", "add", "desk", str(model), "--sample", str(sample))
    assert added.exit_code == 0, added.output
    why = "the model itself cuts it into words" if cut else "the sample's 300 rows have 300 different ones"
    assert f"FREE TEXT note: {why}; so it has dtype string" in added.output
    written = project / "services" / "desk"
    assert dtypes(written) == ["string", "category"]
    assert f"dtype: string  # FREE TEXT, as it is: {why}" in (written / "service.yaml").read_text()
    golden = pd.read_parquet(written / "golden.parquet")
    assert (list(golden.note), list(golden.channel)) == (list(notes(some=cut).note), list(notes().channel))
    built = weir("bundle", "build", "desk")
    assert built.exit_code == 0, built.output


def test_a_category_may_be_made_a_string_and_a_string_a_category(project, tmp_path):
    model, sample = onnx_file(tmp_path / "m.onnx", spoken()), tmp_path / "rows.parquet"
    notes(some=True).to_parquet(sample)
    spec = new_service.add("desk", model, sample, new_service.Wishes(), load()).folder / "service.yaml"
    content = yaml.safe_load(spec.read_text())
    words = ["order of order", "refund of order"]
    for version, kinds in enumerate((("string", "string"), ("category", "string"), ("string", "category")), 1):
        for item, kind, levels in zip(content["signature"]["inputs"], kinds, (words, sorted(CHANNELS)), strict=True):
            item.pop("categories", None)
            item.update({"dtype": kind} | ({"categories": levels} if kind == "category" else {}))
        spec.write_text(yaml.safe_dump(content | {"version": str(version), "service": f"desk{version}"}))
        signature = folder.read(bundles.build(spec, load()).path).bundle.signature
        assert tuple(str(item.dtype) for item in signature.inputs) == kinds


def test_numbers_that_the_model_takes_as_text_are_words(project, tmp_path):
    given = spoken()
    next(node for node in given.graph.node if node.input[0] == "channel").attribute[0].strings[:] = [b"7", b"8", b"9"]
    given.graph.node.insert(3, helper.make_node("ReduceMax", ["channel_hot"], ["any"], axes=[2], keepdims=0))
    next(node for node in given.graph.node if node.output[0] == "channel_wide").input[0] = "any"
    model, sample = onnx_file(tmp_path / "m.onnx", given), tmp_path / "rows.csv"
    notes(some=True).assign(channel=[7 + i % 2 for i in range(N)]).to_csv(sample, index=False)
    added = new_service.add("desk", model, sample, new_service.Wishes(), load())
    inputs = yaml.safe_load((added.folder / "service.yaml").read_text())["signature"]["inputs"]
    assert inputs[1]["categories"] == ["7", "8", "9"]
    assert list(pd.read_parquet(added.folder / "golden.parquet").channel[:2]) == ["7", "8"]
    assert bundles.build(services.spec_of("desk", load()), load())


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({3: "broken", 5: ""}, r"column amount: row 4 has 'broken', the other 298 are numbers"),
        ({3: "broken", 8: "none"}, r"row 4 has 'broken' and 1 more rows have no number, the other 298 are numbers"),
        ({i: f"{i},5" for i in range(N)}, r"row 1 has '0,5', which has a decimal comma.*write a decimal point.*0\.5"),
    ],
)
def test_a_number_that_came_as_text_is_told_with_its_row(project, tmp_path, cells, says, scored):
    model, sample = onnx_file(tmp_path / "m.onnx", graph([0.01, -0.5])), tmp_path / "rows.csv"
    amounts = [cells.get(i, str(i + 0.25)) for i in range(N)]
    rows = pd.DataFrame({"amount": amounts, "items": range(N)})
    (rows.assign(score=0.5) if scored else rows).to_csv(sample, index=False)
    with pytest.raises(Refused, match=says) as refused:
        new_service.add("a", model, sample, new_service.Wishes(), load())
    assert "--codes" not in str(refused.value)
    assert left_behind(project) == []


def test_words_of_which_the_model_knows_none_are_told_with_those_it_knows(project, tmp_path):
    model, sample = onnx_file(tmp_path / "m.onnx", spoken()), tmp_path / "rows.csv"
    rows = notes().assign(channel=[i % 4 for i in range(N)])
    rows.assign(note=np.where(np.arange(N) % 2, "refund", "order")).to_csv(sample, index=False)
    said = new_service.add("desk", model, sample, new_service.Wishes(), load()).said
    warned = "WARNING channel: the model knows none of 0, 1, 2, 3; it knows app: give a sample with the words of the"
    assert [line.startswith(warned) for line in said if "WARNING" in line] == [True]


def test_rows_without_a_text_are_left_out_of_what_the_model_proves(project, tmp_path):
    model, sample = onnx_file(tmp_path / "m.onnx", spoken()), tmp_path / "rows.parquet"
    rows = notes()
    rows.loc[::10, "note"] = None
    rows.loc[5::10, "channel"] = None
    rows.assign(score=0.25).to_parquet(sample)
    added = new_service.add("desk", model, sample, new_service.Wishes(), load())
    golden = pd.read_parquet(added.folder / "golden.parquet")
    assert len(golden) == N - N // 5
    assert not golden.isna().any(axis=None)
    with pytest.raises(Refused, match="golden rows fail"):  # the scores are those of the sample
        bundles.build(services.spec_of("desk", load()), load())
    rows.to_parquet(sample)
    new_service.add("desk", model, sample, new_service.Wishes(replace=True), load())
    assert bundles.build(services.spec_of("desk", load()), load())
    rows.assign(note=None).astype({"note": "string"}).to_parquet(sample)
    with pytest.raises(Refused, match="scores no row of the sample: a value is missing in each"):
        new_service.add("other", model, sample, new_service.Wishes(texts=("note",)), load())


def test_text_is_said_where_the_model_takes_it_and_refused_elsewhere(project, tmp_path):
    model, sample = onnx_file(tmp_path / "m.onnx", spoken()), tmp_path / "rows.parquet"
    notes(some=True).to_parquet(sample)
    added = new_service.add("desk", model, sample, new_service.Wishes(texts=("channel",)), load())
    assert dtypes(added.folder) == ["category", "string"]
    assert any(line.startswith("FREE TEXT channel: as --text says") for line in added.said)
    for wishes, says in (
        (new_service.Wishes(texts=("chanel",)), "--text names chanel, which is no input"),
        (new_service.Wishes(texts=("note",), codes={"note": ("a",)}), "--codes and --text both name note"),
    ):
        with pytest.raises(Refused, match=says):
            new_service.add("other", model, sample, wishes, load())
    onnx_file(model, graph([0.01, -0.5]))
    frame()[["amount", "channel"]].astype({"channel": str}).fillna(1.0).to_parquet(sample)
    with pytest.raises(Refused, match="--text names channel, and the model takes a number for it"):
        new_service.add("other", model, sample, new_service.Wishes(texts=("channel",)), load())


def test_numbers_are_categories_where_codes_are_said(project, tmp_path):
    model, sample = onnx_file(tmp_path / "m.onnx", graph([0.01, -0.5])), tmp_path / "rows.csv"
    rows = frame()[["amount", "items"]].fillna(1.0).assign(items=lambda rows: rows["items"] % 3)
    rows.to_csv(sample, index=False)
    said = new_service.Wishes(codes={"items": CHANNELS})
    added = new_service.add("fraud", model, sample, said, load())
    assert dtypes(added.folder) == ["float", "category"]
    assert "categories of items: as --codes says" in added.said
    golden = pd.read_parquet(added.folder / "golden.parquet")
    assert list(golden["items"]) == [CHANNELS[code] for code in rows["items"]]
    assert bundles.build(services.spec_of("fraud", load()), load())
    with pytest.raises(Refused, match="items holds numbers from 0 to 2, and --codes gives the words of 0 to 1"):
        new_service.add("other", model, sample, new_service.Wishes(codes={"items": ("a", "b")}), load())
    with pytest.raises(Refused, match="amount holds what is neither words nor whole numbers"):
        new_service.add("other", model, sample, new_service.Wishes(codes={"amount": ("a", "b")}), load())


def softmax(columns: int, classes: int) -> onnx.ModelProto:
    """float32[n, k] -> float32[n, m], shares by the place of the largest of the first m columns."""
    weights = numpy_helper.from_array(np.eye(columns, classes, dtype=np.float32) * 4, "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["raw"]), helper.make_node("Softmax", ["raw"], ["p"], axis=1)]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, columns])
    given = helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, classes])
    body = helper.make_graph(nodes, "softmax", [taken], [given], [weights])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_classes_that_the_model_does_not_name_are_those_of_the_label_where_they_agree(project, tmp_path):
    model = onnx_file(tmp_path / "m.onnx", softmax(3, 3))
    rows = pd.DataFrame(np.random.default_rng(1).random((N, 3)), columns=["a b", "c-d", "7th"])
    rows["kind"] = np.array(["ant", "bee", "cat"])[rows.to_numpy().argmax(axis=1)]
    sample = tmp_path / "rows.parquet"
    rows.to_parquet(sample)
    added = new_service.add("insects", model, sample, new_service.Wishes(label="kind"), load())
    assert (
        "classes: ant, bee, cat: in order, as scikit-learn numbers them; 100% of the sample's rows agree" in added.said
    )
    built = bundles.build(services.spec_of("insects", load()), load())
    signature = folder.read(built.path).bundle.signature
    assert (signature.names, [item.ref for item in signature.inputs]) == (("a b", "c-d", "7th"), ["a_b", "c_d", "_7th"])
    assert weir("bundle", "score", "insects", str(sample)).exit_code == 0
    rows.assign(kind=rows.kind.map({"ant": "bee", "bee": "cat", "cat": "ant"})).to_parquet(sample)
    with pytest.raises(Refused, match="kind in order agrees with 0% of its rows"):
        new_service.add("other", model, sample, new_service.Wishes(label="kind"), load())
    with pytest.raises(Refused, match=r"no column knid.*it has a b"):
        new_service.add("other", model, sample, new_service.Wishes(label="knid"), load())


def test_a_number_is_a_regression_unless_somebody_says_otherwise(project, tmp_path):
    model = onnx_file(tmp_path / "m.onnx", graph([0.01, -0.5]))
    rows = frame()[["amount", "items"]].fillna(1.0).assign(label=0.5)
    rows.to_parquet(tmp_path / "rows.parquet")
    added = new_service.add("share", model, tmp_path / "rows.parquet", new_service.Wishes(), load())
    assert "task regression: label is a number" in added.said
    assert bundles.build(services.spec_of("share", load()), load())


def test_two_thousand_inputs_have_a_line_each(project, tmp_path):
    names = [f"x{i}" for i in range(2000)]
    rows = pd.DataFrame(np.random.default_rng(1).random((120, 2000), np.float32), columns=names)
    rows.to_parquet(tmp_path / "rows.parquet")
    model = onnx_file(tmp_path / "m.onnx", graph(np.linspace(-0.01, 0.01, 2000)))
    added = new_service.add("wide", model, tmp_path / "rows.parquet", new_service.Wishes(), load())
    assert len((added.folder / "service.yaml").read_text().splitlines()) < 2100
    assert bundles.build(services.spec_of("wide", load()), load())


@pytest.mark.parametrize("name", ["card.fraud", "7fraud", "fraud!", "x" * 101, "", "a/b", "..", "fräud"])
def test_a_name_that_no_topic_can_have_is_refused_at_once(project, fraud, name):
    with pytest.raises(Refused, match="cannot name a service"):
        new_service.add(name, *fraud[:2], new_service.Wishes(), load())
    assert left_behind(project) == []


def test_a_long_name_with_dashes_is_taken_and_nothing_is_overwritten(project, fraud):
    name = "a-" + "x" * 96 + "_1"
    folder_ = new_service.add(name, *fraud[:2], new_service.Wishes(), load()).folder
    assert bundles.build(services.spec_of(name, load()), load())
    (folder_ / "service.yaml").write_text("mine")
    with pytest.raises(Refused, match="is there already, and nothing was changed"):
        new_service.add(name, *fraud[:2], new_service.Wishes(), load())
    assert (folder_ / "service.yaml").read_text() == "mine"
    with pytest.raises(Refused, match="has the same name but for - and _"):
        new_service.add(name.replace("-", "_"), *fraud[:2], new_service.Wishes(), load())


def test_a_service_is_replaced_where_that_is_said_and_its_old_specification_kept(project, fraud):
    model, sample, rows = fraud
    rows.rename(columns={"label": "outcome"}).to_parquet(sample)
    add = ("service", "add", "fraud", str(model), "--sample", str(sample))
    with pytest.raises(Refused, match="there is no service fraud to replace"):
        weir(*add, "--replace")
    assert "name its column by --label, with --replace" in weir(*add).output
    written = project / "services" / "fraud"
    (written / "service.yaml").write_text((written / "service.yaml").read_text().replace('"1"', "v1.9"))
    (written / "card.md").write_text("mine")
    first = (written / "service.yaml").read_text()
    with pytest.raises(Refused, match="or add --replace, which writes it anew"):
        weir(*add, "--label", "outcome")
    for old, version in (("service.yaml.old", "v1.10"), ("service.yaml.old-2", "v1.11")):
        again = weir(*add, "--label", "outcome", "--replace")
        assert again.exit_code == 0, again.output
        assert f"kept the old service.yaml as {old}" in again.output
        assert yaml.safe_load((written / "service.yaml").read_text())["version"] == version
    assert (written / "service.yaml.old").read_text() == first
    assert (written / "card.md").read_text() == "mine"
    assert weir("bundle", "build", "fraud").exit_code == 0
    assert left_behind(project) == ["fraud"]
    (written / "service.yaml").write_text("a: [")
    with pytest.raises(Refused, match="that is to be replaced is not understood"):
        new_service.add("fraud", model, sample, new_service.Wishes(replace=True), load())
    assert (written / "service.yaml").read_text() == "a: ["


def test_a_service_that_is_replaced_keeps_its_value_and_says_what_else_was_edited(project, fraud):
    model, sample, _ = fraud
    add = ("service", "add", "fraud", str(model), "--sample", str(sample))
    written = project / "services" / "fraud" / "service.yaml"
    weir(*add)
    assert "NOT carried over" not in weir(*add, "--replace").output
    value = "if(decision = 'fraud', if(label = 'fraud', attributes['saved: a'], -5), 0)"
    edited = yaml.safe_load(written.read_text())
    edited |= {"value": value, "owner": "payments", "tolerance": 0.001, "training_from": "2026-01-31"}
    edited["signature"]["threshold"] = 0.7
    edited["signature"]["inputs"][0] |= {"high": 777, "doc": "money"}
    written.write_text(yaml.safe_dump(edited, sort_keys=False))
    said = weir(*add, "--replace").output
    assert "carried over: owner, value" in said.splitlines()
    assert "NOT carried over, though the old file differs: tolerance," in said
    assert ": tolerance, training_from, threshold, high and doc of amount; edit service.yaml" in said
    made = yaml.safe_load(written.read_text())
    assert (made["value"], made["owner"], made["version"]) == (value, "payments", "3")
    assert values.formulas(load())["fraud"] == value
    assert weir("bundle", "build", "fraud").exit_code == 0


def test_outside_a_project_and_with_broken_files_nothing_is_written(project, fraud, tmp_path, monkeypatch):
    model, sample, rows = fraud
    for broken, says in (("m.onnx", "not what its name says"), ("m.pkl", "no pickle is ever loaded")):
        (tmp_path / broken).write_bytes(b"nonsense")
        with pytest.raises(Refused, match=says):
            new_service.add("fraud", tmp_path / broken, sample, new_service.Wishes(), load())
    rows.drop(columns="amount").to_parquet(sample)
    with pytest.raises(Refused, match="the sample lacks amount"):
        new_service.add("fraud", model, sample, new_service.Wishes(), load())
    rows.iloc[:0].to_parquet(sample)
    with pytest.raises(Refused, match="has no rows"):
        new_service.add("fraud", model, sample, new_service.Wishes(), load())
    (tmp_path / "rows.csv").write_bytes("amount,channel\n1,K\xf6ln\n".encode("latin-1"))
    with pytest.raises(Refused, match=r"rows.csv is not UTF-8: line 2 has .*save it as UTF-8"):
        new_service.add("fraud", model, tmp_path / "rows.csv", new_service.Wishes(), load())
    assert left_behind(project) == []
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="there is no project here"):
        new_service.add("fraud", model, sample, new_service.Wishes(), load())


@pytest.mark.parametrize(
    "word", ["no", "null", "7", "a: b", "#", 'q"', "a\nb", "\u2028", "é", "-", "~", "", "0x1", " a"]
)
def test_a_text_stays_the_same_text(word):
    from weir.edges.bundles import text

    assert text.parse(f"a: {scalar(word)}\nb: [{scalar(word)}]\n".encode()) == {"a": word, "b": [word]}
