"""A model in ONNX Runtime: CUDA where it helps, the CPU otherwise, the same call.

On CUDA a batch runs in blocks of one size, padded, in device buffers that stay bound; on the CPU it has any size and is
read where it lies, or copied into whole groups of rows. Either makes a row's score a function of the row alone, to the
last bit, so that a record which is scored again after a crash, in another batch, says the same.

ONNX Runtime has no CUDA kernels for tree ensembles (its table of operator kernels has none for domain ai.onnx.ml): a
graph whose work stays on the CPU is run there altogether, rather than paying copies for its last Sigmoid.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from weir.core.errors import Refused
from weir.edges.bundles import locales

Floats = npt.NDArray[np.float32]
Texts = Mapping[int, Sequence[str]]

NO_TEXTS: Texts = MappingProxyType({})
TEXT = "tensor(string)"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    # TensorFloat-32 has a mantissa of 10 bits: with it, scores of small networks differ from the CPU's by 2e-4 (H100),
    # without it by 3e-7, and golden rows are held to 1e-6.
    "use_tf32": "0",
    "cudnn_conv_algo_search": "HEURISTIC",  # the default search costs hundreds of milliseconds for each convolution
    "arena_extend_strategy": "kSameAsRequested",  # one bound shape, known: no need to double the arena
}
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


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the work is done.

    provider: the provider that the session was kept on. reason: why that one, for the log.
    nodes: execution provider -> operator types that it was given, in graph order.
    """

    provider: str
    reason: str
    nodes: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        """One line.

        >>> str(Placement(CPU, "no CUDA device", {CPU: ("TreeEnsembleRegressor", "Sigmoid")}))
        'CPUExecutionProvider (no CUDA device): 2 nodes on CPUExecutionProvider'
        """
        parts = ", ".join(f"{len(nodes)} nodes on {provider}" for provider, nodes in self.nodes.items())
        return f"{self.provider} ({self.reason}): {parts}"


class Runner(Protocol):
    """How batches reach a session."""

    def run(self, matrix: Floats) -> Floats:
        """matrix: C-contiguous float32[n, k], n >= 1 -> float32[n, m]."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A model, and the texts that its rows name by their positions, see Model.run."""

    model: Model
    texts: Texts

    def run(self, matrix: Floats) -> Floats:
        """What the model gives, as Model.run."""
        return self.model.run(matrix, self.texts)


class Model:
    """A session over a bundle's model.onnx, warmed up.

    One intra-op thread by default: two gain nothing on trees of this size, and workers scale as processes.
    The model has one input float32[n, k] and one output float32[n, m], or float32[n], which is taken for float32[n, 1].
    It may have an input string[n, t] beside it.

    width: k. outputs: m. strings: t, 0 without. input_tensor, output_tensor: their names. metadata: the file's own.
    producer: the program that exported it. warm_up_s: seconds spent on the first runs. threads: within an operator.
    optimization: level of the graph's. block_rows: whole multiples of which ONNX Runtime is given, padded; 1: any.
    """

    optimization = "all"

    def __init__(self, bundle: Path, threads: int = 1) -> None:
        """bundle: a bundle's folder, or an ONNX file. Raises Refused when it is not an ONNX model of that shape."""
        path = bundle / "model.onnx" if bundle.is_dir() else bundle
        session, self.placement = _session(path, threads)
        self.threads = threads
        self.metadata: dict[str, str] = _metadata(session, path)
        self.producer: str = session.get_modelmeta().producer_name
        inputs, outputs = session.get_inputs(), session.get_outputs()
        texts = [value for value in inputs if value.type == TEXT]
        inputs = [value for value in inputs if value not in texts]
        self.strings = _strings(texts, path)
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(outputs) != 1 or len(shape) != 2 or not isinstance(shape[1], int) or isinstance(shape[0], int):
            raise Refused(
                f"{path.name} takes {[(i.name, i.shape) for i in inputs]} and gives {[o.name for o in outputs]}",
                where=str(path),
                remedy="export it with one input [n, k], n free, and one output",
            )
        if (inputs[0].type, outputs[0].type) != ("tensor(float)", "tensor(float)"):
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
            self._runner, self.block_rows = Blocks(session, self.width, given[1:], device="cuda"), BLOCK_ROWS
        else:
            apart = {node for nodes in self.placement.nodes.values() for node in nodes} <= ROW_BY_ROW
            self.block_rows = 1 if apart else GROUP_ROWS
            self._direct = Direct(session, self.block_rows)
            self._runner = self._direct
        start = time.perf_counter()
        try:
            for rows in WARM_UP_ROWS * 2 * (not self.strings):  # no text is one that every model knows
                self.run(np.zeros((rows, self.width), np.float32))
        except RuntimeError as error:
            what = f"{path.name} fails on zeros: {str(error).splitlines()[0]}"
            raise Refused(what, where=str(path), remedy="export it again") from error
        self.warm_up_s = time.perf_counter() - start

    def run(self, matrix: Floats, texts: Texts = NO_TEXTS) -> Floats:
        """What the model gives for n rows.

        matrix: float32[n, k], C-contiguous; NaN is the model's own missing value. Returns float32[n, m].
        texts: for each of the model's strings, in their order, its column of the matrix, which has positions, and the
        texts at these; for NaN, and a position past the end, the model gets an empty text.
        Raises ValueError for another shape or dtype, RuntimeError when ONNX Runtime fails on these rows.
        """
        if len(texts) != self.strings:
            raise ValueError(f"the model takes {self.strings} texts a row, and {len(texts)} are given")
        if matrix.ndim != 2 or matrix.shape[1] != self.width or matrix.dtype != np.float32:
            raise ValueError(f"matrix is {matrix.dtype}{list(matrix.shape)}, the model takes float32[n, {self.width}]")
        if not len(matrix):
            return np.empty((0, self.outputs), np.float32)
        if texts:
            return self._direct.run(np.ascontiguousarray(matrix), texts)
        return self._runner.run(np.ascontiguousarray(matrix))


class Direct:
    """Runs a batch as it is, or with rows of zeros up to a whole group: the way of the CPU.

    A plain run reads numpy memory in place as well as a binding does, and is 5 us cheaper a call, which is what counts
    on small batches; from 1,024 rows on they are alike (120 trees of 31 leaves: 4.3 us a row).
    """

    def __init__(self, session: ort.InferenceSession, group: int = 1) -> None:
        """group: rows, of which whole multiples are run."""
        self._session, self._group = session, group
        named = {value.type == TEXT: value.name for value in session.get_inputs()}
        self._input: str = named[False]
        self._texts: str = named.get(True, "")
        self._outputs: list[str] = [session.get_outputs()[0].name]

    def run(self, matrix: Floats, texts: Texts = NO_TEXTS) -> Floats:
        """One call; no copy of the input where it is whole groups. Raises RuntimeError when ONNX Runtime fails."""
        n = len(matrix)
        if short := -n % self._group:
            matrix = np.concatenate([matrix, np.zeros((short, matrix.shape[1]), np.float32)])
        asked: dict[str, npt.NDArray[Any]] = {self._input: matrix}
        if texts:
            columns = [_text_at(matrix[:, column], words) for column, words in texts.items()]
            asked[self._texts] = np.stack(columns, axis=1)
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
        self, session: ort.InferenceSession, width: int, outputs: Sequence[int], device: str, rows: int = BLOCK_ROWS
    ) -> None:
        self._session = session
        self._columns = outputs[0] if outputs else 1
        self._staging = np.zeros((rows, width), np.float32)
        self._given = ort.OrtValue.ortvalue_from_numpy(self._staging, device, 0)
        self._taken = ort.OrtValue.ortvalue_from_shape_and_type([rows, *outputs], np.float32, device, 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(session.get_inputs()[0].name, self._given)
        self._binding.bind_ortvalue_output(session.get_outputs()[0].name, self._taken)

    def run(self, matrix: Floats) -> Floats:
        """One copy in and one copy out per block. Raises RuntimeError when ONNX Runtime fails."""
        rows = len(self._staging)
        given = np.empty((len(matrix), self._columns), np.float32)
        for start in range(0, len(matrix), rows):
            part = matrix[start : start + rows]
            given[start : start + rows] = self._block(part)[: len(part)]
        return given

    def _block(self, part: Floats) -> Floats:
        self._staging[: len(part)] = part
        self._given.update_inplace(self._staging)
        try:
            self._session.run_with_iobinding(self._binding)
            self._binding.synchronize_outputs()
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise RuntimeError(f"ONNX Runtime failed: {error}") from error
        given: Floats = self._taken.numpy()
        return given.reshape(-1, self._columns)


def _text_at(positions: Floats, words: Sequence[str]) -> npt.NDArray[np.object_]:
    """object[n], the texts at n positions; an empty one where there is none."""
    table = np.array([*words, ""], object)
    there = positions < len(words)  # NaN is not
    return table[np.where(there, positions, len(words)).astype(np.int64)]


def _strings(texts: Sequence[ort.NodeArg], path: Path) -> int:
    """Columns of the input of texts, 0 where there is none. Raises Refused when there are several, or of any width."""
    if not texts:
        return 0
    shape = texts[0].shape
    if len(texts) > 1 or len(shape) != 2 or not isinstance(shape[1], int) or isinstance(shape[0], int):
        what = f"{path.name} takes texts as {[(value.name, value.shape) for value in texts]}"
        raise Refused(
            what, where=str(path), remedy="build the bundle with `weir bundle build`, which makes them one [n, t]"
        )
    return int(shape[1])


def _session(path: Path, threads: int) -> tuple[ort.InferenceSession, Placement]:
    """The session on CUDA if it does the work there, else on the CPU. Raises Refused when the file is not ONNX."""
    devices = cuda_devices() if CUDA in ort.get_available_providers() else 0
    if devices:
        ort.preload_dlls()
        session = _open(path, threads, [(CUDA, CUDA_OPTIONS), CPU])
        nodes = _nodes(session)
        if CUDA not in nodes:
            reason = "CUDA is there but took no node: its libraries did not load or it has no kernels for them"
        elif slow := sorted({node for node in nodes.get(CPU, ()) if node.startswith("TreeEnsemble")}):
            reason = f"CUDA has no kernel for {', '.join(slow)}"
        elif any(value.type == TEXT for value in session.get_inputs()):
            reason = "texts are read on the CPU"
        else:
            return session, Placement(CUDA, f"{devices} CUDA device(s)", nodes)
    else:
        reason = "no CUDA device"
    session = _open(path, threads, [CPU])
    return session, Placement(CPU, reason, _nodes(session))


def _open(path: Path, threads: int, providers: list[str | tuple[str, dict[str, str]]]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL  # said as Model.optimization
    # Fatal only: a warning per fallback node belongs to Placement, and an error is raised, not told on stderr as well.
    options.log_severity_level = 4
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must not burn a core
    try:
        return ort.InferenceSession(path.read_bytes(), options, providers=providers)
    except FileNotFoundError as error:
        raise Refused("there is no model", where=str(path), remedy="name a folder that holds model.onnx") from error
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        if lacking := locales.absent(error):
            raise Refused(lacking[0], where=str(path), remedy=lacking[1]) from error
        first_line = str(error).splitlines()[0]
        raise Refused(
            f"{path.name} is not an ONNX model that can be run: {first_line}",
            where=str(path),
            remedy="export the model to ONNX and build the bundle again",
        ) from error


def quick_session(content: bytes) -> ort.InferenceSession:
    """A session for a few rows of a model that is being made a bundle: on the CPU, one thread, silent.

    Raises whatever ONNX Runtime does for what it cannot run.
    """
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return ort.InferenceSession(content, options, providers=[CPU])


def _metadata(session: ort.InferenceSession, path: Path) -> dict[str, str]:
    """The file's own metadata. Raises Refused when a text in the file is not UTF-8, which shows when asked for."""
    try:
        for tensor in (*session.get_inputs(), *session.get_outputs()):
            _ = tensor.name, tensor.shape, tensor.type
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as error:
        what = f"{path.name} has a name or a note that is not UTF-8"
        raise Refused(what, where=str(path), remedy="export it again") from error


def _nodes(session: ort.InferenceSession) -> dict[str, tuple[str, ...]]:
    placed: dict[str, tuple[str, ...]] = {}
    for part in session.get_provider_graph_assignment_info():
        placed[part.ep_name] = placed.get(part.ep_name, ()) + tuple(node.op_type for node in part.get_nodes())
    return placed


def cuda_devices() -> int:
    """Number of CUDA devices that the driver shows, 0 without a driver.

    Asked of the driver, since ONNX Runtime prints an error for each session when it is given CUDA without a device.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
