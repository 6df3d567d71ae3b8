"""What a model file says of its own columns is held against the signature: order, names, and codes of categories."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from weir.core.errors import Refused
from weir.core.signature import Dtype, Input, Policy, Signature, Source
from weir.edges.bundles import checks, folder, graph_words, words
from weir.edges.bundles.words import Words, mismatch

from tests.bundles import SIGNATURE, graph, opened_bundle, tiny_bundle, weights_of


def signature(*names: str, **categories: tuple[str, ...]) -> Signature:
    inputs = [
        Input(name=name, source=Source.FEATURE, ref=name, on_missing=Policy.USE)
        if "__" in name
        else Input(name=name, source=Source.REQUEST, ref=name)
        for name in names
    ]
    coded = [
        Input(name=name, source=Source.REQUEST, ref=name, dtype=Dtype.CATEGORY, categories=levels)
        for name, levels in categories.items()
    ]
    return Signature(inputs=(*inputs, *coded))


@pytest.mark.parametrize(
    ("features", "names", "says"),
    [
        (("a", "b"), ("a", "b"), None),
        (("b", "a"), ("a", "b"), r"another order, first at 0: the model has \[b, a\], the signature \[a, b\]"),
        (("a", "c"), ("a", "b"), r"under other names, first at 1: .*\[a, c\].*\[a, b\]"),
        (("a", "b", "c"), ("a", "b"), r"trained on 3 columns, the signature has 2 inputs"),
        (("Column_0", "Column_1"), ("a", "b"), None),
        (("f1", "f2"), ("a", "b"), None),
        (("f0", "f1"), ("f1", "f0"), "another order"),
        (("f1", "f0"), ("a", "b"), "under other names"),
        (("amount_in_EUR", "b"), ("amount in EUR", "b"), None),
        (("spend", "b"), ("customer__spend", "b"), None),
        (("b", "spend"), ("customer__spend", "b"), "another order"),
    ],
)
def test_names_and_order(features: tuple[str, ...], names: tuple[str, ...], says: str | None) -> None:
    found = mismatch(signature(*names), Words(features=features))
    assert found is None if says is None else re.search(says, found or "")


@pytest.mark.parametrize(
    ("categories", "inputs", "says"),
    [
        ([["web", "app"]], {"channel": ("web", "app")}, None),
        ([["app", "web"]], {"channel": ("web", "app")}, r"input channel: .*\[app, web\], the signature \[web, app\]"),
        ([["web"]], {"channel": ("web", "app")}, "input channel"),
        ([[1, 2.0]], {"code": ("1", "2")}, None),
        ([[True, False]], {"code": ("True", "False")}, None),
        ([["x"], ["y"]], {"first": ("x",), "second": ("y",)}, None),
        ([["y"], ["x"]], {"first": ("x",), "second": ("y",)}, "input first"),
        ([["y"]], {"by_hand": ("x",), "second": ("y",)}, None),
        ([["z"]], {"by_hand": ("x",), "second": ("y",)}, r"\[z\], which no input"),
        ([["x"]], {}, r"\[x\], which no input of the signature has there: none"),
    ],
)
def test_codes_of_categories(
    categories: list[list[object]], inputs: dict[str, tuple[str, ...]], says: str | None
) -> None:
    found = mismatch(signature("a", **inputs), Words(categories=words.levels(categories)))
    assert found is None if says is None else re.search(says, found or "")


def four_columns() -> onnx.ModelProto:
    return graph(list(weights_of(SIGNATURE)))


def in_properties(model: onnx.ModelProto, names: list[str]) -> None:
    helper.set_model_props(model, {"feature_names": json.dumps(names)})


def with_commas(model: onnx.ModelProto, names: list[str]) -> None:
    helper.set_model_props(model, {"xgboost.feature_names": ", ".join(names)})


def in_a_tensor(model: onnx.ModelProto, names: list[str]) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(names, object), "feature_names_in_"))


def in_a_constant(model: onnx.ModelProto, names: list[str]) -> None:
    value = helper.make_tensor("v", TensorProto.STRING, [len(names)], [name.encode() for name in names])
    model.graph.node.insert(0, helper.make_node("Constant", [], ["columns"], value=value))


PLACES = [in_properties, with_commas, in_a_tensor, in_a_constant]


@pytest.mark.parametrize("put", PLACES)
def test_wherever_the_exporter_put_them_they_are_found_at_build(tmp_path: Path, put) -> None:
    model = four_columns()
    put(model, ["items", "amount", "gift", "channel"])
    assert graph_words.words_of(model) == (Words(features=("items", "amount", "gift", "channel")),)
    with pytest.raises(Refused, match=r"another order, first at 0: the model has \[items, amount"):
        tiny_bundle(tmp_path, model=model)


@pytest.mark.parametrize("put", PLACES)
def test_what_was_found_at_build_is_held_at_check(tmp_path: Path, put) -> None:
    """The stored model keeps the words, so that a signature that is changed later is found out too."""
    model = four_columns()
    put(model, list(SIGNATURE.names))
    path = tiny_bundle(tmp_path, model=model)
    opened = opened_bundle(path)
    swapped = Signature(inputs=SIGNATURE.inputs[::-1], join_keys=SIGNATURE.join_keys)
    for said in words.of_metadata(opened.model.metadata):
        with pytest.raises(checks.Unfit, match="another order"):
            checks.check_words(swapped, said, "")
    assert [said.features for said in words.of_metadata(opened.model.metadata)][-1] == SIGNATURE.names


def test_properties_of_the_exporter_are_kept(tmp_path: Path) -> None:
    model = four_columns()
    helper.set_model_props(model, {"trained_by": "somebody", "weir.name": "a lie"})
    opened = opened_bundle(tiny_bundle(tmp_path, model=model))
    assert opened.model.metadata["trained_by"] == "somebody"
    assert opened.model.metadata["weir.name"] == "tiny-logistic"
    assert (opened.path / folder.MODEL).is_file()


def encoder(operator: str, taken: str, words: list[str], **attributes: object) -> onnx.NodeProto:
    name = "cats_strings" if operator == "OneHotEncoder" else "keys_strings"
    return helper.make_node(operator, [taken], [f"{taken}_coded"], domain="ai.onnx.ml", **{name: words}, **attributes)


@pytest.mark.parametrize(
    ("colour", "size", "says"),
    [
        (("red", "green"), ("s", "m", "l"), []),
        (("green", "red"), ("l", "m", "s"), []),  # words are given as words: their order is nobody's
        (("red", "Green"), ("s", "m", "l"), ["input colour: the model was not trained on [Green]", "green"]),
        (("red", "green", "blue"), ("s", "m", "l"), ["input colour: the model was not trained on [blue]"]),
        (("red", "green"), ("s", "m"), ["input size: the model knows [l] too, which `categories` lacks"]),
        (("north", "south"), ("s", "m", "l"), []),  # a code, or coded by other means
    ],
)
def test_categories_are_held_against_the_words_of_encoders(colour, size, says: list[str]) -> None:
    nodes = [
        encoder("OneHotEncoder", "colour", ["red", "green"]),
        encoder("LabelEncoder", "size", ["s", "m", "l"], values_floats=[0.0, 1.0, 2.0]),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    found = list(words.strangers(signature(colour=colour, size=size), graph_words.encoded(model)))
    assert len(found) == len(says)
    assert all(said in "; ".join(found) for said in says)
