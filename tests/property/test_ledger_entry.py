"""A chunk's entries against plain sets of offsets: nothing twice, nothing left out, and no entry too large."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core import ledger_entry
from weir.core.chunk import Chunk, Partition
from weir.core.ledger_entry import LedgerEntry

SOURCE = Partition("requests", 0)


def chunk_of(first: int, last: int, offsets: list[int]) -> Chunk:
    values = pa.array([b""] * len(offsets), pa.large_binary())
    return Chunk(SOURCE, first, last, values, values, np.array(offsets, np.int64), 0, 0, 0.0)


@given(data=st.data(), most=st.integers(1, 4))
def test_entries_say_of_each_offset_what_it_held(data, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_entry, "HOLES", most)
        first, length = data.draw(st.integers(0, 50)), data.draw(st.integers(1, 30))
        held = sorted(data.draw(st.sets(st.integers(first, first + length - 1))))
        rejected = sorted(data.draw(st.sets(st.sampled_from(held)))) if held else []
        chunk = chunk_of(first, first + length - 1, held)
        entries = LedgerEntry.of(chunk, np.searchsorted(held, rejected))
        assert [entry.first for entry in entries] == [first, *(entry.last + 1 for entry in entries[:-1])]
        assert entries[-1].last == chunk.last
        for entry in [*entries, *LedgerEntry.joined(entries)]:
            span = range(entry.first, entry.last + 1)
            holes = {offset for low, high in entry.holes for offset in range(low, high + 1)}
            assert set(span) - holes == set(held) & set(span)
            assert (entry.read, entry.rejected) == (len(set(held) & set(span)), len(set(rejected) & set(span)))
            assert len(entry.holes) <= most
