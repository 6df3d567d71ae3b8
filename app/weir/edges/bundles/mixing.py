"""Operators of a graph that look over the rows of a batch, so that a refusal can name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import onnx
from onnx import helper, numpy_helper

ROW_AXES: Final = {0, -2}  # of a matrix
LAST: Final = -1
OVER_AN_AXIS: Final = ("Softmax", "LogSoftmax", "Hardmax", "LpNormalization")


def over_rows(model: onnx.ModelProto) -> list[str]:
    """Each once, in graph order; what a graph computes by other means is not found."""
    return list(dict.fromkeys(_found(model.graph)))


def _found(graph: onnx.GraphProto) -> Iterator[str]:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            constants[node.output[0]] = attributes["value"]
        if node.op_type == "BatchNormalization" and attributes.get("training_mode"):
            yield "BatchNormalization in the mode of training"
        elif node.op_type == "DynamicQuantizeLinear":
            yield "DynamicQuantizeLinear, whose scale is that of the batch"
        elif ROW_AXES & set(_axes(node, attributes, constants)):
            yield f"{node.op_type} over axis 0"


def _axes(
    node: onnx.NodeProto, attributes: Mapping[str, Any], constants: Mapping[str, onnx.TensorProto]
) -> Sequence[int]:
    """Those that it looks along; none where that is not known."""
    if node.op_type in OVER_AN_AXIS:
        return [attributes.get("axis", LAST)]
    if not node.op_type.startswith("Reduce") and node.op_type != "CumSum":
        return []
    if "axes" in attributes:  # of older opsets
        return list(attributes["axes"])
    if len(node.input) < 2:
        return [0]  # all of them
    tensor = constants.get(node.input[1])
    return [] if tensor is None else [int(axis) for axis in numpy_helper.to_array(tensor).reshape(-1)]
