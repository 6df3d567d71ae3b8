"""A model of trees, ready to score."""

from __future__ import annotations

import threading
from ctypes import byref, c_char
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.trees.ensemble import Floats
from weir.trees.graph import Plan
from weir.trees.kernel_code import Field, scratch_floats, shape_of
from weir.trees.program import Program, compiled
from weir.trees.target import HOST, kernel_of
from weir.trees.walk_code import SLOTS

ALIGNMENT: Final = 64  # bytes: a register of AVX-512, and a line of the cache


class Trees:
    """Scores rows by the kernel, several threads at a time if need be.

    plan: what is computed. program: what the kernel reads. width: columns of a row. outputs: values that a row gives.
    """

    def __init__(self, plan: Plan, width: int, processor: str = HOST) -> None:
        """width: columns of a row. processor: see target. Raises Unsupported."""
        self.plan, self.program = plan, compiled(plan.ensemble)
        self.width = width
        shape = shape_of(self.program, plan.steps)
        self.outputs = shape.outputs
        self._kernel = kernel_of(shape, processor)
        self._call = self._kernel.call
        used = self.program.columns
        columns = used if plan.columns is None else plan.columns[used]
        self._arrays, self._model = _laid_out(self.program, columns, width)
        self._model_at = self._model.ctypes.data
        self._floats = scratch_floats(shape, len(used))
        self._local = threading.local()

    def run(self, matrix: Floats) -> Floats:
        """What the model gives, float32[n, outputs], for C-contiguous float32[n, width]."""
        n = len(matrix)
        given = np.empty((n, self.outputs), np.float32)
        if not n:
            return given
        try:
            scratch = self._local.at
        except AttributeError:
            scratch = self._new_scratch()
        self._call(_address(matrix), n, _address(given), self._model_at, scratch)
        return given

    def _new_scratch(self) -> int:
        """The address of this thread's memory to work in: zeros, since registers are scored whole, asked for or not."""
        memory = np.zeros(4 * self._floats + ALIGNMENT, np.uint8)
        self._local.memory = memory
        self._local.at = -(-memory.ctypes.data // ALIGNMENT) * ALIGNMENT
        return int(self._local.at)


def _address(array: Any) -> Any:
    """Where an array begins, for a call. By its buffer that takes a third of the time of NumPy's own ways."""
    return byref(c_char.from_buffer(array)) if array.flags.writeable else array.ctypes.data


def _laid_out(program: Program, columns: npt.NDArray[Any], width: int) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """The arrays that the kernel reads, and the list of their addresses.

    Trees are walked SLOTS at a time: behind the last there are some of one leaf that adds nothing.
    """
    trees, leaf, nothing = len(program.roots), len(program.walked), len(program.table) - 1
    spare = (-trees) % SLOTS
    arrays: dict[Field, npt.NDArray[Any]] = {
        Field.COLUMNS: np.ascontiguousarray(columns, np.int32),
        Field.WORDS: program.words,
        Field.STARTS: program.starts,
        Field.FEATURE: program.feature,
        Field.THRESHOLD: program.threshold,
        Field.MASK: program.mask,
        Field.LOW: program.low,
        Field.HIGH: program.high,
        Field.MEMBERS: program.members,
        Field.WALKED: np.concatenate([program.walked, np.array([[0, 0, leaf, leaf]], np.int32)]),
        Field.ROOTS: np.concatenate([program.roots, np.full(spare, leaf, np.int32)]),
        Field.PAIRS: np.concatenate([program.pairs, np.full(spare, program.pairs[-1], np.int32)]),
        Field.PAIR_TARGET: program.pair_target,
        Field.PAIR_TABLE: np.concatenate([program.pair_table, np.full(spare, nothing, np.int32)]),
        Field.TABLE: program.table,
    }
    arrays = {field: np.ascontiguousarray(array) for field, array in arrays.items()}
    numbers = {Field.STRIDE: width, Field.USED: len(columns), Field.TREES: trees}
    model = [numbers.get(field, arrays[field].ctypes.data if field in arrays else 0) for field in Field]
    return list(arrays.values()), np.array(model, np.int64)
