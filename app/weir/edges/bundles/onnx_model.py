"""A model in ONNX Runtime, on CUDA or on the CPU: the same call.

On CUDA a batch runs in blocks of one size, padded, in device buffers that stay bound; on the CPU it has any size and is
read where it lies, or copied into whole groups of rows. Either makes a row's score a function of the row alone, to the
last bit, so that a record which is scored again after a crash, in another batch, says the same.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from weir.core.beside import NO_TABLES, Table, Tables, values_at
from weir.core.errors import Refused
from weir.edges.bundles.onnx_session import CUDA, DOUBLE, FLOAT, KINDS, LONG, TEXT, metadata_of, open_session

Floats = npt.NDArray[np.float32]

BESIDE = (TEXT, DOUBLE, LONG)  # of what stands beside the matrix, each in one tensor
ONNX_RUNTIME, TREES = "onnxruntime", "weir-trees-1"  # a kernel that may give other bits has another number
BLOCK_ROWS = 1024  # one shape: by the shape cuBLAS chooses its kernel, and with it the order of its sums
# On the CPU a kernel goes through the values of a batch some at a time, and what is left over in another way, which may
# round otherwise: the last rows of a batch, or a row alone, would differ from others in the last bit. In whole groups
# nothing is left over. 16 float32 are the widest register; what is listed needs no group: trees, and what only moves
# values or rounds each as IEEE 754 says.
GROUP_ROWS = 16
ROW_BY_ROW = frozenset(
    (
        *("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor", "Sigmoid", "Softmax"),
        *("Cast", "Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze"),
        *("Add", "Div", "Equal", "Mul", "Not", "Relu", "Sub", "Where"),
    )
)
WARM_UP_ROWS = (1, 64)  # batches; each runs twice, since the first run of a shape allocates and searches
WIDEST = 1 << 16  # columns; a block of them is 256 MiB


class Runner(Protocol):
    """How batches reach a session."""

    def run(self, matrix: Floats, tables: Tables = NO_TABLES) -> Floats:
        """matrix: C-contiguous float32[n, k], n >= 1 -> float32[n, m]. tables: see Model.run."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A model, and the tables whose positions its rows have, see Model.run."""

    model: Model
    tables: Tables

    def run(self, matrix: Floats) -> Floats:
        """What the model gives, as Model.run."""
        return self.model.run(matrix, self.tables)


class Model:
    """A session over a bundle's model.onnx, warmed up.

    One intra-op thread by default: two gain nothing on trees of this size, and workers scale as processes.
    The model has one input float32[n, k] and one output float32[n, m], or float32[n], which is taken for float32[n, 1].
    It may have inputs string[n, t], float64[n, d] and int64[n, l] beside it.

    width: k. outputs: m. beside: type of those -> t, d, l. input_tensor, output_tensor: their names.
    metadata: the file's own. producer: the program that exported it. warm_up_s: seconds spent on the first runs.
    threads: within an operator. optimization: level of the graph's. block_rows: whole multiples of which ONNX Runtime
    is given, padded; 1: any. engine: what scores. engine_reason: why it is ONNX Runtime, as a clause that follows
    "since"; else empty.
    """

    optimization = "all"

    def __init__(self, bundle: Path, threads: int = 1) -> None:
        """bundle: a bundle's folder, or an ONNX file. Raises Refused when it is not an ONNX model of that shape."""
        path = bundle / "model.onnx" if bundle.is_dir() else bundle
        session, self.placement = open_session(path, threads)
        self.threads = threads
        self.engine, self.engine_reason = ONNX_RUNTIME, "it was opened for it alone"
        self.metadata: dict[str, str] = metadata_of(session, path)
        self.producer: str = session.get_modelmeta().producer_name
        inputs, outputs = session.get_inputs(), session.get_outputs()
        self.beside = _beside(inputs, path)
        inputs = [value for value in inputs if value.type not in BESIDE] or inputs
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(outputs) != 1 or len(shape) != 2 or not isinstance(shape[1], int) or isinstance(shape[0], int):
            raise Refused(
                f"{path.name} takes {[(i.name, i.shape) for i in inputs]} and gives {[o.name for o in outputs]}",
                where=str(path),
                remedy="export it with one input [n, k], n free, and one output",
            )
        if (inputs[0].type, outputs[0].type) != (FLOAT, FLOAT):
            raise Refused(
                f"{path.name} maps {inputs[0].type} to {outputs[0].type}",
                where=str(path),
                remedy="export it in float32",
            )
        if not 0 < shape[1] <= WIDEST:
            what = f"{path.name} takes {shape[1]} columns, not 1 to {WIDEST}"
            raise Refused(what, where=str(path), remedy="export it again")
        given = outputs[0].shape
        if len(given) not in (1, 2) or (len(given) == 2 and not isinstance(given[1], int)):
            what = f"{path.name} gives {given}, not as many values for each row"
            raise Refused(what, where=str(path), remedy="export it with one output [n, m], m said")
        self.width: int = shape[1]
        self.outputs: int = given[1] if len(given) == 2 else 1
        self.input_tensor: str = inputs[0].name
        self.output_tensor: str = outputs[0].name
        self._runner: Runner
        if self.placement.provider == CUDA:
            self._runner, self.block_rows = Blocks(session, given[1:], device="cuda"), BLOCK_ROWS
        else:
            apart = {node for nodes in self.placement.nodes.values() for node in nodes} <= ROW_BY_ROW
            self.block_rows = 1 if apart else GROUP_ROWS
            self._runner = Direct(session, self.block_rows)
        start = time.perf_counter()
        try:
            for rows in WARM_UP_ROWS * 2 * (TEXT not in self.beside):  # no text is one that every model knows
                self.run(np.zeros((rows, self.width), np.float32), self._zeros())
        except RuntimeError as error:
            what = f"{path.name} fails on zeros: {str(error).splitlines()[0]}"
            raise Refused(what, where=str(path), remedy="export it again") from error
        self.warm_up_s = time.perf_counter() - start

    def run(self, matrix: Floats, tables: Tables = NO_TABLES) -> Floats:
        """What the model gives for n rows.

        matrix: float32[n, k], C-contiguous; NaN is the model's own missing value. Returns float32[n, m].
        tables: of each column that the model does not take as float32 the texts, float64 or int64 whose positions the
        matrix has there, see core.beside.
        Raises ValueError for another shape or dtype, RuntimeError when ONNX Runtime fails on these rows.
        """
        if (tables or self.beside) and (given := _counted(tables)) != self.beside:
            raise ValueError(f"the model takes {self.beside or 'nothing'} beside the matrix, and {given} are given")
        if matrix.ndim != 2 or matrix.shape[1] != self.width or matrix.dtype != np.float32:
            raise ValueError(f"matrix is {matrix.dtype}{list(matrix.shape)}, the model takes float32[n, {self.width}]")
        if not len(matrix):
            return np.empty((0, self.outputs), np.float32)
        return self._runner.run(np.ascontiguousarray(matrix), tables)

    @property
    def runs_on(self) -> str:
        """The engine, and where it works, in a line."""
        if self.engine != ONNX_RUNTIME:
            return f"the kernel for trees (engine {self.engine}): it agrees with ONNX Runtime"
        why_not = f"; not on the kernel for trees: {self.engine_reason}" if self.engine_reason else ""
        return f"ONNX Runtime: {self.placement}{why_not}"

    def by_trees(self, trees: Runner) -> Model:
        """The same model scored by the kernel for trees; its session is let go of with this one."""
        made = copy.copy(self)
        made.engine, made.engine_reason = TREES, ""
        made._runner, made.block_rows = trees, 1
        return made

    def with_state(self, state: Mapping[str, npt.NDArray[Any]]) -> Model:
        """The same model and session with other values of the inputs that have one of their own in the graph.

        state: by name. For the CPU, see onnx_session. A few microseconds: nothing is opened.
        """
        assert isinstance(self._runner, Direct)
        made = copy.copy(self)
        made._runner = self._runner.with_state(state)
        return made

    def because(self, reason: str) -> Model:
        """The same model, still scored by ONNX Runtime, and why it is."""
        made = copy.copy(self)
        made.engine_reason = reason
        return made

    @property
    def takes(self) -> str:
        """Its inputs, in words."""
        others = [f"{kind.removeprefix('tensor(').removesuffix(')')}[n, {n}]" for kind, n in self.beside.items()]
        return ", ".join([f"float32[n, {self.width}]", *others])

    def _zeros(self) -> Tables:
        """A table for each number that stands beside the matrix."""
        kinds = [np.float64] * self.beside.get(DOUBLE, 0) + [np.int64] * self.beside.get(LONG, 0)
        return {column: np.zeros(1, kind) for column, kind in enumerate(kinds)}


class Direct:
    """Runs a batch as it is, or with rows of zeros up to a whole group: the way of the CPU.

    A plain run reads numpy memory in place as well as a binding does, and is 5 us cheaper a call, which is what counts
    on small batches; from 1,024 rows on they are alike (120 trees of 31 leaves: 4.3 us a row).
    """

    def __init__(self, session: ort.InferenceSession, group: int = 1) -> None:
        """group: rows, of which whole multiples are run."""
        self._session, self._group = session, group
        self._state: Mapping[str, npt.NDArray[Any]] = {}
        self._beside = {value.type: value.name for value in session.get_inputs() if value.type in BESIDE}
        self._input: str = next(value.name for value in session.get_inputs() if value.type not in BESIDE)
        self._outputs: list[str] = [session.get_outputs()[0].name]

    def with_state(self, state: Mapping[str, npt.NDArray[Any]]) -> Direct:
        """The same session, which is given these values beside the rows."""
        made = copy.copy(self)
        made._state = state
        return made

    def run(self, matrix: Floats, tables: Tables = NO_TABLES) -> Floats:
        """One call; no copy of the input where it is whole groups. Raises RuntimeError when ONNX Runtime fails."""
        n = len(matrix)
        if short := -n % self._group:
            matrix = np.concatenate([matrix, np.zeros((short, matrix.shape[1]), np.float32)])
        asked: dict[str, npt.NDArray[Any]] = {self._input: matrix, **self._state}
        if tables:
            asked |= {self._beside[kind]: values for kind, values in _looked_up(matrix, tables).items()}
        try:
            given: Floats = self._session.run(self._outputs, asked)[0]
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise RuntimeError(f"ONNX Runtime failed: {error}") from error
        if len(given) != len(matrix):
            raise RuntimeError(f"the model gives {len(given)} rows for {len(matrix)}")
        return given[:n] if given.ndim == 2 else given[:n].reshape(-1, 1)


class Blocks:
    """Runs a batch in blocks of one size, the last one padded, in buffers that stay bound: the way of CUDA.

    Rows are independent, so what stands in the padding does not matter; it is zeros at first and old rows later.
    outputs: the shape of what a row gives: [] or [m]. device: "cuda", or "cpu" to run the same path without one.
    """

    def __init__(
        self, session: ort.InferenceSession, outputs: Sequence[int], device: str, rows: int = BLOCK_ROWS
    ) -> None:
        self._session, self._rows = session, rows
        self._columns = outputs[0] if outputs else 1
        self._taken = ort.OrtValue.ortvalue_from_shape_and_type([rows, *outputs], np.float32, device, 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_output(session.get_outputs()[0].name, self._taken)
        self._staged: dict[str, tuple[npt.NDArray[Any], ort.OrtValue]] = {}
        for value in session.get_inputs():
            staging = np.zeros((rows, value.shape[1]), KINDS.get(value.type, np.dtype(np.float32)))
            there = ort.OrtValue.ortvalue_from_numpy(staging, device, 0)
            self._binding.bind_ortvalue_input(value.name, there)
            self._staged[value.type] = staging, there

    def run(self, matrix: Floats, tables: Tables = NO_TABLES) -> Floats:
        """One copy in and one copy out per block. Raises RuntimeError when ONNX Runtime fails."""
        given = np.empty((len(matrix), self._columns), np.float32)
        for start in range(0, len(matrix), self._rows):
            part = matrix[start : start + self._rows]
            given[start : start + self._rows] = self._block({FLOAT: part, **_looked_up(part, tables)})[: len(part)]
        return given

    def _block(self, parts: Mapping[str, npt.NDArray[Any]]) -> Floats:
        for kind, part in parts.items():
            staging, there = self._staged[kind]
            staging[: len(part)] = part
            there.update_inplace(staging)
        try:
            self._session.run_with_iobinding(self._binding)
            self._binding.synchronize_outputs()
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise RuntimeError(f"ONNX Runtime failed: {error}") from error
        given: Floats = self._taken.numpy()
        return given.reshape(-1, self._columns)


def _kind(table: Table) -> str:
    """The type of the tensor that takes a table's values."""
    return next((kind for kind, dtype in KINDS.items() if isinstance(table, np.ndarray) and table.dtype == dtype), TEXT)


def _counted(tables: Tables) -> dict[str, int]:
    """Type of tensor -> tables for it."""
    return dict(Counter(map(_kind, tables.values())))


def _looked_up(matrix: Floats, tables: Tables) -> dict[str, npt.NDArray[Any]]:
    """Type of tensor -> what it is given for the rows of a matrix, [n, tables of that type]."""
    found: dict[str, list[npt.NDArray[Any]]] = {}
    for column, table in tables.items():
        found.setdefault(_kind(table), []).append(values_at(matrix[:, column], table))
    return {kind: np.stack(columns, axis=1) for kind, columns in found.items()}


def _beside(inputs: Sequence[ort.NodeArg], path: Path) -> dict[str, int]:
    """Type of the tensors beside the matrix -> columns. Raises Refused when two are of a type, or one of any width."""
    found = [value for value in inputs if value.type in BESIDE]
    shapes = [value.shape for value in found]
    fit = all(len(shape) == 2 and isinstance(shape[1], int) and not isinstance(shape[0], int) for shape in shapes)
    if len(found) < len(inputs) and (not fit or len({value.type for value in found}) < len(found)):
        what = f"{path.name} takes beside its matrix {[(value.name, value.type, value.shape) for value in found]}"
        remedy = "build the bundle with `weir bundle build`, which makes one [n, c] of all inputs of a type"
        raise Refused(what, where=str(path), remedy=remedy)
    return {value.type: int(value.shape[1]) for value in found} if len(found) < len(inputs) else {}
