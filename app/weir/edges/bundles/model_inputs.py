"""A model's inputs as its converter gives them -> one input float32[n, k], split and cast within the graph.

Beside it stands what float32 does not hold, each type in one input of its own: texts, float64 and int64.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from weir.core.errors import Refused
from weir.core.signature import Dtype, Held, Input, Policy, Signature, Source
from weir.edges.bundles import input_columns
from weir.edges.bundles.graph import FLOATS, WHOLE, Graph

SPLIT_TAKES_SIZES = 13  # as an input; before, as an attribute
_HELD: dict[int, Held] = {
    TensorProto.DOUBLE: Held.FLOAT64,
    TensorProto.INT64: Held.INT64,
    TensorProto.INT32: Held.INT32,
}
_KINDS = {  # of the inputs that numbers come in
    Held.FLOAT32: TensorProto.FLOAT,
    Held.FLOAT64: TensorProto.DOUBLE,
    Held.INT64: TensorProto.INT64,
    Held.INT32: TensorProto.INT64,
}


def held(kind: int, item: Input) -> Held:
    """As what an input's numbers go to a model whose own tensor is of this kind: no digit is lost before it.

    Codes and truth values have few digits, and a request's float is one already.
    """
    long = {Dtype.INT, Dtype.DOUBLE} | ({Dtype.FLOAT, Dtype.AGE} if item.source is Source.FEATURE else set())
    return _HELD.get(kind, Held.FLOAT32) if item.dtype in long else Held.FLOAT32


def one_input(graph: Graph, signature: Signature, named: str) -> tuple[Signature, list[str]]:
    """Make a graph's inputs one, beside those of other types; the signature as it is then, and what was chosen.

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
        signature, short = _held(signature, [inputs[0]] * k)
        if not signature.beside:
            taken = _whole_input(graph, inputs[0], signature)
            return dataclasses.replace(signature, input_tensor=taken), [*said, *short]
    dealt = input_columns.dealt(inputs, signature)
    takers = {column: value for value, given in zip(inputs, dealt, strict=True) for column in given}
    signature, short = _held(signature, [takers[column] for column in range(k)])
    whole = _columns(graph, inputs, dealt, signature)
    told = [
        f"input {value.name}: {', '.join(signature.names[i] for i in given)}"
        for value, given in zip(inputs, dealt, strict=True)
        if len(given) > 1 and len(inputs) > 1
    ]
    return dataclasses.replace(signature, input_tensor=whole), [*said, *told, *short]


def _held(signature: Signature, takers: Sequence[onnx.ValueInfoProto]) -> tuple[Signature, list[str]]:
    """The signature, with what each input goes as to the model's input that takes it; and what requests lack."""
    inputs, short = [], []
    for item, value in zip(signature.inputs, takers, strict=True):
        _check_kind(value, item)
        kind = value.type.tensor_type.elem_type
        found = held(kind, item)
        if item.held not in (Held.FLOAT32, found):
            what = f"input {item.name}: held is {item.held}, and the model takes {found}"
            raise Refused(what, remedy="leave `held` out: it is found in the model's file")
        inputs.append(dataclasses.replace(item, held=found))
        if kind == TensorProto.DOUBLE and item.dtype is Dtype.FLOAT and found is Held.FLOAT32:
            short.append(item.name)
    what = f"float32 in requests of {', '.join(short)}, which the model takes as float64: dtype double has every digit"
    return dataclasses.replace(signature, inputs=tuple(inputs)), [what] if short else []


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
    if tensor.elem_type == TensorProto.FLOAT:
        return str(value.name)
    name, wanted, kind = graph.free("x"), value.name, tensor.elem_type
    tensor.elem_type = TensorProto.FLOAT
    value.name = name
    graph.body.node.insert(0, helper.make_node("Cast", [name], [wanted], to=kind))
    return name


def _columns(
    graph: Graph, inputs: Sequence[onnx.ValueInfoProto], dealt: Sequence[Sequence[int]], signature: Signature
) -> str:
    """Any inputs -> one input of all their columns, in the signature's order, split within the graph; its name."""
    whole, nodes = graph.free("x"), []
    parts = [graph.free(f"column_{i}") for i in range(len(signature.inputs))]
    nodes.append(_split(graph, whole, parts))
    taken = [helper.make_tensor_value_info(whole, TensorProto.FLOAT, [None, len(parts)])]
    for name, kind, columns in (
        ("text", TensorProto.STRING, signature.strings),
        ("double", TensorProto.DOUBLE, signature.doubles),
        ("long", TensorProto.INT64, signature.longs),
    ):
        if not columns:
            continue
        together, own = graph.free(f"{name}s"), [graph.free(f"{name}_{i}") for i in columns]
        nodes.append(_split(graph, together, own))
        for column, part in zip(columns, own, strict=True):
            parts[column] = part
        taken.append(helper.make_tensor_value_info(together, kind, [None, len(columns)]))
        graph.beside.append(together)
    for value, given in zip(inputs, dealt, strict=True):
        nodes += _tensor(graph, value, [parts[i] for i in given], [signature.inputs[i] for i in given])
    nodes += graph.body.node
    del graph.body.node[:], graph.body.input[:]
    graph.body.node.extend(nodes)
    graph.body.input.extend(taken)
    return whole


def _split(graph: Graph, whole: str, parts: list[str]) -> onnx.NodeProto:
    """Columns [n, 1] of a tensor [n, k]."""
    if graph.opset >= SPLIT_TAKES_SIZES:
        sizes = graph.constant(np.ones(len(parts), np.int64), "sizes")
        return helper.make_node("Split", [whole, sizes], parts, axis=1)
    return helper.make_node("Split", [whole], parts, axis=1, split=[1] * len(parts))


def _tensor(
    graph: Graph, value: onnx.ValueInfoProto, parts: list[str], items: Sequence[Input]
) -> Iterator[onnx.NodeProto]:
    """From [n, 1] for each column, float32 or as it is held, to what the model takes for them."""
    kind, kinds = value.type.tensor_type.elem_type, {_KINDS[item.held] for item in items}
    for i, item in enumerate(items):
        if kind == TensorProto.STRING and item.dtype is not Dtype.STRING:
            code, word = graph.free("code"), graph.free("word")
            levels = graph.constant(np.array(item.categories, object), "levels")
            yield helper.make_node("Cast", [parts[i]], [code], to=TensorProto.INT64)
            yield helper.make_node("Gather", [levels, code], [word], axis=0)
            parts[i] = word
        elif len(kinds) > 1 and kind != _KINDS[item.held]:  # a tensor has one type
            own = graph.free("own")
            yield helper.make_node("Cast", [parts[i]], [own], to=kind)
            parts[i] = own
    if len(parts) > 1:
        together = graph.free("columns")
        yield helper.make_node("Concat", parts, [together], axis=1)
        parts = [together]
    if len(input_columns.shape(value)) == 1:
        flat, shape_of = graph.free("flat"), graph.constant(np.array([-1], np.int64), "shape")
        yield helper.make_node("Reshape", [parts[0], shape_of], [flat])
        parts = [flat]
    if kind == TensorProto.STRING or kind in kinds or len(kinds) > 1:
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
    if kind in WHOLE and item.dtype in (Dtype.FLOAT, Dtype.DOUBLE, Dtype.AGE):
        what = f"input {item.name}: the model takes whole numbers, and dtype is {item.dtype}: fractions would be cut"
        raise Refused(what, remedy="set `dtype` to int or bool, or export the model with an input of float32")
