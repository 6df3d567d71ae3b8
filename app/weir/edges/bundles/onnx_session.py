"""Sessions of ONNX Runtime: on CUDA where it does the work, else on the CPU.

ONNX Runtime has no CUDA kernels for tree ensembles (its table of operator kernels has none for domain ai.onnx.ml): a
graph whose work stays on the CPU is run there altogether, rather than paying copies for its last Sigmoid.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from weir.core.bundle import STATE_PREFIX
from weir.core.errors import Refused
from weir.edges.bundles import locales
from weir.trees import descent

TEXT, FLOAT = "tensor(string)", "tensor(float)"  # types of tensors, as a session names them
DOUBLE, LONG = "tensor(double)", "tensor(int64)"
KINDS = {DOUBLE: np.dtype(np.float64), LONG: np.dtype(np.int64)}  # of numbers, float32 aside
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    # TensorFloat-32 has a mantissa of 10 bits: with it, scores of small networks differ from the CPU's by 2e-4 (H100),
    # without it by 3e-7, and golden rows are held to 1e-6.
    "use_tf32": "0",
    "cudnn_conv_algo_search": "HEURISTIC",  # the default search costs hundreds of milliseconds for each convolution
    "arena_extend_strategy": "kSameAsRequested",  # one bound shape, known: no need to double the arena
}


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


def open_session(path: Path, threads: int) -> tuple[ort.InferenceSession, Placement]:
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
        elif any(value.name.startswith(STATE_PREFIX) for value in session.get_overridable_initializers()):
            reason = "a learner's state is swapped on the CPU"
        else:
            return session, Placement(CUDA, f"{devices} CUDA device(s)", nodes)
    else:
        reason = "no CUDA device"
    session = _open(path, threads, [CPU])
    return session, Placement(CPU, reason, _nodes(session))


def quick_session(content: bytes) -> ort.InferenceSession:
    """A session for a few rows of a model that is being made a bundle: on the CPU, one thread, silent.

    Raises Refused for trees that would end the process, and whatever ONNX Runtime does for what it cannot run.
    """
    check_trees(content)
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return ort.InferenceSession(content, options, providers=[CPU])


def check_trees(content: bytes, where: str = "") -> None:
    """Raises Refused for a model whose trees ONNX Runtime would fall over, with the process."""
    if said := descent.fault(content):
        remedy = "train it with less depth, or with fewer categories in a column; trees may not run in circles"
        raise Refused(f"the model cannot be run: {said}", where=where, remedy=remedy)


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
        content = path.read_bytes()
        check_trees(content, str(path))
        return ort.InferenceSession(content, options, providers=providers)
    except FileNotFoundError as error:
        raise Refused("there is no model", where=str(path), remedy="name a folder that holds model.onnx") from error
    except Refused:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        if lacking := locales.absent(error):
            raise Refused(lacking[0], where=str(path), remedy=lacking[1]) from error
        first_line = str(error).splitlines()[0]
        raise Refused(
            f"{path.name} is not an ONNX model that can be run: {first_line}",
            where=str(path),
            remedy="export the model to ONNX and build the bundle again",
        ) from error


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


def metadata_of(session: ort.InferenceSession, path: Path) -> dict[str, str]:
    """The file's own metadata. Raises Refused when a text in the file is not UTF-8, which shows when asked for."""
    try:
        for tensor in (*session.get_inputs(), *session.get_outputs()):
            _ = tensor.name, tensor.shape, tensor.type
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as error:
        what = f"{path.name} has a name or a note that is not UTF-8"
        raise Refused(what, where=str(path), remedy="export it again") from error
