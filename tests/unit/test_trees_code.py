"""What the kernel for trees is compiled to, also for processors that are not here."""

import re
import sys
from dataclasses import replace

import pytest
from llvmlite import binding as llvm
from weir.native.compiler import LIBRARY, optimised
from weir.native.resident import SMAPS
from weir.trees import post
from weir.trees.kernel_code import Shape, module_of
from weir.trees.target import kernel_of

EVERYTHING = Shape(
    kinds=(0, 1, 2, 3),
    some_walk=True,
    walked_rows=6,
    single=False,
    targets=3,
    steps=(post.Divide(3.0), post.Add((0.5,)), post.Softmax(), post.Logistic()),
    block=128,
)
X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("triple", "processor", "register"),
    [
        (X86, "x86-64-v2", "%xmm"),
        (X86, "x86-64-v3", "%ymm"),
        (X86, "x86-64-v4", "%zmm"),
        (X86, "znver4", "%zmm"),
        (ARM, "neoverse-n1", ".4s"),
        (ARM, "apple-m1", ".4s"),
    ],
)
def test_a_kernel_has_whole_registers_and_no_fused_multiplication(triple, processor, register):
    """A multiplication that is fused with an addition rounds once, and gives other bits where there is none."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=processor, opt=3)
    code = machine.emit_assembly(optimised(str(module_of(EVERYTHING)), machine))
    operations = set(re.findall(r"^\t([a-z][\w.]*)", code, re.MULTILINE))
    assert register in code
    assert not {name for name in operations if re.match(r"vfn?m(add|sub)|fn?m(add|sub|la|ls)", name)}
    called = set(re.findall(r"^\t(?:callq|bl)\s+(\w+)", code, re.MULTILINE))
    assert called <= {"memset"}


def test_the_compiler_leaves_memory_once_it_has_compiled_and_compiles_again():
    if not sys.platform.startswith("linux"):
        pytest.skip("/proc is Linux's")
    for block in (64, 96):  # of no other test's: a shape is compiled once
        kernel_of(replace(EVERYTHING, block=block))
        assert 0 < _resident_kib(LIBRARY) < 8192  # of 130 MiB; 74,000 KiB while it compiles


def _resident_kib(library):
    """KiB of a library in this process."""
    total, inside = 0, False
    for line in SMAPS.read_text().splitlines():
        if "-" in line.split()[0]:
            inside = library in line
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total
