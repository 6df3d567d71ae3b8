"""What the kernel for trees is compiled to, also for processors that are not here."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from llvmlite import binding as llvm
from weir.settings import ROOT
from weir.trees import post, resident
from weir.trees.kernel_code import Shape, module_of
from weir.trees.target import LIBRARY, kernel_of, optimised

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


WITHOUT = """
import ctypes, numpy as np
from tests import trees
from weir.edges.kafka.librdkafka import each
from weir.trees import opening
leaf = trees.Leaf({0: np.float32(1)})
model = trees.old([trees.Branch(0, "LEQ", np.float32(0), False, true=leaf, false=leaf)], 4, 1).SerializeToString()
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE: nothing that was written to is run from here on
    print("no such kernel")
else:
    print(opening.opened(model, 4).reason)
    print(type(each.each(None, "free")).__name__)
"""


def test_where_compiled_code_may_not_run_nothing_is_compiled():
    if not sys.platform.startswith("linux"):
        pytest.skip("prctl is Linux's")
    said = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    if "no such kernel" in said:
        pytest.skip("the kernel is older than Linux 6.3")
    refused, loop = said.splitlines()
    assert refused.startswith("LLVM, which compiles the kernel, cannot be used here: ")
    assert refused.endswith("memory that was written to may not be run")
    assert loop == "function"


def _resident_kib(library):
    """KiB of a library in this process."""
    total, inside = 0, False
    for line in resident.SMAPS.read_text().splitlines():
        if "-" in line.split()[0]:
            inside = library in line
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


def test_areas_that_somebody_may_have_written_to_stay():
    lines = """\
7f0000000000-7f0000003000 r--p 00000000 fe:00 1111 /site packages/libllvmlite.so
Rss: 12 kB
Anonymous: 0 kB
7f0000003000-7f0000005000 r-xp 00003000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 0 kB
7f0000005000-7f0000006000 r--p 00005000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 4 kB
7f0000006000-7f0000007000 rw-p 00006000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 0 kB
7f0000007000-7f0000008000 r-xp 00000000 fe:00 2222 /libllvmlite/libother.so
Anonymous: 0 kB
7f0000008000-7f0000009000 rw-p 00000000 00:00 0
Anonymous: 4 kB""".splitlines()
    areas = [(0x7F0000000000, 0x7F0000003000), (0x7F0000003000, 0x7F0000005000)]
    assert list(resident.unchanged(lines, "libllvmlite")) == areas
