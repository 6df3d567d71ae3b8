"""A function of C, called for many addresses: from Python, and by a loop that is compiled."""

import ctypes
import sys
from functools import partial

import numpy as np
import pytest
from llvmlite import binding as llvm
from weir.edges.kafka.librdkafka.each import each
from weir.edges.kafka.librdkafka.library import library
from weir.native import compiler as llvm_compiler
from weir.native import loops
from weir.native.loops import Loops

DESTROY = library()._name, "rd_kafka_topic_partition_list_destroy"


def test_every_address_is_handed_over_once_and_in_order():
    seen = []
    function = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(seen.append)
    for count in (1, 2, 1000, 0):
        addresses = np.arange(2**63, 2**63 + count, dtype=np.uint64)
        Loops().each(function, addresses)
        assert seen == addresses.tolist()
        seen.clear()


def test_addresses_that_do_not_lie_one_behind_the_other_are_handed_over_alike():
    seen = []
    Loops().each(ctypes.CFUNCTYPE(None, ctypes.c_uint64)(seen.append), np.arange(10, dtype=np.uint64)[::-3])
    assert seen == [9, 6, 3, 0]


@pytest.mark.parametrize("compiler", [True, False])
def test_what_librdkafka_made_is_taken_back(compiler, monkeypatch):
    if not compiler:
        monkeypatch.delitem(sys.modules, "llvmlite", raising=False)
    destroy = each(*DESTROY)
    assert isinstance(destroy, partial) == compiler
    made = [library().rd_kafka_topic_partition_list_new(1) for _ in range(1000)]
    destroy(np.array([ctypes.cast(one, ctypes.c_void_p).value for one in made], np.uint64))
    destroy(np.empty(0, np.uint64))


@pytest.mark.parametrize("lacks", ["processor", "function"])
def test_a_compiler_that_cannot_compile_is_done_without(lacks, monkeypatch):
    if lacks == "processor":
        monkeypatch.setattr(llvm_compiler, "machine_of", lambda _: llvm.Target.from_triple("no-processor"))
    else:
        monkeypatch.delattr(llvm, "create_mcjit_compiler")  # as another release may
    loops._made.cache_clear()
    try:
        destroy = each(*DESTROY)
    finally:
        loops._made.cache_clear()
    assert not isinstance(destroy, partial)
    destroy(np.empty(0, np.uint64))
