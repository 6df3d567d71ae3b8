"""Calls a function of C for each of many addresses."""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from ctypes import c_int64, c_void_p
from typing import Any, Final

import numpy as np

from weir.edges.kafka.librdkafka.memory import Addresses

# One call from Python takes 150 ns, which is a twentieth of all that a scored record costs, and no other thread runs
# Python meanwhile. Compiled, the loop takes 3 ns a record, and the others run.
LOOP: Final = """
define void @each(ptr %function, ptr %addresses, i64 %count) {
begin:
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %again, label %done
again:
  %i = phi i64 [ 0, %begin ], [ %next, %again ]
  %at = getelementptr i64, ptr %addresses, i64 %i
  %address = load i64, ptr %at
  call void %function(i64 %address)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %again, label %done
done:
  ret void
}
"""


def each(library: str, name: str) -> Callable[[Addresses], None]:
    """What calls a function of one argument, a pointer, for uint64[n] addresses.

    library: its file. The loop is compiled where LLVM is in memory, as in a scorer of trees; for this alone it would
    take more than it gives.
    """
    if "llvmlite" in sys.modules:
        with suppress(ImportError, OSError, RuntimeError):  # where it has compiled no kernel either
            return Compiled(ctypes.CDLL(library)[name])
    function = ctypes.PyDLL(library)[name]  # keeps the interpreter's lock: letting go of it costs more than the call
    function.restype, function.argtypes = None, [c_void_p]

    def from_python(addresses: Addresses) -> None:
        deque(map(function, addresses.tolist()), maxlen=0)

    return from_python


class Compiled:
    """The loop around a function of C of one argument, a pointer."""

    def __init__(self, function: Any) -> None:
        from weir.native.compiler import engine_of  # noqa: PLC0415 - LLVM

        self._engine = engine_of(LOOP)  # keeps the machine code
        self._loop = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int64)(self._engine.get_function_address("each"))
        self._function = function
        self._where = ctypes.cast(function, c_void_p)

    def __call__(self, addresses: Addresses) -> None:
        """Call it for uint64[n] addresses, in their order."""
        addresses = np.ascontiguousarray(addresses, np.uint64)  # the loop reads one behind the other
        self._loop(self._where, addresses.ctypes.data, len(addresses))
