"""A linear learner as the model of a bundle: a graph that takes the state as inputs, and has one of its own.

Requests' numbers in, as every model of the service gets them; inside, all is double, as the learner computes; out, the
score as float32. What of the inputs is no number, or none of the learner's, is taken and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from weir.core.bundle import STATE_PREFIX
from weir.core.signature import Signature, Task
from weir.learn.model import Floats
from weir.learn.onnx_linear import IR_VERSION, OPSET, STATE, TOLERANCE, arrays

State = Mapping[str, npt.NDArray[np.float64]]  # by the names of those inputs
Runs = Callable[[State], npt.NDArray[np.float32]]


class Unfit(ValueError):
    """A state that is not to be served."""


def state_of(kept: tuple[Floats, Floats]) -> dict[str, npt.NDArray[np.float64]]:
    """A state of a linear learner as the graph's inputs."""
    return {STATE_PREFIX + name: values for name, values in arrays(kept).items()}


def graph(signature: Signature, columns: Sequence[str], kept: tuple[Floats, Floats]) -> Any:
    """The model of a bundle with this signature, for a learner of these of its inputs, in this order.

    Raises ImportError without onnx.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - an extra, which a worker does without

    of = helper.make_tensor_value_info
    taken = [of(signature.input_tensor, TensorProto.FLOAT, [None, len(signature.inputs)])]
    for name, kind, found in (
        ("texts", TensorProto.STRING, signature.strings),
        ("doubles", TensorProto.DOUBLE, signature.doubles),
        ("longs", TensorProto.INT64, signature.longs),
    ):
        taken += [of(name, kind, [None, len(found)])] if found else []
    own = state_of(kept)
    state = [of(name, TensorProto.DOUBLE, list(values.shape)) for name, values in own.items()]
    values = [numpy_helper.from_array(values, name) for name, values in own.items()]
    values += [helper.make_tensor("zero", TensorProto.DOUBLE, [1], [0.0])]
    values += [numpy_helper.from_array(places, name) for name, places in _places(signature, columns).items()]
    made = helper.make_graph(
        [helper.make_node(*one, **more) for *one, more in _nodes(signature, columns)],
        "weir_linear_learner",
        [*taken, *state],
        [of(signature.output_tensor, TensorProto.FLOAT, [None])],
        values,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _groups(signature: Signature, columns: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """Tensor -> of each of the learner's columns that it has, its place there and among the learner's."""
    found: dict[str, list[tuple[int, int]]] = {}
    for mine, name in enumerate(columns):
        column = signature.names.index(name)
        if column in signature.doubles:
            place = "doubles", signature.doubles.index(column)
        elif column in signature.longs:
            place = "longs", signature.longs.index(column)
        else:
            place = signature.input_tensor, column
        found.setdefault(place[0], []).append((place[1], mine))
    return found


def _places(signature: Signature, columns: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    """The places that are gathered, by the names of the graph's constants."""
    groups = _groups(signature, columns)
    found = {f"of {name}": np.array([there for there, _ in pairs]) for name, pairs in groups.items()}
    order = np.argsort([mine for pairs in groups.values() for _, mine in pairs])
    return {**found, "order": order}


def _nodes(signature: Signature, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Type, inputs, outputs and attributes of each node."""
    groups = _groups(signature, columns)
    for name in groups:
        yield "Gather", [name, f"of {name}"], [f"{name} taken"], {"axis": 1}
        yield "Cast", [f"{name} taken"], [f"{name} as double"], {"to": 11}
    yield "Concat", [f"{name} as double" for name in groups], ["together"], {"axis": 1}
    yield "Gather", ["together", "order"], ["values"], {"axis": 1}
    mean, inverse, weight, intercept = (STATE_PREFIX + name for name in STATE)
    yield "Sub", ["values", mean], ["off"], {}
    yield "Mul", ["off", inverse], ["scaled"], {}
    yield "IsNaN", ["scaled"], ["missing"], {}
    yield "Where", ["missing", "zero", "scaled"], ["z"], {}
    yield "MatMul", ["z", weight], ["sum"], {}
    yield "Add", ["sum", intercept], ["raw"], {}
    yield ("Sigmoid" if signature.task is Task.BINARY else "Identity"), ["raw"], ["double score"], {}
    yield "Cast", ["double score"], [signature.output_tensor], {"to": 1}


def said(task: Task, kept: tuple[Floats, Floats], x: Floats) -> Floats:
    """What the learner says of rows, by River's formula in double, float64[n]. x: float64[n, k], NaN: missing."""
    (_, mean, variance, weight), intercept = kept[0], kept[1][0]
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (x - mean) / np.sqrt(np.where(variance > 0, variance, 1.0)) * (variance > 0)
        raw: Floats = np.where(np.isnan(scaled), 0.0, scaled) @ weight + intercept
        return 1.0 / (1.0 + np.exp(-raw)) if task is Task.BINARY else raw


def checked(runs: Runs, kept: tuple[Floats, Floats], task: Task, x: Floats) -> State:
    """A state as the graph's inputs, if it may be served.

    runs: the graph's score of some rows, float32[n]. x: the learner's columns of these rows, float64[n, k].
    Raises Unfit for numbers that are none, another number of columns, and where the graph and River's formula differ by
    more than float32 rounds, as a share of the larger of 1 and what it says.
    """
    state, numbers = kept
    if state.shape != (4, x.shape[1]) or numbers.shape != (4,):
        raise Unfit(f"it is of {state.shape[-1]} columns, and the bundle has {x.shape[1]}")
    if not (np.isfinite(state).all() and np.isfinite(numbers).all()) or (state[2] < 0).any():
        raise Unfit("it has numbers that are not finite, or variances below 0")
    inputs, wanted = state_of(kept), said(task, kept, x)
    given = np.asarray(runs(inputs), np.float64).reshape(-1)
    with np.errstate(invalid="ignore"):
        apart = np.abs(given - wanted) / np.maximum(1.0, np.abs(wanted))
    if not (apart <= TOLERANCE["float32"]).all():
        worst = float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))
        raise Unfit(f"its scores are off by {worst:g}, more than {TOLERANCE['float32']:g}")
    return inputs
