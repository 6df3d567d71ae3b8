"""What a trained model's scores mean: task and classes, found from the model, its scores and the label of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import floats_of
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.edges.bundles.adapt import Given
from weir.edges.bundles.checks import Floats
from weir.edges.bundles.words import listed_names
from weir.operations.sample import Column, Kind, as_text

RIGHT_AT_LEAST = 0.5  # of a multiclass sample: below it, names that were guessed for classes are probably others'


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of n rows. label: as a baseline has it; nulls where the sample has none. why: of task and classes, in words."""

    task: Task
    classes: tuple[str, ...]
    label: pa.Array
    why: tuple[str, ...]


def meaning(
    given: Given, outputs: Floats, label: pa.ChunkedArray | None, column: Column | None, wished: Task | None
) -> Meaning:
    """The task and the classes.

    outputs: float32[n, c], all columns of the output. label, column: what came true, and what it looks like.
    Raises Refused where model, label and wish do not agree, with how to say it.
    """
    task, why = (wished, "as --task says") if wished else _task(given, outputs, column)
    if task is Task.MULTICLASS and given.columns == 1:
        raise Refused(
            "task multiclass needs a score for each class, and the model gives one", remedy="leave --task out"
        )
    if task is Task.REGRESSION and given.columns > 1:
        what = f"task regression has one value a row, and output {given.output} has {given.columns}"
        raise Refused(what, remedy="choose another by --output, or leave --task out")
    if task is Task.BINARY and given.columns > 2:
        what = f"task binary has two classes, and output {given.output} has {given.columns} columns"
        raise Refused(what, remedy="choose another by --output, or leave --task out")
    said: tuple[str, ...] = (f"task {task}: {why}",)
    if label is None or column is None:
        classes = _named(given) if task is not Task.REGRESSION else ()
        if task is Task.MULTICLASS and not classes:
            classes = tuple(map(str, range(given.columns)))
            said += ("classes: numbers, since neither the model nor a label names them",)
        return Meaning(task, classes, pa.nulls(len(outputs), pa.float32()), said)
    if task is Task.REGRESSION:
        return Meaning(task, (), _as_numbers(label, column), said)
    classes, found, more = (_two if task is Task.BINARY else _several)(given, outputs, label, column)
    return Meaning(task, classes, found, (*said, *more))


def _task(given: Given, outputs: Floats, column: Column | None) -> tuple[Task, str]:
    if given.task is not None:
        return given.task, "the model's objective"
    if given.columns > 1:
        task = Task.BINARY if given.columns == 2 else Task.MULTICLASS
        return task, f"output {given.output} has {given.columns} columns"
    if given.labelled:
        return Task.BINARY, "a label stands beside the model's score"
    if not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return Task.REGRESSION, "scores are not from 0 to 1"
    if column is not None and not _is_two(column):
        return Task.REGRESSION, f"{column.name} is a number"
    two = f"{column.name} has two values, and " if column is not None else ""
    return Task.BINARY, f"{two}all scores are from 0 to 1; --task regression says otherwise"


def _is_two(column: Column) -> bool:
    """Whether a label says one of two."""
    return len(column.words) <= 2 if column.kind is Kind.TEXT else _is_zero_or_one(column)


def _is_zero_or_one(column: Column) -> bool:
    low, high = column.low, column.high
    return column.kind is Kind.BOOL or (column.whole and low is not None and high is not None and 0 <= low <= high <= 1)


def _named(given: Given) -> tuple[str, ...]:
    """The classes as the model calls them; none where it calls them by their numbers, 0 and 1."""
    return () if given.columns <= 2 and set(given.classes) <= {"0", "1"} else given.classes


def _two(
    given: Given, outputs: Floats, label: pa.ChunkedArray, column: Column
) -> tuple[tuple[str, ...], pa.Array, tuple[str, ...]]:
    named = _named(given)
    if _is_zero_or_one(column):
        return named, pa.array(floats_of(label), pa.float32(), from_pandas=True), ()
    text = as_text(label).combine_chunks()
    there = sorted(word for word in pc.unique(text).to_pylist() if word is not None)
    if named and set(there) <= set(named):
        return named, text, (f"classes: {', '.join(named)}: as the model calls them",)
    if named or len(there) != 2:
        have = f"the model has {', '.join(named)}" if named else "a binary model has two classes"
        what = f"label {column.name} has the values {listed_names(there)}, and {have}"
        raise Refused(what, remedy="give a label with the model's classes, or say another --task")
    means = [float(np.nanmean(outputs[_equal(text, word), -1])) for word in there]
    classes = tuple(there if means[0] <= means[1] else reversed(there))
    why = f"classes: {', '.join(classes)}: the second is the positive one, since the model scores it higher"
    return classes, text, (why,)


def _several(
    given: Given, outputs: Floats, label: pa.ChunkedArray, column: Column
) -> tuple[tuple[str, ...], pa.Array, tuple[str, ...]]:
    text = as_text(label).combine_chunks()
    there = sorted((word for word in pc.unique(text).to_pylist() if word is not None), key=_by_number)
    numbered = tuple(map(str, range(given.columns)))
    named = given.classes or (numbered if set(there) <= set(numbered) else ())
    if set(there) <= set(named):
        return named, text, (f"classes: {', '.join(named)}",)
    if len(there) != given.columns or (named and named != numbered):
        have = f"the model has {listed_names(named)}" if named else f"the model has {given.columns} classes"
        what = f"label {column.name} has the values {listed_names(there)}, and {have}"
        raise Refused(what, remedy="give a label with the model's classes, all of them in the sample")
    right = float(np.mean(np.array(there, object)[outputs.argmax(axis=1)] == np.array(text.to_pylist(), object)))
    why = f"classes: {', '.join(there)}: in order, as scikit-learn numbers them; {right:.0%} of the sample's rows agree"
    if right < RIGHT_AT_LEAST:
        raise Refused(
            f"the model does not name its classes, and {column.name} in order agrees with {right:.0%} of its rows",
            remedy="export the model with its classes, or give a label by number, in the order of its columns",
        )
    return tuple(there), text, (why,)


def _as_numbers(label: pa.ChunkedArray, column: Column) -> pa.Array:
    if column.kind not in (Kind.INT, Kind.FLOAT, Kind.BOOL):
        what = f"task regression predicts a number, and label {column.name} holds {column.kind}"
        raise Refused(what, remedy="name another by --label")
    return pa.array(floats_of(label), pa.float64(), from_pandas=True)


def _equal(text: pa.Array, word: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.equal(text, word).fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _by_number(word: str) -> tuple[float, str]:
    """A key by which 2 stands before 10."""
    try:
        return float(word), word
    except ValueError:
        return 0.0, word
