"""An ONNX file's graph, read without the `onnx` package, which no worker loads: the fields that a graph of trees has.

Source: github.com/onnx/onnx, onnx/onnx.proto (field numbers never change there).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FLOAT, DOUBLE = 1, 11  # TensorProto.DataType
DTYPES: Final = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 11: "<f8"}

_NAMES: Final = {"float": 2, "double": 1, "int32": 5, "int64": 3, "string": 9, "bytes": 12}
# message -> field -> number, kind; a kind in capitals is a message; with * it is repeated
_MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "Model": {"graph": (7, "Graph"), "functions": (25, "*Function")},
    "Function": {"node": (7, "*Node")},
    "Graph": {
        "node": (1, "*Node"),
        "initializer": (5, "*Tensor"),
        "input": (11, "*Value"),
        "output": (12, "*Value"),
    },
    "Value": {"name": (1, "string")},
    "Node": {
        "input": (1, "*string"),
        "output": (2, "*string"),
        "op_type": (4, "string"),
        "attribute": (5, "*Attribute"),
        "domain": (7, "string"),
    },
    "Attribute": {
        "name": (1, "string"),
        "f": (2, "float"),
        "i": (3, "int64"),
        "s": (4, "bytes"),
        "t": (5, "Tensor"),
        "g": (6, "Graph"),
        "floats": (7, "*float"),
        "ints": (8, "*int64"),
        "strings": (9, "*bytes"),
        "graphs": (11, "*Graph"),
        "type": (20, "int32"),
    },
    "Tensor": {
        "dims": (1, "*int64"),
        "data_type": (2, "int32"),
        "float_data": (4, "*float"),
        "int32_data": (5, "*int32"),
        "int64_data": (7, "*int64"),
        "name": (8, "string"),
        "raw_data": (9, "bytes"),
        "double_data": (10, "*double"),
        "data_location": (14, "int32"),
    },
}
_ATTRIBUTES: Final = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}  # AttributeProto.type
_LISTS: Final = {"floats": np.float32, "ints": np.int64}


@dataclass(frozen=True, slots=True)
class Node:
    """An operator. attributes: name -> number, bytes, list of bytes, float32[n], int64[n], or a tensor's array."""

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """A model's graph. constants: name -> array. inputs: tensors that a caller gives. outputs: that it gets."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, npt.NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read(content: bytes) -> Graph:
    """The graph of a file. Raises ValueError for what is no ONNX, has functions, or keeps tensors in other files."""
    model = _parsed(content)
    if model.functions:
        raise ValueError("the file has functions of its own")
    constants = {tensor.name: _array(tensor) for tensor in model.graph.initializer}
    nodes = tuple(_node(node) for node in model.graph.node)
    return Graph(
        nodes,
        constants,
        tuple(value.name for value in model.graph.input if value.name not in constants),
        tuple(value.name for value in model.graph.output),
    )


def named(content: bytes, names: Container[str], attributes: Container[str]) -> Iterator[Node]:
    """Operators of these names, with those of these attributes that are lists of whole numbers or of texts.

    Those in inner graphs and in functions are among them. Raises ValueError for what is no ONNX.
    """
    model = _parsed(content)
    pending = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while pending:
        node = pending.pop()
        for attribute in node.attribute:
            pending += [inner for graph in (attribute.g, *attribute.graphs) for inner in graph.node]
        if node.op_type in names:
            found = {one.name: list(one.strings or one.ints) for one in node.attribute if one.name in attributes}
            yield Node(node.op_type, node.domain, tuple(node.input), tuple(node.output), found)


def _parsed(content: bytes) -> Any:
    model = _classes()["Model"]()
    try:
        model.ParseFromString(content)
    except Exception as error:  # DecodeError, of whichever implementation of protobuf there is
        raise ValueError(f"it cannot be read: {error}") from error
    return model


def _node(node: Any) -> Node:
    attributes = {attribute.name: _value(attribute) for attribute in node.attribute}
    domain = "" if node.domain == "ai.onnx" else node.domain
    return Node(node.op_type, domain, tuple(node.input), tuple(node.output), attributes)


def _value(attribute: Any) -> Any:
    field = _ATTRIBUTES.get(attribute.type)
    if field is None:
        return None  # a graph, or a type: of operators that no ensemble has
    value = getattr(attribute, field)
    if field == "t":
        return _array(value)
    if field == "strings":
        return list(value)
    return np.array(value, _LISTS[field]) if field in _LISTS else value


def _array(tensor: Any) -> npt.NDArray[Any]:
    """A tensor as an array; of texts and rare types an empty one of objects. Raises ValueError."""
    if tensor.data_location:
        raise ValueError("tensors stand in another file")
    dtype = DTYPES.get(tensor.data_type)
    if dtype is None:
        return np.empty(0, object)
    if tensor.raw_data:
        flat = np.frombuffer(tensor.raw_data, dtype)
    else:
        field = {1: "float_data", 7: "int64_data", 11: "double_data"}.get(tensor.data_type, "int32_data")
        flat = np.array(getattr(tensor, field), dtype)
    return flat.reshape(tuple(tensor.dims))


@cache
def _classes() -> Mapping[str, Any]:
    """Message classes in a pool of their own: `onnx`, where it is loaded too, has messages of these names."""
    file = descriptor_pb2.FileDescriptorProto(name="weir/trees.proto", package="weir.trees", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            plain = kind.removeprefix("*")
            entry = message.field.add(name=field, number=number, label=3 if kind.startswith("*") else 1)
            entry.type = _NAMES.get(plain, 11)
            if plain not in _NAMES:
                entry.type_name = f".weir.trees.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"weir.trees.{name}")) for name in _MESSAGES
    }
