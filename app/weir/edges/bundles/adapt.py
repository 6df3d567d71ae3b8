"""A model as its converter gives it -> one input float32[n, k], one output float32[n, m], or float32[n] where m is 1.

What float32 does not hold stands beside the one input, each type in an input of its own.

Converters of classifiers give a label beside the probabilities, often as a list of mappings (ZipMap); those of data
frames take one input for each column. What is stored has neither: the output is chosen, and its column where the task
wants one, the rest of the graph goes, and the columns are split off within the graph. A mistaken choice does not
reproduce the golden scores.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from weir.core.errors import Refused
from weir.core.signature import Signature, Task
from weir.edges.bundles.graph import FREE, PROBE_ROWS, WHOLE, Graph
from weir.edges.bundles.model_inputs import one_input
from weir.edges.bundles.words import wholly_numbered


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
    the output's columns; empty where it does not. positive: the class whose probability is the score, as the model
    calls it, where nobody has said which it is.
    """

    model: onnx.ModelProto
    signature: Signature
    chosen: list[str]
    classes: tuple[str, ...]
    positive: str


def adapted(model: onnx.ModelProto, signature: Signature, choice: Choice) -> Adapted:
    """The model as a bundle has it. Raises Refused naming what there is to choose from."""
    graph = Graph(model)
    signature, dealt = one_input(graph, signature, choice.input)
    given, classes, said, positive = _one_output(graph, signature, choice)
    named = dataclasses.replace(signature, output_tensor=given)
    return Adapted(graph.model, named, [*dealt, *said], classes, positive)


@dataclass(frozen=True, slots=True)
class Given:
    """What a model gives, before anybody has said what it means.

    output: the one that is the score. columns: of it; 1 for one score a row. classes: of the columns, where the model
    names them. labelled: a label stands beside it, as converters of classifiers give one. task: where the file says it.
    """

    output: str
    columns: int
    classes: tuple[str, ...] = ()
    labelled: bool = False
    task: Task | None = None


def look(model: onnx.ModelProto, signature: Signature, choice: Choice) -> Given:
    """What a model gives, asked by a signature's inputs. Raises Refused naming what there is to choose from."""
    graph = Graph(model)
    one_input(graph, signature, choice.input)
    chosen = _chosen(graph, choice)
    name, classes = _source(graph, chosen)
    shape, _ = graph.probe(name)
    count = shape[1] if len(shape) == 2 else 1
    classes = classes or _classes(graph)
    labelled = any(_is_label(value) for value in graph.body.output if value.name != chosen)
    return Given(chosen, count, classes if len(classes) == count else (), labelled)


def _one_output(graph: Graph, signature: Signature, choice: Choice) -> tuple[str, tuple[str, ...], list[str], str]:
    """Make the outputs one; its name, and as Adapted has them the classes, what was chosen, and the positive class."""
    chosen = _chosen(graph, choice)
    name, classes = _source(graph, chosen)
    shape, kind = graph.probe(name)
    said = [f"output {chosen}"] if len(graph.body.output) > 1 or name != chosen else []
    if graph.fixed and shape[:1] != (PROBE_ROWS,):
        what = f"the model takes {graph.fixed} at a time: it gives {list(shape)} for {PROBE_ROWS}"
        raise Refused(what, remedy=FREE)
    if len(shape) not in (1, 2) or shape[0] != PROBE_ROWS:
        what = f"output {chosen} is {list(shape)} for {PROBE_ROWS} rows, not one score a row"
        raise Refused(what, remedy="choose another with `output`")
    count = shape[1] if len(shape) == 2 else 1
    classes = classes or _classes(graph)
    classes, positive = classes if len(classes) == count else (), ""
    if signature.task is Task.MULTICLASS:
        _check_classes(chosen, count, signature, choice)
    elif len(shape) == 1 and (choice.column is not None or choice.label is not None):
        raise Refused(f"output {chosen} has no columns", remedy="leave `column` and `class` out")
    elif count > 1 or choice.column is not None or choice.label is not None:
        column = _column(chosen, count, classes, signature, choice)
        if signature.task is Task.BINARY and not signature.classes:
            _check_bits(classes or tuple(map(str, range(count))), column)
        if not (signature.classes or wholly_numbered(classes)) and choice.column is None and choice.label is None:
            positive = classes[column]
        if count > 1:
            name = _gather(graph, name, column)
            said = [f"output {chosen}, column {column} of {count}"]
    if kind != np.float32:
        if kind not in (np.float64, np.float16):
            what = f"output {chosen} is {np.dtype(kind).name}: labels, not a score"
            raise Refused(what, remedy=f"choose another with `output`: {', '.join(_outputs(graph))}")
        name = graph.add("Cast", [name], "score", to=TensorProto.FLOAT)
    taken = [None, signature.width][: len(shape)]
    graph.keep_only(helper.make_tensor_value_info(name, TensorProto.FLOAT, taken))
    return name, classes if signature.task is Task.MULTICLASS else (), said, positive


def _outputs(graph: Graph) -> list[str]:
    return [value.name for value in graph.body.output]


def _chosen(graph: Graph, choice: Choice) -> str:
    """The output that is the score, by name."""
    names = _outputs(graph)
    if choice.output:
        if choice.output not in names:
            what = f"the model has no output {choice.output}, but {', '.join(names)}"
            raise Refused(what, remedy="correct `output`, or `output_tensor` in the signature, or leave them out")
        return choice.output
    scores = [value.name for value in graph.body.output if not _is_label(value)]
    if len(names) != 1 and len(scores) != 1:
        raise Refused(f"the model gives {', '.join(names)}", remedy="say in `output` which is the score")
    return str(names[0] if len(names) == 1 else scores[0])


def _source(graph: Graph, name: str) -> tuple[str, tuple[str, ...]]:
    """The tensor behind an output, and its classes: before a ZipMap, the probabilities."""
    made = next((node for node in graph.body.node if name in node.output), None)
    if made is not None and made.op_type == "ZipMap":
        return str(made.input[0]), _labels(made)
    value = next(value for value in graph.body.output if value.name == name)
    if value.type.WhichOneof("value") not in ("tensor_type", None):
        what = f"output {name} is no tensor but a {value.type.WhichOneof('value').removesuffix('_type')}"
        raise Refused(what, remedy="export it without ZipMap, or choose another with `output`")
    return name, ()


def _classes(graph: Graph) -> tuple[str, ...]:
    """The classes in the order of their columns, where the model names them."""
    for node in graph.body.node:
        if labels := _labels(node):
            return labels
    for tensor in graph.body.initializer:
        if tensor.name.startswith("classes"):
            values = numpy_helper.to_array(tensor).reshape(-1).tolist()
            return tuple(value.decode() if isinstance(value, bytes) else str(value) for value in values)
    return ()


def _gather(graph: Graph, name: str, column: int) -> str:
    index = graph.constant(np.array([column], np.int64), "column")
    return graph.add("Gather", [name, index], "score", axis=1)


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
        if known and set(signature.classes) == set(known) and known[choice.column] != signature.classes[1]:
            what = f"column {choice.column} is {known[choice.column]}, and the signature's positive class is "
            raise Refused(what + signature.classes[1], remedy="write the positive class second, or leave `column` out")
        return choice.column
    if count > 2 or signature.task is Task.REGRESSION:
        names = f" ({', '.join(known)})" if known else ""
        several = "" if signature.task is Task.REGRESSION else "; for all of them set `task` to multiclass"
        raise Refused(f"output {output} has {count} columns{names}", remedy=f"{remedy}{several}")
    if signature.classes and (not wholly_numbered(known) or set(signature.classes) & set(known)):
        if set(signature.classes) != set(known):
            what = f"the model has the classes {', '.join(known)}, the signature {', '.join(signature.classes)}"
            raise Refused(what, remedy="write `classes` as the model calls them, the positive one second")
        return known.index(signature.classes[1])
    return count - 1  # of two classes the second is the positive one


def _check_bits(known: tuple[str, ...], column: int) -> None:
    """Raises Refused where 0 or 1 would say another class as a label than as the model's own name of one.

    Outcomes may say 1 for the class of the score and 0 for the other, unless `classes` has these words.

    >>> _check_bits(("0", "1"), 1), _check_bits(("ham", "spam"), 0)
    (None, None)
    """
    meant = {"1": column} | ({} if known[column] != "0" else {"0": -1})
    if all(known.index(word) == place for word, place in meant.items() if word in known):
        return
    name, other = known[column], known[1 - column] if len(known) == 2 else f"not {known[column]}"
    raise Refused(
        f"the score is the model's probability of class {name}, and as a label 1 would mean that class, 0 any other",
        remedy=f'name both as outcomes call them, that of the score second: classes: ["{other}", "{name}"]',
    )


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
