"""Which engine scores a bundle: the kernel for trees where it agrees with ONNX Runtime, else ONNX Runtime.

The two may differ in last bits, as two releases of ONNX Runtime may. They agree where on golden rows, and on rows made
to find a node that sends one the other way, at random and led to one node after the other, no score differs by more
than the bundle's tolerance and no decision does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from weir.core.beside import NO_TABLES, Tables
from weir.core.bundle import Bundle
from weir.core.decide import decide
from weir.edges.bundles import checks
from weir.edges.bundles.onnx_model import Floats, Model
from weir.edges.bundles.onnx_session import CPU
from weir.trees import fuzz, led, opening
from weir.trees.opening import NotTaken

if TYPE_CHECKING:
    from weir.trees.engine import Trees

Wanted = Literal["auto", "onnxruntime"]

FUZZED_ROWS: Final = 20_000
LED_NODES: Final = 20_000  # to each of so many nodes up to three rows are led
AT_ONCE: Final = 1 << 20  # values of made rows at a time: 4 MiB, and ten times as much to make them
SEED: Final = 12
FILE_MAX: Final = 64 << 20  # bytes; trees of as many nodes as the kernel takes have half of it


def chosen(path: Path, bundle: Bundle, model: Model, golden: checks.Golden, wanted: Wanted = "auto") -> Model:
    """The bundle's model on the engine that scores it; the reason for ONNX Runtime is in its `engine_reason`.

    wanted: auto, or onnxruntime for this one alone. golden: the bundle's rows, as ONNX Runtime scored them.
    """
    found = _kernel(path, model, wanted)
    if not isinstance(found, NotTaken):
        found = _agreeing(found, bundle, model, golden)
    if isinstance(found, NotTaken):
        return model.because(found.reason)
    return model.by_trees(_ByTrees(found))


class _ByTrees:
    """Trees as what a model is run by: nothing stands beside the matrix of those that are taken."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def run(self, matrix: Floats, tables: Tables = NO_TABLES) -> Floats:
        """What the model gives, as Trees.run."""
        return self._trees.run(matrix)


def _kernel(path: Path, model: Model, wanted: Wanted) -> Trees | NotTaken:
    if wanted == "onnxruntime":
        return NotTaken("WEIR_ENGINE is onnxruntime")
    if model.placement.provider != CPU:
        return NotTaken(f"it runs on {model.placement.provider}")
    if model.beside:
        return NotTaken(f"it takes {model.takes}")
    if not any(node.startswith("TreeEnsemble") for node in model.placement.nodes.get(CPU, ())):
        return NotTaken("it is no tree ensemble")  # and may be of any size: its file is not read once more
    size = (path / "model.onnx").stat().st_size
    if size > FILE_MAX:
        return NotTaken(f"its file has {size >> 20:,} MiB")
    return opening.opened((path / "model.onnx").read_bytes(), model.width)


def _agreeing(trees: Trees, bundle: Bundle, model: Model, golden: checks.Golden) -> Trees | NotTaken:
    """The kernel, unless it disagrees with ONNX Runtime anywhere."""
    if trees.outputs != model.outputs:
        return NotTaken(f"the kernel gives {trees.outputs} values a row, ONNX Runtime {model.outputs}")
    known = np.ascontiguousarray(golden.inputs)
    if why := _differing(bundle, trees.run(known), golden.outputs):
        return NotTaken(f"the kernel disagrees with ONNX Runtime on golden rows: {why}")
    for rows, where in _tries(trees, known):
        try:
            theirs = model.run(rows)
        except RuntimeError as error:
            return NotTaken(f"ONNX Runtime fails on rows {where}: {error}")
        if why := _differing(bundle, trees.run(rows), theirs):
            return NotTaken(f"the kernel disagrees with ONNX Runtime on rows {where}: {why}")
    return trees


def _tries(trees: Trees, golden: Floats) -> Iterator[tuple[Floats, str]]:
    """Rows to be scored by both engines, some at a time, and what they are."""
    rng, at_once = np.random.default_rng(SEED), max(1, AT_ONCE // trees.width)
    asked = fuzz.Asked(trees.plan)
    for begin in range(0, FUZZED_ROWS, at_once):
        yield asked.rows(golden, min(at_once, FUZZED_ROWS - begin), rng), "beside its thresholds"
    paths = led.Paths(trees.plan)
    nodes = rng.permutation(paths.nodes)[:LED_NODES].astype(np.int32)
    at_once = max(1, at_once // 3)
    for begin in range(0, len(nodes), at_once):
        yield paths.rows(golden, nodes[begin : begin + at_once], rng), "led to its nodes"


def _differing(bundle: Bundle, ours: Floats, theirs: Floats) -> str:
    """How two engines' outputs of n rows differ, in words; empty where they agree."""
    with np.errstate(invalid="ignore"):
        close = np.abs(ours.astype(np.float64) - theirs) <= checks.allowed(bundle, theirs)
    close &= np.isfinite(theirs)  # to infinity every number is as near as is allowed
    close |= (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    if not close.all():
        row, column = np.argwhere(~close)[0]
        count = int((~close).any(axis=1).sum())
        return f"{count:,} of {len(theirs):,}, such as {ours[row, column]:.9g} for {theirs[row, column]:.9g}"
    flips = np.flatnonzero(decide(bundle.signature, ours).index != decide(bundle.signature, theirs).index)
    return f"{len(flips):,} of {len(theirs):,} are decided otherwise" if len(flips) else ""
