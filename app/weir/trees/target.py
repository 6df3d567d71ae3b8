"""Compiles a kernel for a processor: this one, or one of a kind that it can stand in for."""

from __future__ import annotations

import ctypes
import mmap
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from llvmlite import binding as llvm

from weir.trees.kernel_code import Shape, module_of
from weir.trees.resident import give_back

HOST: Final = ""
AVX2, AVX512 = "x86-64-v3", "x86-64-v4"  # microarchitecture levels of the x86-64 psABI
_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64
SIGNATURE: Final = ctypes.CFUNCTYPE(None, _POINTER, _COUNT, _POINTER, _POINTER, _POINTER)
OPTIMISATION: Final = 3
LIBRARY: Final = "libllvmlite"  # LLVM: 70 MiB of its code and constants are touched by compiling, and by nothing after


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
    machine = machine_of(processor)
    engine = engine_of(str(module_of(shape)), machine)
    return Kernel(SIGNATURE(engine.get_function_address("score")), engine)


def machine_of(processor: str = HOST) -> Any:
    """What LLVM compiles for."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name = processor or llvm.get_host_cpu_name()
    features = "" if processor else llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(cpu=name, features=features, opt=OPTIMISATION)


def engine_of(text: str, machine: Any) -> Any:
    """The machine code of a module, in memory as long as this lives. LLVM's own code leaves memory. Raises OSError."""
    _check_may_run()
    engine = llvm.create_mcjit_compiler(optimised(text, machine), machine)
    engine.finalize_object()
    give_back(LIBRARY)
    return engine


def _check_may_run() -> None:
    """Raises OSError where memory that was written to may not be run, as by systemd's MemoryDenyWriteExecute.

    LLVM takes no notice, and the first call would end the process.
    """
    if not sys.platform.startswith("linux"):
        return
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:  # as LLVM's own
        at = ctypes.c_char.from_buffer(page)
        refused = protect(ctypes.addressof(at), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)
        del at  # or the page could not be given back
    if refused:
        raise OSError(ctypes.get_errno(), "memory that was written to may not be run")


def optimised(text: str, machine: Any) -> Any:
    """A module as LLVM's optimiser leaves it for a target machine."""
    compiled = llvm.parse_assembly(text)
    compiled.triple = machine.triple
    compiled.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=OPTIMISATION)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(compiled, builder)
    return compiled
