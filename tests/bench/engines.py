"""Both engines alone, one thread: the kernel for trees and ONNX Runtime, in turns on the same rows.

Run as a program: `python -m tests.bench.engines [--json PATH] [--quick]`. Counted is the thread's CPU time, so that
what else runs on the machine counts little; every call has rows that the processor has not just seen.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as ort
from weir.trees.engine import Trees
from weir.trees.opening import opened
from weir.trees.target import AVX2, AVX512, HOST, runs_here

from tests.bench.workload import PARAMETERS, Floats, rows, trained_on

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096, 32_768)
QUICK = (1, 8, 64, 1024, 32_768)
TURNS = 5
TRAINING_ROWS = 20_000
ROWS = 32_768  # more than a cache holds
SMALL_ROWS = 2048  # of a turn for batches below 16, where a call's fixed cost is what counts


@dataclass(frozen=True, slots=True)
class Shape:
    """A model of LightGBM: how many trees, leaves of each, and columns."""

    trees: int
    leaves: int
    features: int


SHAPES = (Shape(100, 31, 30), Shape(100, 63, 30), Shape(500, 63, 100), Shape(100, 255, 30))


def trained(shape: Shape) -> bytes:
    """Trees on products, waves and noise, as an ONNX file."""
    import lightgbm as lgb
    from weir.edges.bundles.lightgbm_onnx import convert

    x = rows(TRAINING_ROWS, shape.features, 7)
    raw = x[:, 0] + x[:, 1] * x[:, 2] + np.sin(3 * x[:, 3]) + np.random.default_rng(8).standard_normal(len(x))
    parameters = PARAMETERS | {"num_leaves": shape.leaves, "learning_rate": 0.05}
    booster = lgb.train(parameters, lgb.Dataset(x, raw > 0), shape.trees)
    return bytes(convert(booster).SerializeToString())


def measure(content: bytes, features: int, batches: Sequence[int]) -> dict[str, Any]:
    """Microseconds a row by batch size, of each engine, and how many times as fast the kernel is; medians of turns."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name, matrix = session.get_inputs()[0].name, rows(ROWS, features)
    engines: dict[str, Callable[[Floats], Any]] = {"onnxruntime": lambda part: session.run(None, {name: part})}
    engines |= {called: kernel(content, features, target).run for called, target in targets().items()}
    found: dict[int, dict[str, list[float]]] = {batch: {called: [] for called in engines} for batch in batches}
    for turn in range(TURNS):
        for batch in batches:
            for called, run in engines.items():
                found[batch][called].append(_us_a_row(run, matrix, batch, turn))
    us = {batch: {called: median(times) for called, times in one.items()} for batch, one in found.items()}
    times = {batch: median(np.divide(one["onnxruntime"], one["kernel"]).tolist()) for batch, one in found.items()}
    return {"us": us, "times": times}


def targets() -> dict[str, str]:
    """What the kernel is compiled for here, by name."""
    levels = {"kernel, AVX2": AVX2, "kernel, AVX-512": AVX512}
    return {"kernel": HOST} | {called: level for called, level in levels.items() if runs_here(level)}


def kernel(content: bytes, features: int, target: str = HOST) -> Trees:
    """The kernel. Raises TypeError for what it does not take."""
    found = opened(content, features, target)
    if not isinstance(found, Trees):
        raise TypeError(found.reason)
    return found


def _us_a_row(run: Callable[[Floats], Any], matrix: Floats, batch: int, turn: int) -> float:
    count = ROWS if batch >= 16 else SMALL_ROWS
    first = turn * count % ROWS
    parts = [matrix[at : at + batch] for at in range(first, first + count, batch)]
    for part in parts[:3]:
        run(part)
    began = time.thread_time()
    for part in parts:
        run(part)
    return (time.thread_time() - began) / count * 1e6


def main() -> None:
    """Print a table for each model, and write all of it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    models = {f"{one.trees} x {one.leaves}": (trained(one), one.features) for one in SHAPES}
    models["the bench's own"] = (bytes(trained_on(30)[0].SerializeToString()), 30)
    found = {}
    for called, (content, features) in models.items():
        found[called] = measure(content, features, QUICK if asked.quick else BATCHES)
        print(f"{called}, {features} columns: us a row")
        for batch, us in found[called]["us"].items():
            costs = "  ".join(f"{name} {cost:7.3f}" for name, cost in us.items())
            print(f"  {batch:>6,}  {costs}  times {found[called]['times'][batch]:5.1f}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
