"""A network on a GPU against the same on one CPU thread, by batch: `python -m tests.bench.cuda`. Needs a GPU.

The bench proper scores trees, for which CUDA has no kernels; this says from which network and batch a GPU is worth it.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from weir.edges.bundles.onnx_model import Model
from weir.edges.bundles.onnx_session import CUDA

from tests.bench.limit import BATCHES
from tests.bundles import network

FEATURES = 30
NETWORKS = ((64,), (256, 256), (1024, 1024), (2048, 2048, 2048))  # hidden layers
SECONDS = 0.5  # a cell of the table

Run = Callable[[npt.NDArray[np.float32]], object]


def rate(run: Run, batch: npt.NDArray[np.float32]) -> float:
    """Rows per second of calls one after the other."""
    run(batch)
    rows, began = 0, time.perf_counter()
    while (spent_s := time.perf_counter() - began) < SECONDS:
        run(batch)
        rows += len(batch)
    return rows / spent_s


def on_cpu(path: Path) -> Run:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"x": batch})


def main() -> None:
    """Prints a row for each network and batch. Raises SystemExit without a GPU."""
    matrix = np.random.default_rng(1).normal(0, 1, (max(BATCHES), FEATURES)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for hidden in NETWORKS:
            path.write_bytes(network(FEATURES, *hidden).SerializeToString())
            model, alone = Model(path), on_cpu(path)
            if model.placement.provider != CUDA:
                raise SystemExit(f"no network runs on a GPU here: {model.placement}")
            for batch in BATCHES:
                there, here = rate(model.run, matrix[:batch]), rate(alone, matrix[:batch])
                print(f"{hidden!s:20} {batch:5} rows: {there:12,.0f} /s on the GPU, {here:12,.0f} /s on one CPU thread")


if __name__ == "__main__":
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    print("ONNX Runtime", ort.__version__, subprocess.run(query, capture_output=True, text=True, check=True).stdout)
    main()
