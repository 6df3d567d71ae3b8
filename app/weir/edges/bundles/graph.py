"""A model's graph, being changed into what a bundle has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from weir.core.errors import Refused
from weir.edges.bundles import locales, text
from weir.edges.bundles.onnx_session import KINDS, TEXT, quick_session

PROBE_ROWS = 3  # no other dimension of a score is 3, but that of three classes, which is the second
IR_OF_INITIALIZERS = 4  # before it, initializers had to be inputs
OPSET = 13  # for a model that has operators of other domains only
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
WHOLE = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
FREE = "export it with the number of rows free: None as first dimension, `dynamic_axes` or `dynamic_shapes`"
REMEDY = "export the model in ONNX with operators that ONNX Runtime has"


class Graph:
    """A copy of a model, being changed.

    model, body: the copy, and its graph. opset: of the default operators. fixed: the sizes of batches that the file was
    exported for, in words; empty where it takes any. beside: its inputs that stand beside the matrix, by name.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Raises Refused when the model has no output."""
        if not model.graph.output:
            raise Refused("the model is not ONNX: it has no output", remedy=REMEDY)
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.body = self.model.graph
        constants = {tensor.name for tensor in self.body.initializer}
        inputs = [value for value in self.body.input if value.name not in constants]
        del self.body.input[:]
        self.body.input.extend(inputs)
        self.model.ir_version = max(self.model.ir_version, IR_OF_INITIALIZERS)
        if not any(entry.domain in ("", "ai.onnx") for entry in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid("", OPSET))
        self.opset = next(entry.version for entry in self.model.opset_import if entry.domain in ("", "ai.onnx"))
        self._used = {name for node in _nodes(self.body) for name in (*node.input, *node.output)} | constants
        self._used |= {value.name for value in (*self.body.input, *self.body.output)}
        self._tried: dict[str, int] = {}  # name -> numbers behind it that were tried
        self.fixed = ""
        self.beside: list[str] = []

    def probe(self, name: str) -> tuple[tuple[int, ...], type[np.generic]]:
        """Shape and type of a tensor for PROBE_ROWS rows of zeros, whatever the file says. Raises Refused."""
        trial = onnx.ModelProto()
        trial.CopyFrom(self.model)
        value = next((value for value in self.body.output if value.name == name), onnx.ValueInfoProto(name=name))
        del trial.graph.output[:]
        trial.graph.output.append(value)
        _prune(trial.graph)
        try:
            session = quick_session(trial.SerializeToString())
            taken = {value.name: value for value in session.get_inputs()}
            beside = {name: taken.pop(name) for name in self.beside}
            given = next(iter(taken.values()), None)
            width = given.shape[1] if given is not None and len(given.shape) == 2 else None
            if given is None or len(taken) != 1 or not isinstance(width, int) or given.type != "tensor(float)":
                what = f"the model takes {[(value.name, value.shape, value.type) for value in session.get_inputs()]}"
                raise Refused(what, remedy="export it with one input float32[n, k], n free")
            asked: dict[str, np.ndarray] = {given.name: np.zeros((PROBE_ROWS, width), np.float32)}
            for other, one in beside.items():
                nothing, kind = ("", np.dtype(object)) if one.type == TEXT else (0, KINDS[one.type])
                asked[other] = np.full((PROBE_ROWS, one.shape[1]), nothing, kind)
            found = session.run([name], asked)[0]
        except Refused:
            raise
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            if lacking := locales.absent(error):
                raise Refused(lacking[0], remedy=lacking[1]) from error
            if self.fixed:
                what = f"the model takes {self.fixed} at a time, and no other number"
                raise Refused(f"{what}: {text.explain(error)}", remedy=FREE) from error
            raise Refused(f"the model cannot be run: {text.explain(error)}", remedy=REMEDY) from error
        scores = np.asarray(found)
        return scores.shape, scores.dtype.type

    def add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """A node with one output, behind all others; the output's name."""
        made = self.free(name)
        self.body.node.append(helper.make_node(operator, inputs, [made], **attributes))
        return made

    def constant(self, value: np.ndarray, name: str) -> str:
        """A tensor that never changes; its name."""
        free = self.free(name)
        self.body.initializer.append(numpy_helper.from_array(value, free))
        return free

    def free(self, name: str) -> str:
        """A name that no tensor has: this one, or with a number behind it."""
        numbered = (name if i < 0 else f"{name}_{i}" for i in count(self._tried.get(name, -1)))
        free = next(name for name in numbered if name not in self._used)
        self._tried[name] = int(free.removeprefix(f"{name}_")) if free != name else -1
        self._used.add(free)
        return free

    def keep_only(self, output: onnx.ValueInfoProto) -> None:
        """One output, what it needs, and no notes of where the model was exported."""
        del self.body.output[:], self.body.value_info[:]
        self.body.output.append(output)
        _prune(self.body)
        domains = {node.domain for node in _nodes(self.body)} | {""}
        kept = [entry for entry in self.model.opset_import if entry.domain in domains or self.model.functions]
        del self.model.opset_import[:]
        self.model.opset_import.extend(kept)
        for node in _nodes(self.body):
            node.doc_string = ""  # exporters note stack traces there, with the folders of their machine
            del node.metadata_props[:]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _needs(node: onnx.NodeProto) -> set[str]:
    """Tensors that a node reads, in its inner graphs too."""
    inner = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return (
        set(node.input)
        | {name for graph in inner for one in _nodes(graph) for name in one.input}
        | {value.name for graph in inner for value in graph.output}
    )


def _prune(graph: onnx.GraphProto) -> None:
    """Only what the outputs need."""
    needed, kept = {value.name for value in graph.output}, []
    for node in reversed(graph.node):  # in ONNX a node stands behind those that it reads
        if needed & set(node.output):
            kept.append(node)
            needed |= _needs(node)
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    sparse = [tensor for tensor in graph.sparse_initializer if tensor.values.name in needed]
    nodes = list(reversed(kept))
    for field, left in ((graph.node, nodes), (graph.initializer, constants), (graph.sparse_initializer, sparse)):
        copies = [type(one).FromString(one.SerializeToString()) for one in left]
        del field[:]
        field.extend(copies)
