"""A model as its converter gives it -> one input float32[n, k], one output float32[n, m], or float32[n] where m is 1.

Converters of classifiers give a label beside the probabilities, often as a list of mappings (ZipMap); those of data
frames take one input for each column. What is stored has neither: the output is chosen, and its column where the task
wants one, the rest of the graph goes, and the columns are split off within the graph. A mistaken choice does not
reproduce the golden scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from weir.core.errors import Refused
from weir.core.signature import Dtype, Input, Policy, Signature, Task
from weir.edges.bundles import columns, text
from weir.edges.bundles.words import wholly_numbered

PROBE_ROWS = 3  # no other dimension of a score is 3, but that of three classes, which is the second
IR_OF_INITIALIZERS = 4  # before it, initializers had to be inputs
OPSET = 13  # for a model that has operators of other domains only
SPLIT_TAKES_SIZES = 13  # as an input; before, as an attribute
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
WHOLE = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
FREE = "export it with the number of rows free: None as first dimension, `dynamic_axes` or `dynamic_shapes`"
REMEDY = "export the model in ONNX with operators that ONNX Runtime has"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of a model's outputs is the score, as the specification says it; empty and None: it does not say.

    output: its name. column: its column, from 0. label: the class whose probability it is. input: the input's name.
    """

    output: str = ""
    column: int | None = None
    label: str | int | None = None
    input: str = ""


@dataclass(frozen=True, slots=True)
class Adapted:
    """A model with one input and one output, and the signature with their names.

    chosen: what was chosen for the author, in words. classes: of a multiclass model, as it calls them, in the order of
    the output's columns; empty where it does not.
    """

    model: onnx.ModelProto
    signature: Signature
    chosen: list[str]
    classes: tuple[str, ...]


def adapted(model: onnx.ModelProto, signature: Signature, choice: Choice) -> Adapted:
    """The model as a bundle has it. Raises Refused naming what there is to choose from."""
    if not model.graph.output:
        raise Refused("the model is not ONNX: it has no output", remedy=REMEDY)
    graph = _Graph(model)
    taken, dealt = graph.one_input(signature, choice)
    given, classes, said = graph.one_output(signature, choice)
    named = dataclasses.replace(signature, input_tensor=taken, output_tensor=given)
    return Adapted(graph.model, named, [*dealt, *said], classes)


@dataclass(frozen=True, slots=True)
class Seen:
    """The output that is the score, before anybody has said what it means.

    columns: of it; 1 for one score a row. classes: of the columns, where the model names them. labelled: a label stands
    beside it, as converters of classifiers give one.
    """

    name: str
    columns: int
    classes: tuple[str, ...]
    labelled: bool


def look(model: onnx.ModelProto, signature: Signature, choice: Choice) -> Seen:
    """What a model gives, asked by a signature's inputs. Raises Refused naming what there is to choose from."""
    if not model.graph.output:
        raise Refused("the model is not ONNX: it has no output", remedy=REMEDY)
    graph = _Graph(model)
    graph.one_input(signature, choice)
    return graph.seen(choice)


class _Graph:
    """A copy of a model, being changed."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self._body = self.model.graph
        constants = {tensor.name for tensor in self._body.initializer}
        inputs = [value for value in self._body.input if value.name not in constants]
        del self._body.input[:]
        self._body.input.extend(inputs)
        self.model.ir_version = max(self.model.ir_version, IR_OF_INITIALIZERS)
        if not any(entry.domain in ("", "ai.onnx") for entry in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid("", OPSET))
        self._opset = next(entry.version for entry in self.model.opset_import if entry.domain in ("", "ai.onnx"))
        self._used = {name for node in self._body.node for name in (*node.input, *node.output)} | constants
        self._used |= {value.name for value in (*self._body.input, *self._body.output)}
        self._fixed = ""  # sizes of batches that the file was exported for

    def one_input(self, signature: Signature, choice: Choice) -> tuple[str, list[str]]:
        """Make the inputs one; its name, and what was chosen."""
        inputs, k = list(self._body.input), len(signature.inputs)
        if choice.input and choice.input not in [value.name for value in inputs]:
            raise Refused(
                f"the model has no input {choice.input}, but {', '.join(value.name for value in inputs)}",
                remedy="correct `input_tensor`, or leave it out",
            )
        said = self._any_batch(inputs)
        if len(inputs) == 1 and not _takes_text(inputs[0]) and (len(columns.shape(inputs[0])) == 2 or k > 1):
            return self._whole_input(inputs[0], signature), said
        whole, dealt = self._columns(inputs, signature)
        return whole, [*said, *dealt]

    def one_output(self, signature: Signature, choice: Choice) -> tuple[str, tuple[str, ...], list[str]]:
        """Make the outputs one; its name, the classes of a multiclass model as it calls them, and what was chosen."""
        chosen = self._chosen(choice)
        name, classes = self._source(chosen)
        shape, kind = self._probe(name)
        said = [f"output {chosen}"] if len(self._body.output) > 1 or name != chosen else []
        if self._fixed and shape[:1] != (PROBE_ROWS,):
            what = (
                f"the model takes {self._fixed} {_rows(self._fixed)} at a time: it gives {list(shape)} for {PROBE_ROWS}"
            )
            raise Refused(what, remedy=FREE)
        if len(shape) not in (1, 2) or shape[0] != PROBE_ROWS:
            what = f"output {chosen} is {list(shape)} for {PROBE_ROWS} rows, not one score a row"
            raise Refused(what, remedy="choose another with `output`")
        count = shape[1] if len(shape) == 2 else 1
        classes = classes or self._classes()
        classes = classes if len(classes) == count else ()
        if signature.task is Task.MULTICLASS:
            _check_classes(chosen, count, signature, choice)
        elif len(shape) == 1 and (choice.column is not None or choice.label is not None):
            raise Refused(f"output {chosen} has no columns", remedy="leave `column` and `class` out")
        elif count > 1 or choice.column is not None or choice.label is not None:
            column = _column(chosen, count, classes, signature, choice)
            if count > 1:
                name = self._gather(name, column)
                said = [f"output {chosen}, column {column} of {count}"]
        if kind != np.float32:
            if kind not in (np.float64, np.float16):
                what = f"output {chosen} is {np.dtype(kind).name}: labels, not a score"
                raise Refused(what, remedy=f"choose another with `output`: {', '.join(self._outputs())}")
            name = self._add("Cast", [name], "score", to=TensorProto.FLOAT)
        taken = [None, signature.width][: len(shape)]
        self._keep_only(helper.make_tensor_value_info(name, TensorProto.FLOAT, taken))
        return name, classes if signature.task is Task.MULTICLASS else (), said

    def seen(self, choice: Choice) -> Seen:
        """The output that is the score, behind one input."""
        chosen = self._chosen(choice)
        name, classes = self._source(chosen)
        shape, _ = self._probe(name)
        count = shape[1] if len(shape) == 2 else 1
        classes = classes or self._classes()
        labelled = any(_is_label(value) for value in self._body.output if value.name != chosen)
        return Seen(chosen, count, classes if len(classes) == count else (), labelled)

    def _outputs(self) -> list[str]:
        return [value.name for value in self._body.output]

    def _any_batch(self, inputs: Sequence[onnx.ValueInfoProto]) -> list[str]:
        """Let a file that was exported for one size of batch take any; whether it can is found by running it."""
        fixed = {shape[0] for shape in map(columns.shape, inputs) if shape and shape[0] is not None}
        if not fixed:
            return []
        for value in inputs:
            if value.type.tensor_type.shape.dim:
                value.type.tensor_type.shape.dim[0].dim_param = "n"  # takes the place of the number
        del self._body.value_info[:]  # shapes with the same number in them
        for value in self._body.output:
            if value.type.WhichOneof("value") == "tensor_type":
                value.type.tensor_type.ClearField("shape")
        self._fixed = ", ".join(map(str, sorted(fixed)))
        return [f"batches of any size, where the file was exported for {self._fixed} {_rows(self._fixed)} at a time"]

    def _whole_input(self, value: onnx.ValueInfoProto, signature: Signature) -> str:
        """One input of numbers that is the matrix already."""
        tensor = value.type.tensor_type
        if len(tensor.shape.dim) == 2 and not tensor.shape.dim[1].dim_value:
            tensor.shape.dim[1].dim_value = len(signature.inputs)
        for item in signature.inputs:
            _check_kind(value, item)
        if tensor.elem_type == TensorProto.FLOAT:
            return str(value.name)
        name, wanted, kind = self._free("x"), value.name, tensor.elem_type
        tensor.elem_type = TensorProto.FLOAT
        value.name = name
        self._body.node.insert(0, helper.make_node("Cast", [name], [wanted], to=kind))
        return name

    def _columns(self, inputs: Sequence[onnx.ValueInfoProto], signature: Signature) -> tuple[str, list[str]]:
        """Several inputs -> one input of all their columns, in the signature's order, split within the graph."""
        dealt = columns.dealt(inputs, signature)
        whole, nodes = self._free("x"), []
        parts = [self._free(f"column_{i}") for i in range(len(signature.inputs))]
        if self._opset >= SPLIT_TAKES_SIZES:
            sizes = self._constant(np.ones(len(parts), np.int64), "sizes")
            nodes.append(helper.make_node("Split", [whole, sizes], parts, axis=1))
        else:
            nodes.append(helper.make_node("Split", [whole], parts, axis=1, split=[1] * len(parts)))
        for value, given in zip(inputs, dealt, strict=True):
            nodes += self._tensor(value, [parts[i] for i in given], [signature.inputs[i] for i in given])
        nodes += self._body.node
        del self._body.node[:], self._body.input[:]
        self._body.node.extend(nodes)
        self._body.input.append(helper.make_tensor_value_info(whole, TensorProto.FLOAT, [None, len(parts)]))
        return whole, [
            f"input {value.name}: {', '.join(signature.names[i] for i in given)}"
            for value, given in zip(inputs, dealt, strict=True)
            if len(given) > 1
        ]

    def _tensor(self, value: onnx.ValueInfoProto, parts: list[str], items: Sequence[Input]) -> Iterator[onnx.NodeProto]:
        """From float32[n, 1] for each column to what the model takes for them."""
        kind = value.type.tensor_type.elem_type
        for item in items:
            _check_kind(value, item)
        if kind == TensorProto.STRING:
            for i, item in enumerate(items):
                code, word = self._free("code"), self._free("word")
                levels = self._constant(np.array(item.categories, object), "levels")
                yield helper.make_node("Cast", [parts[i]], [code], to=TensorProto.INT64)
                yield helper.make_node("Gather", [levels, code], [word], axis=0)
                parts[i] = word
        if len(parts) > 1:
            together = self._free("columns")
            yield helper.make_node("Concat", parts, [together], axis=1)
            parts = [together]
        if len(columns.shape(value)) == 1:
            flat, shape_of = self._free("flat"), self._constant(np.array([-1], np.int64), "shape")
            yield helper.make_node("Reshape", [parts[0], shape_of], [flat])
            parts = [flat]
        if kind in (TensorProto.FLOAT, TensorProto.STRING):
            yield helper.make_node("Identity", parts, [value.name])
        else:
            yield helper.make_node("Cast", parts, [value.name], to=kind)

    def _chosen(self, choice: Choice) -> str:
        """The output that is the score, by name."""
        names = self._outputs()
        if choice.output:
            if choice.output not in names:
                what = f"the model has no output {choice.output}, but {', '.join(names)}"
                raise Refused(what, remedy="correct `output`, or `output_tensor` in the signature, or leave them out")
            return choice.output
        scores = [value.name for value in self._body.output if not _is_label(value)]
        if len(names) != 1 and len(scores) != 1:
            raise Refused(f"the model gives {', '.join(names)}", remedy="say in `output` which is the score")
        return str(names[0] if len(names) == 1 else scores[0])

    def _source(self, name: str) -> tuple[str, tuple[str, ...]]:
        """The tensor behind an output, and its classes: before a ZipMap, the probabilities."""
        made = next((node for node in self._body.node if name in node.output), None)
        if made is not None and made.op_type == "ZipMap":
            return str(made.input[0]), _labels(made)
        value = next(value for value in self._body.output if value.name == name)
        if value.type.WhichOneof("value") not in ("tensor_type", None):
            what = f"output {name} is no tensor but a {value.type.WhichOneof('value').removesuffix('_type')}"
            raise Refused(what, remedy="export it without ZipMap, or choose another with `output`")
        return name, ()

    def _classes(self) -> tuple[str, ...]:
        """The classes in the order of their columns, where the model names them."""
        for node in self._body.node:
            if labels := _labels(node):
                return labels
        for tensor in self._body.initializer:
            if tensor.name.startswith("classes"):
                values = numpy_helper.to_array(tensor).reshape(-1).tolist()
                return tuple(value.decode() if isinstance(value, bytes) else str(value) for value in values)
        return ()

    def _probe(self, name: str) -> tuple[tuple[int, ...], type[np.generic]]:
        """Shape and type of a tensor for PROBE_ROWS rows of zeros, whatever the file says. Raises Refused."""
        trial = onnx.ModelProto()
        trial.CopyFrom(self.model)
        value = next((value for value in self._body.output if value.name == name), onnx.ValueInfoProto(name=name))
        del trial.graph.output[:]
        trial.graph.output.append(value)
        _prune(trial.graph)
        options = ort.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        try:
            session = ort.InferenceSession(trial.SerializeToString(), options, providers=["CPUExecutionProvider"])
            given = session.get_inputs()[0]
            width = given.shape[1] if len(given.shape) == 2 else None
            if len(session.get_inputs()) != 1 or not isinstance(width, int) or given.type != "tensor(float)":
                what = f"the model takes {[(value.name, value.shape, value.type) for value in session.get_inputs()]}"
                raise Refused(what, remedy="export it with one input float32[n, k], n free")
            found = session.run([name], {given.name: np.zeros((PROBE_ROWS, width), np.float32)})[0]
        except Refused:
            raise
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            if self._fixed:
                what = f"the model takes {self._fixed} {_rows(self._fixed)} at a time, and no other number"
                raise Refused(f"{what}: {text.explain(error)}", remedy=FREE) from error
            raise Refused(f"the model cannot be run: {text.explain(error)}", remedy=REMEDY) from error
        scores = np.asarray(found)
        return scores.shape, scores.dtype.type

    def _gather(self, name: str, column: int) -> str:
        index = self._constant(np.array([column], np.int64), "column")
        return self._add("Gather", [name, index], "score", axis=1)

    def _add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        made = self._free(name)
        self._body.node.append(helper.make_node(operator, inputs, [made], **attributes))
        return made

    def _constant(self, value: np.ndarray, name: str) -> str:
        free = self._free(name)
        self._body.initializer.append(numpy_helper.from_array(value, free))
        return free

    def _free(self, name: str) -> str:
        """A name that no tensor has."""
        free = next(
            name for name in (name, *(f"{name}_{i}" for i in range(len(self._used) + 1))) if name not in self._used
        )
        self._used.add(free)
        return free

    def _keep_only(self, output: onnx.ValueInfoProto) -> None:
        del self._body.output[:], self._body.value_info[:]
        self._body.output.append(output)
        _prune(self._body)
        domains = {node.domain for node in _nodes(self._body)} | {""}
        kept = [entry for entry in self.model.opset_import if entry.domain in domains or self.model.functions]
        del self.model.opset_import[:]
        self.model.opset_import.extend(kept)


def _check_classes(output: str, count: int, signature: Signature, choice: Choice) -> None:
    """A multiclass model keeps its columns, one for each class. Raises Refused."""
    if choice.column is not None or choice.label is not None:
        what = "`column` and `class` choose one score, and task multiclass has one for each class"
        raise Refused(what, remedy="leave them out, or set `task` to binary")
    if count != signature.width:
        raise Refused(
            f"output {output} has {count} columns, and the signature has {signature.width} classes",
            remedy="give `classes` one for each column, or choose another with `output`",
        )


def _column(output: str, count: int, known: tuple[str, ...], signature: Signature, choice: Choice) -> int:
    """Which of an output's columns is the score of a task that has one. known: the columns' classes, or nothing."""
    remedy = f"say in `column` (0 to {count - 1}) or in `class` which of them is the score"
    if choice.label is not None:
        if str(choice.label) not in known:
            have = f"has the classes {', '.join(known)}" if known else "does not name its classes"
            raise Refused(f"there is no class {choice.label}: output {output} {have}", remedy=remedy)
        found = known.index(str(choice.label))
        if signature.classes and signature.classes[1] in known and signature.classes[1] != str(choice.label):
            what = f"`class` is {choice.label}, and of the signature's classes the second, {signature.classes[1]}"
            raise Refused(what, remedy="write the positive class second, or leave `class` out")
        if choice.column not in (None, found):
            raise Refused(f"class {choice.label} is column {found}, not {choice.column}", remedy="give one of the two")
        return found
    if choice.column is not None:
        if not 0 <= choice.column < count:
            raise Refused(f"output {output} has {count} columns, not a column {choice.column}", remedy=remedy)
        return choice.column
    if count > 2 or signature.task is Task.REGRESSION:
        names = f" ({', '.join(known)})" if known else ""
        several = "" if signature.task is Task.REGRESSION else "; for all of them set `task` to multiclass"
        raise Refused(f"output {output} has {count} columns{names}", remedy=f"{remedy}{several}")
    if signature.classes and not wholly_numbered(known):
        if set(signature.classes) != set(known):
            what = f"the model has the classes {', '.join(known)}, the signature {', '.join(signature.classes)}"
            raise Refused(what, remedy="write `classes` as the model calls them, the positive one second")
        return known.index(signature.classes[1])
    return count - 1  # of two classes the second is the positive one


def _check_kind(value: onnx.ValueInfoProto, item: Input) -> None:
    """Whether the model's input can take this one's values. Raises Refused."""
    kind = value.type.tensor_type.elem_type
    if kind not in (*FLOATS, *WHOLE, TensorProto.STRING):
        what = f"the model's input {value.name} is {TensorProto.DataType.Name(kind)}"
        raise Refused(what, remedy="export it in float32")
    if kind not in FLOATS and item.on_missing is Policy.USE:
        what = f"input {item.name}: a missing value is not a number, and the model takes none but numbers there"
        raise Refused(what, remedy="set `on_missing` to default or reject")
    if kind == TensorProto.STRING and item.dtype is not Dtype.CATEGORY:
        what = f"input {item.name}: the model takes text, and dtype is {item.dtype}"
        raise Refused(what, remedy="give dtype category, and its categories")


def _rows(number: str) -> str:
    return "row" if number == "1" else "rows"


def _takes_text(value: onnx.ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.elem_type == TensorProto.STRING)


def _is_label(value: onnx.ValueInfoProto) -> bool:
    if value.type.WhichOneof("value") != "tensor_type":
        return False
    return value.type.tensor_type.elem_type in (TensorProto.STRING, *WHOLE)


def _labels(node: onnx.NodeProto) -> tuple[str, ...]:
    for attribute in node.attribute:
        if attribute.name.startswith("classlabels"):
            if attribute.strings:
                return tuple(value.decode("utf-8", "replace") for value in attribute.strings)
            if attribute.ints:
                return tuple(map(str, attribute.ints))
    return ()


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
