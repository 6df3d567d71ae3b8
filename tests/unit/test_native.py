"""Machine code that is made while Weir runs, and what its compiler leaves behind."""

import subprocess
import sys

import pytest
from weir.native import resident
from weir.settings import ROOT

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


def test_areas_that_somebody_may_have_written_to_stay():
    lines = """\
7f0000000000-7f0000003000 r--p 00000000 fe:00 1111 /site packages/libllvmlite.so
Rss: 12 kB
Anonymous: 0 kB
7f0000003000-7f0000005000 r-xp 00003000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 0 kB
7f0000005000-7f0000006000 r--p 00005000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 4 kB
Swap: 0 kB
7f0000009000-7f000000a000 r--p 00009000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 0 kB
Swap: 4 kB
7f000000a000-7f000000b000 r--p 0000a000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 0 kB
Swap: 0 kB
7f0000006000-7f0000007000 rw-p 00006000 fe:00 1111 /site packages/libllvmlite.so
Anonymous: 0 kB
7f0000007000-7f0000008000 r-xp 00000000 fe:00 2222 /libllvmlite/libother.so
Anonymous: 0 kB
7f0000008000-7f0000009000 rw-p 00000000 00:00 0
Anonymous: 4 kB""".splitlines()
    areas = [(0x7F0000000000, 0x7F0000003000), (0x7F0000003000, 0x7F0000005000), (0x7F000000A000, 0x7F000000B000)]
    assert list(resident.unchanged(lines, "libllvmlite")) == areas
