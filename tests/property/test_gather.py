"""Pieces of memory at addresses, as one array."""

from __future__ import annotations

import ctypes

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.edges.kafka.librdkafka import memory
from weir.edges.kafka.librdkafka.memory import gather
from weir.native.loops import Loops

COMPILED = Loops()


@pytest.fixture(params=[COMPILED, None], ids=["compiled", "by Arrow"], autouse=True, scope="module")
def loops(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "loops", lambda: request.param)
        yield


@given(st.lists(st.none() | st.binary(max_size=40), max_size=150), st.randoms(use_true_random=False))
def test_what_lies_at_the_addresses_is_gathered_in_their_order(values, random):
    held = [None if value is None else ctypes.create_string_buffer(value, len(value) + 1) for value in values]
    order = list(range(len(values)))
    random.shuffle(order)  # memory is handed out in another order than it is asked for
    addresses = np.array([0 if held[i] is None else ctypes.addressof(held[i]) for i in order], np.uint64)
    sizes = np.array([len(values[i] or b"") for i in order], np.uint64)
    found = gather(addresses, sizes)
    found.validate(full=True)
    assert found.type == pa.large_binary()
    assert found.to_pylist() == [values[i] for i in order]


def test_pieces_of_one_buffer_are_cut_where_they_lie():
    whole = np.arange(200, dtype=np.uint8)
    begins, sizes = np.array([3, 50, 50, 199], np.uint64), np.array([7, 0, 100, 1], np.uint64)
    found = gather(begins + np.uint64(whole.ctypes.data), sizes)
    assert found.to_pylist() == [
        whole[int(begin) : int(begin + size)].tobytes() for begin, size in zip(begins, sizes, strict=True)
    ]


def test_nothing_is_gathered_from_nowhere():
    nowhere = gather(np.zeros(3, np.uint64), np.zeros(3, np.uint64))
    assert nowhere.to_pylist() == [None] * 3
    assert len(gather(np.empty(0, np.uint64), np.empty(0, np.uint64))) == 0
