"""Numbers and arrays of NumPy in pickles: of plain numbers alone.

NumPy's own types may say that they hold objects: bytes of the pickle then are addresses, and whatever lies there is
used. So a pickle has these instead, which make the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

_LETTERS: Final = re.compile(r"[biuf][1248]")
_ORDERS: Final = ("<", ">", "|")


class Type:
    """A type of numbers, as pickles have one: its letters, then the order of its bytes. Raises ValueError."""

    __slots__ = ("_of",)

    def __init__(self, letters: str, _align: bool = False, _copy: bool = True) -> None:
        if not isinstance(letters, str) or not _LETTERS.fullmatch(letters):
            raise ValueError(f"{letters!r} is no type of plain numbers")
        self._of = np.dtype(letters)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order not in _ORDERS or tuple(state) != (3, order, None, None, None, -1, -1, 0):
            raise ValueError("a type of numbers says more than its order of bytes")
        self._of = self._of.newbyteorder(order)


def _numbers(of: Type, content: bytes | bytearray) -> Any:
    if type(of) is not Type or not isinstance(content, bytes | bytearray):
        raise ValueError("numbers are made of a type and of bytes")
    return np.frombuffer(content, of._of)


def scalar(of: Type, content: bytes) -> Any:
    """One number. Raises ValueError where it is none."""
    (number,) = _numbers(of, content)
    return number


def array(content: bytes | bytearray, of: Type, shape: Sequence[int], order: Any) -> Any:
    """As many numbers as its bytes are. Raises ValueError where it is no array of them."""
    return _numbers(of, content).reshape(shape, order=order)


INSTEAD: Final = {
    ("numpy", "dtype"): Type,
    ("numpy._core.multiarray", "scalar"): scalar,
    ("numpy._core.numeric", "_frombuffer"): array,
}
