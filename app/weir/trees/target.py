"""Compiles a kernel for a processor: this one, or one of a kind that it can stand in for."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from llvmlite import binding as llvm

from weir.native.compiler import engine_of
from weir.trees.kernel_code import Shape, module_of

HOST: Final = ""
AVX2, AVX512 = "x86-64-v3", "x86-64-v4"  # microarchitecture levels of the x86-64 psABI
_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64
SIGNATURE: Final = ctypes.CFUNCTYPE(None, _POINTER, _COUNT, _POINTER, _POINTER, _POINTER)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled kernel. call: see kernel_code.module_of. engine: keeps its machine code in memory."""

    call: Any
    engine: Any


def runs_here(processor: str) -> bool:
    """Whether this processor has everything of another one; only levels of x86-64 are known."""
    wanted = {"": (), "x86-64-v2": ("sse4.2",), AVX2: ("avx2", "fma"), AVX512: ("avx512f", "avx512dq", "avx512vl")}
    has = llvm.get_host_cpu_features()
    return processor in wanted and all(has.get(name, False) for name in wanted[processor])


@lru_cache(maxsize=64)
def kernel_of(shape: Shape, processor: str = HOST) -> Kernel:
    """The kernel of a shape, compiled once in a process, in some 30 to 100 ms.

    processor: HOST, or a name that LLVM knows, of which this processor must have everything.
    """
    engine = engine_of(str(module_of(shape)), processor)
    return Kernel(SIGNATURE(engine.get_function_address("score")), engine)
