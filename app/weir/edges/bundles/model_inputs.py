"""A model's inputs as its converter gives them -> one input float32[n, k], split and cast within the graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from weir.core.errors import Refused
from weir.core.signature import Dtype, Input, Policy, Signature
from weir.edges.bundles import input_columns
from weir.edges.bundles.graph import FLOATS, WHOLE, Graph

SPLIT_TAKES_SIZES = 13  # as an input; before, as an attribute


def one_input(graph: Graph, signature: Signature, named: str) -> tuple[str, list[str]]:
    """Make a graph's inputs one; its name, and what was chosen, in words.

    named: the input as the specification calls it; empty where it does not. Raises Refused.
    """
    inputs, k = list(graph.body.input), len(signature.inputs)
    if named and named not in [value.name for value in inputs]:
        raise Refused(
            f"the model has no input {named}, but {', '.join(value.name for value in inputs)}",
            remedy="correct `input_tensor`, or leave it out",
        )
    said = _any_batch(graph, inputs)
    if (
        len(inputs) == 1
        and not input_columns.takes_text(inputs[0])
        and (len(input_columns.shape(inputs[0])) == 2 or k > 1)
    ):
        return _whole_input(graph, inputs[0], signature), said
    whole, dealt = _columns(graph, inputs, signature)
    return whole, [*said, *dealt]


def _any_batch(graph: Graph, inputs: Sequence[onnx.ValueInfoProto]) -> list[str]:
    """Let a file that was exported for one size of batch take any; whether it can is found by running it."""
    fixed = {shape[0] for shape in map(input_columns.shape, inputs) if shape and shape[0] is not None}
    if not fixed:
        return []
    for value in inputs:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "n"  # takes the place of the number
    del graph.body.value_info[:]  # shapes with the same number in them
    for value in graph.body.output:
        if value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.ClearField("shape")
    sizes = ", ".join(map(str, sorted(fixed)))
    graph.fixed = f"{sizes} {'row' if sizes == '1' else 'rows'}"
    return [f"batches of any size, where the file was exported for {graph.fixed} at a time"]


def _whole_input(graph: Graph, value: onnx.ValueInfoProto, signature: Signature) -> str:
    """One input of numbers that is the matrix already."""
    tensor = value.type.tensor_type
    if len(tensor.shape.dim) == 2 and not tensor.shape.dim[1].dim_value:
        tensor.shape.dim[1].dim_value = len(signature.inputs)
    for item in signature.inputs:
        _check_kind(value, item)
    if tensor.elem_type == TensorProto.FLOAT:
        return str(value.name)
    name, wanted, kind = graph.free("x"), value.name, tensor.elem_type
    tensor.elem_type = TensorProto.FLOAT
    value.name = name
    graph.body.node.insert(0, helper.make_node("Cast", [name], [wanted], to=kind))
    return name


def _columns(graph: Graph, inputs: Sequence[onnx.ValueInfoProto], signature: Signature) -> tuple[str, list[str]]:
    """Several inputs -> one input of all their columns, in the signature's order, split within the graph."""
    dealt = input_columns.dealt(inputs, signature)
    whole, nodes = graph.free("x"), []
    parts = [graph.free(f"column_{i}") for i in range(len(signature.inputs))]
    nodes.append(_split(graph, whole, parts))
    if strings := signature.strings:
        graph.texts, texts = graph.free("texts"), [graph.free(f"text_{i}") for i in strings]
        nodes.append(_split(graph, graph.texts, texts))
        for column, name in zip(strings, texts, strict=True):
            parts[column] = name
    for value, given in zip(inputs, dealt, strict=True):
        nodes += _tensor(graph, value, [parts[i] for i in given], [signature.inputs[i] for i in given])
    nodes += graph.body.node
    del graph.body.node[:], graph.body.input[:]
    graph.body.node.extend(nodes)
    graph.body.input.append(helper.make_tensor_value_info(whole, TensorProto.FLOAT, [None, len(parts)]))
    if strings:
        taken = helper.make_tensor_value_info(graph.texts, TensorProto.STRING, [None, len(strings)])
        graph.body.input.append(taken)
    return whole, [
        f"input {value.name}: {', '.join(signature.names[i] for i in given)}"
        for value, given in zip(inputs, dealt, strict=True)
        if len(given) > 1
    ]


def _split(graph: Graph, whole: str, parts: list[str]) -> onnx.NodeProto:
    """Columns [n, 1] of a tensor [n, k]."""
    if graph.opset >= SPLIT_TAKES_SIZES:
        sizes = graph.constant(np.ones(len(parts), np.int64), "sizes")
        return helper.make_node("Split", [whole, sizes], parts, axis=1)
    return helper.make_node("Split", [whole], parts, axis=1, split=[1] * len(parts))


def _tensor(
    graph: Graph, value: onnx.ValueInfoProto, parts: list[str], items: Sequence[Input]
) -> Iterator[onnx.NodeProto]:
    """From float32[n, 1] for each column to what the model takes for them."""
    kind = value.type.tensor_type.elem_type
    for item in items:
        _check_kind(value, item)
    if kind == TensorProto.STRING:
        for i, item in enumerate(items):
            if item.dtype is Dtype.STRING:
                continue
            code, word = graph.free("code"), graph.free("word")
            levels = graph.constant(np.array(item.categories, object), "levels")
            yield helper.make_node("Cast", [parts[i]], [code], to=TensorProto.INT64)
            yield helper.make_node("Gather", [levels, code], [word], axis=0)
            parts[i] = word
    if len(parts) > 1:
        together = graph.free("columns")
        yield helper.make_node("Concat", parts, [together], axis=1)
        parts = [together]
    if len(input_columns.shape(value)) == 1:
        flat, shape_of = graph.free("flat"), graph.constant(np.array([-1], np.int64), "shape")
        yield helper.make_node("Reshape", [parts[0], shape_of], [flat])
        parts = [flat]
    if kind in (TensorProto.FLOAT, TensorProto.STRING):
        yield helper.make_node("Identity", parts, [value.name])
    else:
        yield helper.make_node("Cast", parts, [value.name], to=kind)


def _check_kind(value: onnx.ValueInfoProto, item: Input) -> None:
    """Whether the model's input can take this one's values. Raises Refused."""
    kind = value.type.tensor_type.elem_type
    if kind not in (*FLOATS, *WHOLE, TensorProto.STRING):
        what = f"the model's input {value.name} is {TensorProto.DataType.Name(kind)}"
        raise Refused(what, remedy="export it in float32")
    if item.dtype is Dtype.STRING:
        if kind != TensorProto.STRING:
            what = f"input {item.name}: the model takes numbers, and dtype is string"
            raise Refused(what, remedy="give dtype category, and the categories in the order of the model's codes")
        return
    if kind == TensorProto.STRING and item.dtype is not Dtype.CATEGORY:
        what = f"input {item.name}: the model takes text, and dtype is {item.dtype}"
        raise Refused(what, remedy="give dtype string, or category with its categories")
    if kind not in FLOATS and item.on_missing is Policy.USE:
        what = f"input {item.name}: a missing value is not a number, and the model takes none but numbers there"
        raise Refused(what, remedy="set `on_missing` to default or reject")
    if kind in WHOLE and item.dtype in (Dtype.FLOAT, Dtype.AGE):
        what = f"input {item.name}: the model takes whole numbers, and dtype is {item.dtype}: fractions would be cut"
        raise Refused(what, remedy="set `dtype` to int or bool, or export the model with an input of float32")
