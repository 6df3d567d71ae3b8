"""A linear learner as an ONNX graph whose weights are inputs: another state is other arrays, in the same session.

The graph: Sub (mean), Mul (one over the standard deviation), Where (a missing value counts nothing), MatMul (weights),
Add (intercept), and of chances Sigmoid. Nothing is folded: at float32 that would cost a digit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.core.signature import Task
from weir.learn.linear import NUMBERS, Linear
from weir.learn.linear import STATE as LINES
from weir.learn.model import Floats

OPSET: Final = 18
IR_VERSION: Final = 10
STATE: Final = ("mean", "inverse", "weight", "intercept")  # inputs beside x
TOLERANCE: Final = {"float32": 1e-6, "float64": 1e-12}
Runs = Callable[[Mapping[str, npt.NDArray[Any]]], npt.NDArray[Any]]


class Differs(ValueError):
    """The graph does not say what the learner says."""


def graph(task: Task, columns: int, dtype: str = "float64") -> Any:
    """The model: x [n, k] and STATE to "y" [n], a chance or a number. One for all states of a learner.

    dtype: float32 or float64. Raises ImportError without onnx.
    """
    from onnx import TensorProto, helper  # noqa: PLC0415 - an extra, which a worker does without

    kind = TensorProto.DOUBLE if dtype == "float64" else TensorProto.FLOAT
    node, of = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("Sub", ["x", "mean"], ["off"]),
        node("Mul", ["off", "inverse"], ["scaled"]),
        node("IsNaN", ["scaled"], ["missing"]),
        node("Where", ["missing", "zero", "scaled"], ["z"]),
        node("MatMul", ["z", "weight"], ["sum"]),
        node("Add", ["sum", "intercept"], ["raw"]),
    ]
    nodes += [node("Sigmoid", ["raw"], ["y"])] if task is Task.BINARY else [node("Identity", ["raw"], ["y"])]
    shapes = {"mean": [columns], "inverse": [columns], "weight": [columns], "intercept": [1]}
    inputs = [of("x", kind, [None, columns]), *(of(name, kind, shape) for name, shape in shapes.items())]
    zero = helper.make_tensor("zero", kind, [1], [0.0])
    made = helper.make_graph(nodes, "weir_linear_learner", inputs, [of("y", kind, [None])], [zero])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def arrays(kept: tuple[Floats, Floats], dtype: str = "float64") -> dict[str, npt.NDArray[Any]]:
    """A state of a linear learner as the graph's inputs beside x."""
    state, numbers = kept
    _, mean, variance, weight = state
    deviation = np.sqrt(np.where(variance > 0, variance, 1.0))
    found = {
        "mean": mean,
        "inverse": np.where(variance > 0, 1.0 / deviation, 0.0),
        "weight": weight,
        "intercept": numbers[:1],
    }
    return {name: np.ascontiguousarray(one, dtype) for name, one in found.items()}


def content_of(state: tuple[Floats, Floats]) -> bytes:
    """A state of a linear learner as bytes: float64 little-endian."""
    return b"".join(np.ascontiguousarray(one, "<f8").tobytes() for one in state)


def state_in(content: bytes) -> tuple[Floats, Floats]:
    """The inverse of `content_of`. Raises ValueError for what is none."""
    values = np.frombuffer(content, "<f8").astype(np.float64)
    if len(values) % len(LINES) or len(values) <= len(NUMBERS):
        raise ValueError(f"{len(content)} bytes are no state of a linear learner")
    return values[: -len(NUMBERS)].reshape(len(LINES), -1).copy(), values[-len(NUMBERS) :].copy()


def digest_of(state: tuple[Floats, Floats]) -> str:
    """Names a state of a linear learner: 12 hex characters of a hash of its bits."""
    return hashlib.sha256(content_of(state)).hexdigest()[:12]


def checked(runs: Runs, kept: tuple[Floats, Floats], task: Task, x: Floats, dtype: str = "float64") -> float:
    """How far the graph is from the learner at most; of numbers above 1 as a share of the largest that it says.

    runs: the session: inputs by name -> y. x: float64[n, k], NaN: missing; the learner gets them as the graph does.
    Raises Differs beyond TOLERANCE: the state must not be served.
    """
    rows = np.ascontiguousarray(x, dtype)
    said = np.asarray(runs({"x": rows, **arrays(kept, dtype)}), np.float64)
    linear, out = Linear(task, *kept), np.full((len(x), 1), np.nan)
    linear.run(rows.astype(np.float64), np.zeros(len(x)), np.zeros(len(x), bool), out)
    scale = max(1.0, float(np.abs(out).max(initial=0.0)))
    apart = np.abs(said - out[:, 0]) / scale
    worst = float(apart.max(initial=0.0)) if np.isfinite(apart).all() else float("inf")
    if worst > TOLERANCE[dtype]:
        raise Differs(f"the graph is off by {worst:g}, more than {TOLERANCE[dtype]:g} as {dtype}")
    return worst
