"""Calls a function of C for each of many addresses."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from ctypes import c_void_p
from functools import partial

from weir.edges.kafka.librdkafka.memory import Addresses
from weir.native.loops import loops


def each(library: str, name: str) -> Callable[[Addresses], None]:
    """What calls a function of one argument, a pointer, for uint64[n] addresses, in their order.

    library: its file.
    """
    compiled = loops()
    if compiled is not None:
        # One call from Python takes 150 ns, which is a twentieth of all that a scored record costs, and no other thread
        # runs Python meanwhile. The loop takes 3 ns.
        return partial(compiled.each, ctypes.CDLL(library)[name])
    function = ctypes.PyDLL(library)[name]  # keeps the interpreter's lock: letting go of it costs more than the call
    function.restype, function.argtypes = None, [c_void_p]

    def from_python(addresses: Addresses) -> None:
        deque(map(function, addresses.tolist()), maxlen=0)

    return from_python
