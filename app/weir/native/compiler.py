"""Compiles LLVM's language for a processor, and keeps no more of LLVM in memory than the code that was made."""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any, Final

from llvmlite import binding as llvm

from weir.native.resident import give_back

OPTIMISATION: Final = 3
LIBRARY: Final = "libllvmlite"  # LLVM: 70 MiB of its code and constants are touched by compiling, and by nothing after


def machine_of(processor: str = "") -> Any:
    """What LLVM compiles for: a processor by the name that LLVM knows it by; empty: this one."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name = processor or llvm.get_host_cpu_name()
    features = "" if processor else llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(cpu=name, features=features, opt=OPTIMISATION)


def engine_of(text: str, processor: str = "") -> Any:
    """The machine code of a module, in memory as long as this lives. LLVM's own code leaves memory. Raises OSError.

    processor: see machine_of.
    """
    _check_may_run()
    machine = machine_of(processor)
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
