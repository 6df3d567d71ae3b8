"""Rejects and micro-batches as columns."""

import numpy as np
import pyarrow as pa
import pytest
from weir.core.batch import ClosedBy, MicroBatch
from weir.core.chunk import Amount, Chunk, Partition
from weir.core.rejects import Reason, Rejects, Stage


def some(*records: int, stage: Stage = Stage.DECODE, reason: Reason = Reason.EMPTY) -> Rejects:
    count = len(records)
    return Rejects(
        np.array(records, np.int32), (stage,) * count, (reason,) * count, tuple(f"record {i}" for i in records)
    )


def test_parts_are_merged_in_record_order_each_with_its_own_reason():
    late = some(1, 8, stage=Stage.VALIDATE, reason=Reason.PAST_DEADLINE)
    merged = Rejects.concat([some(5, 9), late, Rejects(), some(0)])
    assert merged.record.tolist() == [0, 1, 5, 8, 9]
    assert merged.record.dtype == np.int32
    assert merged.detail == tuple(f"record {i}" for i in (0, 1, 5, 8, 9))
    empty, past = Reason.EMPTY, Reason.PAST_DEADLINE
    assert merged.reason == (empty, past, empty, past, empty)
    assert merged.stage == (Stage.DECODE, Stage.VALIDATE, Stage.DECODE, Stage.VALIDATE, Stage.DECODE)


def test_a_record_that_is_rejected_twice_is_an_error_of_ours():
    with pytest.raises(ValueError, match="rejected twice"):
        Rejects.concat([some(1, 2), some(2)])


def test_nothing_merged_is_nothing():
    assert len(Rejects.concat([])) == len(Rejects.concat([Rejects(), Rejects()])) == 0


def chunk(first: int, values: list[bytes | None], oldest_ms: int) -> Chunk:
    n = len(values)
    offsets = np.arange(first, first + n, dtype=np.int64)
    return Chunk(
        Partition("t", 0),
        first,
        first + n - 1,
        pa.array(values, pa.large_binary()),
        pa.nulls(n, pa.large_binary()),
        offsets,
        oldest_ms,
        oldest_ms,
        0.0,
    )


def test_a_micro_batch_is_one_list_of_records():
    batch = MicroBatch((chunk(5, [b"a", None], 30), chunk(90, [b"bc"], 20)), ClosedBy.WAIT, 0.0)
    assert batch.values.to_pylist() == [b"a", None, b"bc"]
    assert batch.bounds.tolist() == [0, 2, 3]
    assert (len(batch), batch.oldest_ms) == (3, 20)


def test_an_amount_counts_records_and_the_bytes_of_their_values():
    amount = Amount.of(chunk(0, [b"abc", None, b""], 0)) + Amount.of(chunk(0, [b"de"], 0))
    assert amount == Amount(4, 5)
    assert amount - Amount(4, 5) == Amount(0, 0)
    assert [amount.within(Amount(*limit)) for limit in ((5, 6), (4, 6), (5, 5))] == [True, False, False]
