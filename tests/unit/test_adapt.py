"""Models as converters give them: a label beside the probabilities, ZipMap, one input a column, other types."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from weir.core.errors import Refused
from weir.core.signature import Dtype, Input, Policy, Signature, Source, Task
from weir.edges.bundles import input_columns, words
from weir.edges.bundles.adapt import Choice, adapted
from weir.edges.bundles.onnx_model import Model

from tests.bundles import aside

K = 4
WEIGHTS = np.array([[0.5], [-0.25], [0.75], [-1.0]], np.float32)
ROWS = np.random.default_rng(3).normal(0, 1, (50, K)).astype(np.float32)
POSITIVE = (1 / (1 + np.exp(-ROWS.astype(np.float64) @ WEIGHTS)))[:, 0]
NAMES = Signature(inputs=tuple(Input(name=name, source=Source.REQUEST, ref=name) for name in "abcd"))
FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def value(name: str, shape: list[Any] | None, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, *, opset: int = 18, ir: int = 10, **constants: np.ndarray) -> onnx.ModelProto:
    body = helper.make_graph(
        nodes, "g", inputs, outputs, [numpy_helper.from_array(array, name) for name, array in constants.items()]
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=ir)


def probabilities(taken: str = "X") -> list[onnx.NodeProto]:
    """float32[n, 4] -> "both" float32[n, 2] of two classes, "first" and "second"."""
    return [
        helper.make_node("MatMul", [taken, "W"], ["raw"]),
        helper.make_node("Sigmoid", ["raw"], ["second"]),
        helper.make_node("Sub", ["one", "second"], ["first"]),
        helper.make_node("Concat", ["first", "second"], ["both"], axis=1),
    ]


LABEL = helper.make_node("ArgMax", ["both"], ["label"], axis=1, keepdims=0)
CONSTANTS = {"W": WEIGHTS, "one": np.ones(1, np.float32)}
X = value("X", [None, K])


def zipped(labels: dict[str, Any]) -> onnx.ModelProto:
    """As scikit-learn's converter does by default."""
    zip_map = helper.make_node("ZipMap", ["both"], ["mapped"], domain="ai.onnx.ml", **labels)
    key = STRING if "classlabels_strings" in labels else INT64
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, None)))
    mapped = helper.make_value_info("mapped", kind)
    return model([*probabilities(), LABEL, zip_map], [X], [value("label", [None], INT64), mapped], **CONSTANTS)


def scored(
    given: onnx.ModelProto, tmp_path: Path, choice: Choice, signature: Signature = NAMES, rows=ROWS
) -> np.ndarray:
    made = adapted(given, signature, choice)
    signature = made.signature
    onnx.checker.check_model(made.model)
    path = tmp_path / "model.onnx"
    path.write_bytes(made.model.SerializeToString())
    opened = Model(path)
    assert (opened.input_tensor, opened.output_tensor) == (signature.input_tensor, signature.output_tensor)
    found = opened.run(*aside(signature, rows.T))
    return found[:, 0] if signature.width == 1 else found


BOTH = model([*probabilities(), LABEL], [X], [value("label", [None], INT64), value("both", [None, 2])], **CONSTANTS)
ZIPPED = zipped({"classlabels_int64s": [0, 1]})
NAMED = zipped({"classlabels_strings": ["good", "fraud"]})


@pytest.mark.parametrize(
    ("given", "choice", "positive"),
    [
        (BOTH, {}, True),
        (BOTH, {"output": "both"}, True),
        (ZIPPED, {}, True),
        (ZIPPED, {"output": "mapped", "column": 1}, True),
        (NAMED, {"label": "fraud"}, True),
        (NAMED, {"label": "good"}, False),
        (model(probabilities(), [X], [value("both", [None, 2])], **CONSTANTS), {}, True),
        (model(probabilities(), [X], [value("second", [None, 1])], **CONSTANTS), {}, True),
        (model(probabilities(), [X], [value("second", None)], **CONSTANTS), {}, True),
        (model(probabilities(), [X], [value("both", ["n", 2])], ir=3, opset=9, **CONSTANTS), {}, True),
        (model(probabilities(), [value("X", [None, None])], [value("second", [None, 1])], **CONSTANTS), {}, True),
        (model(probabilities(), [value("X", [4, K])], [value("both", [4, 2])], **CONSTANTS), {}, True),
        (model(probabilities(), [value("X", [1, K])], [value("second", [1, 1])], **CONSTANTS), {}, True),
        (model(probabilities(), [value("X", ["batch", K])], [value("second", ["batch", 1])], **CONSTANTS), {}, True),
    ],
)
def test_the_score_is_chosen_and_the_rest_is_cut(given, choice: dict[str, Any], positive: bool, tmp_path: Path) -> None:
    found = scored(given, tmp_path, Choice(**choice))
    assert found == pytest.approx(POSITIVE if positive else 1 - POSITIVE, abs=1e-6)


def test_nothing_but_the_score_is_stored() -> None:
    found = adapted(NAMED, NAMES, Choice())
    made, signature, said = found.model, found.signature, found.chosen
    assert [node.op_type for node in made.graph.node] == ["MatMul", "Sigmoid", "Sub", "Concat", "Gather"]
    assert [entry.domain for entry in made.opset_import] == [""]
    assert said == ["output mapped, column 1 of 2"]
    assert (signature.input_tensor, signature.output_tensor) == ("X", "score")
    assert [node.op_type for node in NAMED.graph.node][-1] == "ZipMap"  # the given model is not touched


def test_one_output_needs_no_choice_and_no_node_more() -> None:
    given = model(probabilities(), [X], [value("second", [None, 1])], **CONSTANTS)
    found = adapted(given, NAMES, Choice())
    made, signature, said = found.model, found.signature, found.chosen
    assert ([node.op_type for node in made.graph.node], said) == (["MatMul", "Sigmoid"], [])
    assert signature.output_tensor == "second"


def three() -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", ["X", "W"], ["raw"]), helper.make_node("Softmax", ["raw"], ["p"], axis=1)]
    weights = np.random.default_rng(1).normal(0, 1, (K, 3)).astype(np.float32)
    return model(nodes, [X], [value("p", [None, 3])], W=weights)


@pytest.mark.parametrize(
    ("given", "choice", "says"),
    [
        (three(), {}, r"output p has 3 columns: say in `column` \(0 to 2\) or in `class`"),
        (three(), {"column": 3}, "has 3 columns, not a column 3"),
        (three(), {"column": -1}, "has 3 columns, not a column -1"),
        (three(), {"label": "x"}, "does not name its classes"),
        (NAMED, {"label": "froud"}, "no class froud: output mapped has the classes good, fraud"),
        (NAMED, {"label": "fraud", "column": 0}, "class fraud is column 1, not 0"),
        (BOTH, {"output": "probs"}, "no output probs, but label, both"),
        (BOTH, {"output": "label"}, "int64: labels, not a score: choose another with `output`: label, both"),
        (BOTH, {"input": "x"}, "no input x, but X"),
        (
            model(probabilities(), [X], [value("first", [None, 1]), value("second", [None, 1])], **CONSTANTS),
            {},
            "gives first, second: say in `output`",
        ),
        (
            model(
                [helper.make_node("Reshape", ["X", "four"], ["kept"]), *probabilities("kept")],
                [value("X", [4, K])],
                [value("second", [4, 1])],
                four=np.array([4, K], np.int64),
                **CONSTANTS,
            ),
            {},
            "takes 4 rows at a time, and no other number: .*: export it with the number of rows free",
        ),
        (
            model(
                [*probabilities(), helper.make_node("Slice", ["second", "zero", "one_row"], ["s"])],
                [value("X", [1, K])],
                [value("s", [1, 1])],
                zero=np.array([0]),
                one_row=np.array([1]),
                **CONSTANTS,
            ),
            {},
            r"takes 1 row at a time: it gives \[1, 1\] for 3",
        ),
        (
            model([helper.make_node("ReduceSum", ["X"], ["s"], keepdims=0)], [X], [value("s", [])]),
            {},
            "not one score a row",
        ),
        (
            model([helper.make_node("NoSuchOp", ["X"], ["s"])], [X], [value("s", [None, 1])]),
            {},
            "the model cannot be run: .*NoSuchOp",
        ),
        (
            model([helper.make_node("Own", ["X"], ["s"], domain="custom")], [X], [value("s", [None, 1])]),
            {},
            "the model cannot be run",
        ),
        (model([helper.make_node("Sigmoid", ["gone"], ["s"])], [X], [value("s", [None, 1])]), {}, "cannot be run"),
        (model([], [X], [value("s", [None, 1])]), {}, "cannot be run"),
    ],
)
def test_what_cannot_be_chosen_or_run_is_refused(given, choice: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused, match=says):
        adapted(given, NAMES, Choice(**choice))


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_other_floats_are_cast(kind: int, tmp_path: Path) -> None:
    numpy_kind = helper.tensor_dtype_to_np_dtype(kind)
    nodes = [helper.make_node("MatMul", ["X", "W"], ["raw"]), helper.make_node("Sigmoid", ["raw"], ["p"])]
    given = model(nodes, [value("X", [None, K], kind)], [value("p", [None, 1], kind)], W=WEIGHTS.astype(numpy_kind))
    tolerance = 1e-2 if kind == TensorProto.FLOAT16 else 1e-6
    assert scored(given, tmp_path, Choice()) == pytest.approx(POSITIVE, abs=tolerance)


@pytest.mark.parametrize("opset", [9, 12, 13, 18])
@pytest.mark.parametrize("order", ["abcd", "dcba", "bdac"])
@pytest.mark.parametrize("flat", [False, True])
def test_one_input_a_column_becomes_one_matrix(opset: int, order: str, flat: bool, tmp_path: Path) -> None:
    """By name, whatever the order of the model's inputs; it is trained on a, b, c, d in that order."""
    shape = [None] if flat else [None, 1]
    nodes = []
    parts = list("abcd")
    if flat:
        nodes += [helper.make_node("Reshape", [name, "column"], [f"{name}2"]) for name in parts]
        parts = [f"{name}2" for name in parts]
    nodes += [helper.make_node("Concat", parts, ["X"], axis=1), *probabilities()[:2]]
    given = model(
        nodes,
        [value(name, shape) for name in order],
        [value("second", [None, 1])],
        opset=opset,
        W=WEIGHTS,
        **({"column": np.array([-1, 1], np.int64)} if flat else {}),
    )
    assert scored(given, tmp_path, Choice()) == pytest.approx(POSITIVE, abs=1e-6)
    swapped = dataclasses.replace(NAMES, inputs=NAMES.inputs[::-1])
    assert scored(given, tmp_path, Choice(), swapped, ROWS[:, ::-1].copy()) == pytest.approx(POSITIVE, abs=1e-6)


def test_a_name_is_the_own_one_before_it_is_that_of_a_field_or_like_another() -> None:
    crossed = Signature(
        inputs=(
            Input(name="a b", source=Source.REQUEST, ref="a_b"),
            Input(name="a_b", source=Source.REQUEST, ref="c"),
            Input(name="c", source=Source.REQUEST, ref="d"),
        )
    )
    given = [value(name, [None, 1]) for name in ("c", "a_b", "a b")]
    assert input_columns.dealt(given, crossed) == [[2], [1], [0]]


def test_inputs_that_are_not_the_signatures_are_named() -> None:
    given = model(
        [helper.make_node("Concat", ["a", "b", "c", "e"], ["X"], axis=1), *probabilities()[:2]],
        [value(name, [None, 1]) for name in "abce"],
        [value("second", [None, 1])],
        W=WEIGHTS,
    )
    with pytest.raises(Refused, match=r"takes \[a, b, c, e\], the signature has \[a, b, c, d\]"):
        adapted(given, NAMES, Choice())


def typed_inputs(on_missing: Policy = Policy.REJECT) -> tuple[onnx.ModelProto, Signature]:
    """A text column, whole numbers and a float, as a pipeline over a data frame takes them."""
    nodes = [
        helper.make_node("Equal", ["channel", "app"], ["is_app"]),
        helper.make_node("Cast", ["is_app"], ["coded"], to=FLOAT),
        helper.make_node("Cast", ["items"], ["counted"], to=FLOAT),
        helper.make_node("Concat", ["amount", "counted", "coded"], ["X"], axis=1),
        helper.make_node("MatMul", ["X", "W"], ["p"]),
    ]
    inputs = [value("channel", [None, 1], STRING), value("items", [None, 1], INT64), value("amount", [None, 1])]
    given = model(
        nodes,
        inputs,
        [value("p", [None, 1])],
        opset=19,
        W=np.array([[1], [10], [100]], np.float32),
        app=np.array(["app"], object),
    )
    levels = ("web", "app", "shop")
    signature = Signature(
        inputs=(
            Input(name="amount", source=Source.REQUEST, ref="amount"),
            Input(name="items", source=Source.REQUEST, ref="items", dtype=Dtype.INT),
            Input(
                name="channel",
                source=Source.REQUEST,
                ref="channel",
                dtype=Dtype.CATEGORY,
                categories=levels,
                on_missing=on_missing,
            ),
        )
    )
    return given, signature


def test_codes_become_the_text_and_the_whole_numbers_that_a_pipeline_takes(tmp_path: Path) -> None:
    given, signature = typed_inputs()
    rows = np.array([[1, 2, 0], [3, 4, 1], [5, 6, 2]], np.float32)
    assert scored(given, tmp_path, Choice(), signature, rows).tolist() == [21, 143, 65]


def test_a_missing_text_has_no_form(tmp_path: Path) -> None:
    given, signature = typed_inputs(Policy.USE)
    with pytest.raises(Refused, match="input channel: a missing value is not a number"):
        adapted(given, signature, Choice())


def test_a_batch_of_one_size_becomes_any_and_is_told() -> None:
    given = model(probabilities(), [value("X", [1, K])], [value("second", [1, 1])], **CONSTANTS)
    said = adapted(given, NAMES, Choice()).chosen
    assert said == ["batches of any size, where the file was exported for 1 row at a time"]


WHOLE = Signature(inputs=tuple(Input(name=n, source=Source.REQUEST, ref=n, dtype=Dtype.INT) for n in "abcd"))


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL])
def test_one_matrix_of_whole_numbers(kind: int, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["X"], ["numbers"], to=FLOAT),
        helper.make_node("MatMul", ["numbers", "W"], ["p"]),
    ]
    given = model(nodes, [value("X", [None, K], kind)], [value("p", [None, 1])], W=WEIGHTS)
    rows = np.array([[0, 1, 1, 0], [1, 0, 1, 1]], np.float32)
    assert scored(given, tmp_path, Choice(), WHOLE, rows) == pytest.approx((rows @ WEIGHTS)[:, 0])
    use = dataclasses.replace(WHOLE.inputs[2], on_missing=Policy.USE)
    signature = dataclasses.replace(WHOLE, inputs=(*WHOLE.inputs[:2], use, WHOLE.inputs[3]))
    with pytest.raises(Refused, match="input c: a missing value is not a number"):
        adapted(given, signature, Choice())
    with pytest.raises(Refused, match="input a: the model takes whole numbers, and dtype is float"):
        adapted(given, NAMES, Choice())


COLOURS, SIZES = ("red", "green", "blue"), ("s", "m", "l")


def of_kinds(*order: str) -> Signature:
    """Inputs in an order: a and b are numbers, colour and size are words."""
    kinds = {"colour": COLOURS, "size": SIZES}
    return Signature(
        inputs=tuple(
            Input(
                name=name,
                source=Source.REQUEST,
                ref=name,
                dtype=Dtype.CATEGORY if name in kinds else Dtype.FLOAT,
                categories=kinds.get(name, ()),
            )
            for name in order
        )
    )


def grouped(words: int | None = 2, numbers: int | None = 2) -> onnx.ModelProto:
    """10 a + b, and 1,000 more for the second word "m"; all words in one input and all numbers in another."""
    nodes = [
        helper.make_node("MatMul", ["numbers", "W"], ["sum"]),
        helper.make_node("Gather", ["words", "second"], ["size"], axis=1),
        helper.make_node("Equal", ["size", "m"], ["is_m"]),
        helper.make_node("Cast", ["is_m"], ["one"], to=FLOAT),
        helper.make_node("Mul", ["one", "thousand"], ["more"]),
        helper.make_node("Add", ["sum", "more"], ["p"]),
    ]
    inputs = [value("words", [None, words], STRING), value("numbers", [None, numbers])]
    return model(
        nodes,
        inputs,
        [value("p", [None, 1])],
        opset=19,
        W=np.array([[10], [1]], np.float32),
        second=np.array([1]),
        m=np.array(["m"], object),
        thousand=np.array([1000], np.float32),
    )


@pytest.mark.parametrize("order", ["colour size a b", "a b colour size", "a colour b size"])
@pytest.mark.parametrize("widths", [(2, 2), (None, 2), (2, None), (None, None)])
def test_words_in_one_input_and_numbers_in_another(order: str, widths: tuple[Any, Any], tmp_path: Path) -> None:
    signature = of_kinds(*order.split())
    row = {"a": 3, "b": 4, "colour": 2, "size": 1}
    rows = np.array([[row[name] for name in signature.names], [0, 0, 0, 0]], np.float32)
    assert scored(grouped(*widths), tmp_path, Choice(), signature, rows).tolist() == [1034, 0]
    said = adapted(grouped(*widths), signature, Choice()).chosen
    assert said == ["input words: colour, size", "input numbers: a, b"]


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ("a b colour", r"1 input is left for the model's categories, which are words \[n, 2\]"),
        ("a colour size", r"1 input is left for the model's numbers, which are numbers \[n, 2\]"),
    ],
)
def test_too_few_columns_for_a_group_are_counted(order: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        adapted(grouped(), of_kinds(*order.split()), Choice())


def test_text_alone_is_one_matrix_of_words(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["words", "second"], ["size"], axis=1),
        helper.make_node("Equal", ["size", "m"], ["is_m"]),
        helper.make_node("Cast", ["is_m"], ["p"], to=FLOAT),
    ]
    inputs, constants = [value("words", [None, 2], STRING)], {"second": np.array([1]), "m": np.array(["m"], object)}
    given = model(nodes, inputs, [value("p", [None, 1])], opset=19, **constants)
    rows = np.array([[0, 1], [1, 0], [2, 1]], np.float32)
    assert scored(given, tmp_path, Choice(), of_kinds("colour", "size"), rows).tolist() == [1, 0, 1]


def of_many(*classes: str) -> Signature:
    return dataclasses.replace(NAMES, task=Task.MULTICLASS, classes=classes)


def zipped_of_three(*labels: str) -> onnx.ModelProto:
    """Label and ZipMap over the probabilities of three classes, as scikit-learn's converter does by default."""
    given = three()
    label = helper.make_node("ArgMax", ["p"], ["label"], axis=1, keepdims=0)
    zip_map = helper.make_node("ZipMap", ["p"], ["mapped"], domain="ai.onnx.ml", classlabels_strings=labels)
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(STRING, helper.make_tensor_type_proto(FLOAT, None))
    )
    given.graph.node.extend([label, zip_map])
    del given.graph.output[:]
    given.graph.output.extend([value("label", [None], INT64), helper.make_value_info("mapped", kind)])
    return given


@pytest.mark.parametrize("given", [three(), zipped_of_three("a", "b", "c")])
def test_a_multiclass_model_keeps_its_columns(given: onnx.ModelProto, tmp_path: Path) -> None:
    alone = ort.InferenceSession(three().SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = alone.run(["p"], {"X": ROWS})[0]
    np.testing.assert_array_equal(scored(given, tmp_path, Choice(), of_many("a", "b", "c")), wanted)
    np.testing.assert_array_equal(scored(three(), tmp_path, Choice(column=1)), wanted[:, 1])


@pytest.mark.parametrize(
    ("labels", "classes", "agree"),
    [
        (("a", "b", "c"), ("a", "b", "c"), True),
        (("0", "1", "2"), ("low", "middle", "high"), True),  # numbers that a library gave out
        (("1", "2", "3"), ("1", "2", "3"), True),
        (("1", "2", "3"), ("3", "2", "1"), False),
        (("a", "b", "c"), ("a", "c", "b"), False),
        (("a", "b", "c"), ("x", "y", "z"), False),
        (("0", "1", "2"), ("low", "1", "high"), False),
    ],
)
def test_the_models_classes_are_held_against_the_signatures(
    labels: tuple[str, ...], classes: tuple[str, ...], agree: bool
) -> None:
    made = adapted(zipped_of_three(*labels), of_many(*classes), Choice())
    assert made.classes == labels
    found = words.mismatch(made.signature, words.Words(classes=made.classes))
    both = f"the model has the classes [{', '.join(labels)}], the signature [{', '.join(classes)}]"
    assert found == (None if agree else both)


@pytest.mark.parametrize(
    ("given", "signature", "choice", "says"),
    [
        (three(), of_many("a", "b"), {}, "output p has 3 columns, and the signature has 2 classes"),
        (BOTH, of_many("a", "b", "c"), {}, "output both has 2 columns, and the signature has 3 classes"),
        (
            three(),
            of_many("a", "b", "c"),
            {"column": 1},
            "choose one score, and task multiclass has one for",
        ),
        (three(), NAMES, {}, "for all of them set `task` to multiclass"),
        (BOTH, dataclasses.replace(NAMES, task=Task.REGRESSION), {}, "output both has 2 columns"),
        (NAMED, dataclasses.replace(NAMES, classes=("bad", "fraud")), {}, "the model has the classes good, fraud"),
        (NAMED, dataclasses.replace(NAMES, classes=("good", "fraud")), {"label": "good"}, "`class` is good, and of"),
        (NAMED, dataclasses.replace(NAMES, classes=("good", "fraud")), {"column": 0}, "column 0 is good, and the"),
        (ZIPPED, dataclasses.replace(NAMES, classes=("1", "2")), {}, "the model has the classes 0, 1"),
    ],
)
def test_an_output_that_is_not_the_tasks_is_refused(
    given: onnx.ModelProto, signature: Signature, choice: dict[str, Any], says: str
) -> None:
    with pytest.raises(Refused, match=says):
        adapted(given, signature, Choice(**choice))


def test_the_positive_class_is_found_by_its_name(tmp_path: Path) -> None:
    turned = dataclasses.replace(NAMES, classes=("fraud", "good"))
    assert scored(NAMED, tmp_path, Choice(), turned) == pytest.approx(1 - POSITIVE, abs=1e-6)
    assert scored(NAMED, tmp_path, Choice(), dataclasses.replace(NAMES, classes=("good", "fraud"))) == pytest.approx(
        POSITIVE, abs=1e-6
    )


def test_notes_of_the_machine_that_exported_it_are_not_stored() -> None:
    given = onnx.ModelProto()
    given.CopyFrom(NAMED)
    for node in given.graph.node:
        node.doc_string = "File /home/somebody/train.py, line 3"
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="File /home/somebody/train.py, line 3")
    assert b"somebody" not in adapted(given, NAMES, Choice()).model.SerializeToString()


SPOKEN = Signature(
    inputs=(
        Input(name="a", source=Source.REQUEST, ref="a"),
        Input(name="word", source=Source.REQUEST, ref="word", dtype=Dtype.STRING, on_missing=Policy.USE),
        Input(name="b", source=Source.REQUEST, ref="b"),
        Input(name="kind", source=Source.REQUEST, ref="kind", dtype=Dtype.CATEGORY, categories=("web", "app")),
    )
)


def hot(name: str, words: list[str]) -> onnx.NodeProto:
    """One column a word; zeros for a word that is none of them, as `handle_unknown` says it in scikit-learn."""
    return helper.make_node("OneHotEncoder", [name], [f"{name}_hot"], domain="ai.onnx.ml", cats_strings=words, zeros=1)


def worded(*inputs: onnx.ValueInfoProto, nodes: tuple[onnx.NodeProto, ...] = ()) -> onnx.ModelProto:
    """sigmoid of a + b + 1 for "red", - 1 for "green", + 0.5 for "app"."""
    body = [
        *nodes,
        hot("word", ["red", "green"]),
        hot("kind", ["web", "app"]),
        helper.make_node("Reshape", ["word_hot", "pairs"], ["words"]),
        helper.make_node("Reshape", ["kind_hot", "pairs"], ["kinds"]),
        helper.make_node("Concat", ["a", "b", "words", "kinds"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", "weights"], ["raw"]),
        helper.make_node("Sigmoid", ["raw"], ["score"]),
    ]
    weights = np.array([[1], [1], [1], [-1], [0], [0.5]], np.float32)
    constants = {"weights": weights, "pairs": np.array([-1, 2])}
    return model(body, list(inputs), [value("score", [None, 1])], **constants)


COLUMNS_OF_THEM = worded(
    value("a", [None, 1]), value("b", [None, 1]), value("word", [None, 1], STRING), value("kind", [None, 1], STRING)
)
ONE_OF_TEXTS = worded(
    value("a", [None, 1]),
    value("b", [None, 1]),
    value("both", [None, 2], STRING),
    nodes=(
        helper.make_node("ArrayFeatureExtractor", ["both", "first"], ["word"], domain="ai.onnx.ml"),
        helper.make_node("ArrayFeatureExtractor", ["both", "last"], ["kind"], domain="ai.onnx.ml"),
    ),
)
ONE_OF_TEXTS.graph.initializer.extend(
    [numpy_helper.from_array(np.array([0]), "first"), numpy_helper.from_array(np.array([1]), "last")]
)


@pytest.mark.parametrize("given", [COLUMNS_OF_THEM, ONE_OF_TEXTS])
def test_texts_reach_the_model_as_they_are(given: onnx.ModelProto, tmp_path: Path) -> None:
    made = adapted(given, SPOKEN, Choice())
    onnx.checker.check_model(made.model)
    (tmp_path / "model.onnx").write_bytes(made.model.SerializeToString())
    opened = Model(tmp_path)
    assert (opened.width, opened.beside) == (4, {"tensor(string)": 1})
    rows = np.array([[1, 0, 2, 1], [1, 1, 2, 0], [1, 2, 2, 1], [1, np.nan, 2, 0], [1, 7, 2, 0]], np.float32)
    found = opened.run(rows, {1: ["red", "green", "blue"]})[:, 0]
    raw = np.array([3 + 1 + 0.5, 3 - 1, 3 + 0.5, 3, 3])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-raw)), atol=1e-6)
    with pytest.raises(ValueError, match=r"takes \{'tensor\(string\)': 1\} beside the matrix, and \{\} are given"):
        opened.run(rows)


def test_a_model_of_one_text_alone(tmp_path: Path) -> None:
    nodes = [hot("word", ["red", "green"]), helper.make_node("Reshape", ["word_hot", "pairs"], ["words"])]
    nodes += [
        helper.make_node("MatMul", ["words", "weights"], ["raw"]),
        helper.make_node("Sigmoid", ["raw"], ["score"]),
    ]
    constants = {"weights": np.array([[1], [-1]], np.float32), "pairs": np.array([-1, 2])}
    given = model(nodes, [value("word", [None, 1], STRING)], [value("score", [None, 1])], **constants)
    made = adapted(given, dataclasses.replace(SPOKEN, inputs=SPOKEN.inputs[1:2]), Choice())
    (tmp_path / "model.onnx").write_bytes(made.model.SerializeToString())
    found = Model(tmp_path).run(np.array([[0], [1], [2]], np.float32), {0: ["red", "green", "blue"]})[:, 0]
    np.testing.assert_allclose(found, 1 / (1 + np.exp([-1, 1, 0])), atol=1e-6)


def test_a_locale_that_is_not_here_is_named_with_the_option_that_says_another(tmp_path: Path) -> None:
    flat = helper.make_node("Reshape", ["word", "flat"], ["texts"])
    lower = helper.make_node(
        "StringNormalizer", ["texts"], ["lower"], case_change_action="LOWER", is_case_sensitive=0, locale="xx_XX.UTF-8"
    )
    given = model([flat, lower], [value("word", [None, 1], STRING)], [], flat=np.array([-1]))
    given.graph.output.append(value("lower", [None], STRING))
    with pytest.raises(
        Refused, match=r"asks for the locale xx_XX.UTF-8.*\{TfidfVectorizer: \{\"locale\": \"C.UTF-8\"\}\}"
    ):
        adapted(given, dataclasses.replace(SPOKEN, inputs=SPOKEN.inputs[1:2]), Choice())
    (tmp_path / "model.onnx").write_bytes(given.SerializeToString())
    with pytest.raises(Refused, match=r"asks for the locale xx_XX.UTF-8.*install xx_XX.UTF-8"):
        Model(tmp_path)


def test_a_text_where_the_model_takes_a_number_is_refused() -> None:
    signature = dataclasses.replace(NAMES, inputs=(*NAMES.inputs[:3], SPOKEN.inputs[1]))
    with pytest.raises(Refused, match="input word: the model takes numbers, and dtype is string"):
        adapted(BOTH, signature, Choice())


def test_numbered_classes_in_another_order_are_found_by_their_names(tmp_path: Path) -> None:
    turned = dataclasses.replace(NAMES, classes=("1", "0"))
    assert scored(ZIPPED, tmp_path, Choice(), turned) == pytest.approx(1 - POSITIVE, abs=1e-6)
    named = dataclasses.replace(NAMES, classes=("good", "bad"))
    assert scored(ZIPPED, tmp_path, Choice(), named) == pytest.approx(POSITIVE, abs=1e-6)


def test_a_positive_class_that_nobody_named_is_told() -> None:
    assert adapted(NAMED, NAMES, Choice()).positive == "fraud"
    assert not adapted(NAMED, NAMES, Choice(label="fraud")).positive
    assert not adapted(NAMED, dataclasses.replace(NAMES, classes=("good", "fraud")), Choice()).positive
    assert not adapted(ZIPPED, NAMES, Choice()).positive


FROM_ONE = zipped({"classlabels_int64s": [1, 2]})


@pytest.mark.parametrize(
    ("given", "choice", "classes"),
    [
        (ZIPPED, Choice(label=0), ("1", "0")),
        (ZIPPED, Choice(column=0), ("1", "0")),
        (FROM_ONE, Choice(), ("1", "2")),
        (FROM_ONE, Choice(label=2), ("1", "2")),
        (BOTH, Choice(output="both", column=0), ("1", "0")),
    ],
)
def test_a_score_of_another_class_than_1_needs_names_for_both(given, choice, classes, tmp_path):
    named = ", ".join(f'"{name}"' for name in classes)
    with pytest.raises(Refused, match=f"probability of class {classes[1]}") as caught:
        adapted(given, NAMES, choice)
    assert f"classes: [{named}]" in caught.value.remedy
    column = choice.column if choice.column is not None else ("0", "1", "2").index(classes[1]) - (given is FROM_ONE)
    taken = scored(given, tmp_path, choice, dataclasses.replace(NAMES, classes=classes))
    assert np.allclose(taken, POSITIVE if column else 1 - POSITIVE, atol=1e-6)


def test_of_three_numbered_classes_the_score_of_1_alone_needs_no_names():
    three = model(
        [helper.make_node("MatMul", ["X", "W"], ["raw"]), helper.make_node("Softmax", ["raw"], ["each"], axis=1)],
        [X],
        [value("each", [None, 3])],
        W=np.ones((K, 3), np.float32),
    )
    assert adapted(three, NAMES, Choice(column=1)).signature.labels == ("negative", "positive")
    with pytest.raises(Refused, match="probability of class 2") as caught:
        adapted(three, NAMES, Choice(column=2))
    assert 'classes: ["not 2", "2"]' in caught.value.remedy
