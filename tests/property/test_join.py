"""Pieces of records as the records, by a compiled loop and by Arrow."""

from __future__ import annotations

import llvmlite  # noqa: F401 - where it is in memory, the loops are compiled
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.native.loops import Loops, loops
from weir.wire import join

VALUES = st.none() | st.binary(max_size=20)


@st.composite
def pieces(draw):
    """Pieces of some rows, and the same as lists of what each row has."""
    rows, found, plain = draw(st.integers(1, 40)), [], []
    for shared in draw(st.lists(st.booleans(), min_size=1, max_size=8)):
        if shared:
            found.append(draw(st.binary(max_size=20)))
            plain.append([found[-1]] * rows)
            continue
        before, after = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        values = draw(st.lists(VALUES, min_size=rows + before + after, max_size=rows + before + after))
        found.append(pa.array(values, pa.binary()).slice(before, rows))
        plain.append([value or b"" for value in values[before : before + rows]])
    return found, [b"".join(row) for row in zip(*plain, strict=True)]


@given(pieces())
def test_each_row_is_its_pieces_in_their_order(case):
    found, wanted = case
    for compiled in (loops(), None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(join, "loops", lambda compiled=compiled: compiled)
            rows = join.joined(found, len(wanted))
        rows.validate(full=True)
        assert rows.type == pa.binary()
        assert rows.to_pylist() == wanted


def test_the_bytes_that_a_null_may_have_are_not_written():
    offsets, memory = pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"abcd")
    values = pa.Array.from_buffers(pa.binary(), 2, [pa.py_buffer(b"\x01"), offsets, memory])
    assert values.to_pylist() == [b"ab", None]
    assert join.joined([b"<", values, b">"], 2).to_pylist() == [b"<ab>", b"<>"]


def test_more_than_one_array_holds_is_left_to_arrow(monkeypatch):
    monkeypatch.setattr(join, "_MOST_BYTES", 5)
    monkeypatch.setattr(Loops, "join", None)
    assert join.joined([b"ab", pa.array([b"c", b"d"], pa.binary())], 2).to_pylist() == [b"abc", b"abd"]


@pytest.mark.parametrize(
    ("ends", "size"),
    [([0, 3], 3), ([0, 2, 1], 1), ([-1, 0, 2], 3), ([0, 2, 9], 9), ([0, 1, 2], 3), ([2**32, 2**32 + 1, 2**32 + 4], 4)],
    ids=["too few", "back", "before", "behind", "not filled", "past 32 bits"],
)
def test_ends_outside_their_memory_are_refused(ends, size):
    with pytest.raises(ValueError, match="do not"):
        loops().join([(np.array(ends), np.zeros(4, np.uint8))], 2, np.empty(size, np.uint8))


def test_memory_that_the_loops_would_not_go_through_as_it_lies_is_refused():
    ends, octets, into = np.array([0, 2, 4], np.int32), np.zeros(8, np.uint8), np.empty(8, np.uint8)
    kept = np.frombuffer(bytes(4), np.uint8)
    for memory, there in ((octets[::2], into[:4]), (octets, into[::2]), (octets, kept)):
        with pytest.raises(ValueError, match="one behind the other"):
            loops().join([(ends, memory)], 2, there)
    for there in (into[::2], kept):
        with pytest.raises(ValueError, match="one behind the other"):
            loops().gather(np.zeros(2, np.uint64), np.zeros(3, np.int64), there)


@pytest.mark.parametrize("ends", [[0, 3], [0, 2, 1], [1, 2, 3], [0, 2, 9]], ids=["too few", "back", "late", "behind"])
def test_pieces_that_do_not_fit_are_refused(ends):
    with pytest.raises(ValueError, match="do not fit"):
        loops().gather(np.zeros(2, np.uint64), np.array(ends, np.int64), np.empty(4, np.uint8))


def test_nothing_is_copied_where_there_is_nothing():
    loops().gather(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty(0, np.uint8))
    loops().join([], 3, np.empty(0, np.uint8))
    loops().join([b"ab"], 0, np.empty(0, np.uint8))
