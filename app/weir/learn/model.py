"""What every learning model does: answer and learn, in the order of the rows, and go back to what it was."""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
PANIC: Final = "PanicException"  # of what River has in Rust; it can be imported from nowhere


class Broke(Exception):
    """A model raised an error at a row: `row` of those that it was given. The rows before it are done."""

    def __init__(self, row: int, error: BaseException) -> None:
        self.row = row
        super().__init__(f"{type(error).__name__}: {error}")


def is_fault(error: BaseException) -> bool:
    """Whether it is of what was run; what River has in Rust falls over with what is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == PANIC


class Model(Protocol):
    """A model that learns."""

    def run(self, x: Floats, y: Floats, learns: Flags, out: Floats) -> None:
        """Learn each row that is to be learned, and answer each other one with what was learned before it.

        x: float64[n, k], NaN where there is no value. y: float64[n], a number or the index of a class; read of rows
        that are learned. out: float64[n, m], written to at the others; NaN: the model has no opinion yet. Raises Broke.
        """

    def keep(self) -> Any:
        """What it knows, for `restore`; later rows do not change it."""

    def restore(self, kept: Any) -> None:
        """Know what was kept, and nothing else."""

    def weights(self) -> Floats:
        """The weights of its columns; of what has none an empty array."""
