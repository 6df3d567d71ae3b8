"""Records with any bytes: each is the reference's row or is rejected with its reason, and nothing else happens."""

from __future__ import annotations

from random import Random

import llvmlite  # noqa: F401 - where it is in memory, the loop is compiled
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from weir.wire import avro_decode, frame

from tests.fuzz import mutate, records
from tests.fuzz.cases import fuzz, seeds, tried

AT_ONCE = 200  # records of one call of the decoder: enough for the halving to have work
SLICED = b"\0\0\0\0\x07 from another batch"


def decoded(target, values, slide):
    """Through the decoder, now and then as a slice of a larger array, as a poll's records are.

    By the compiled loop, where all are as they should be; with an odd slide by the Rust codec alone.
    """
    around = [SLICED] * slide
    array = pa.array([*around, *values, *around], pa.large_binary()).slice(slide, len(values))
    with pytest.MonkeyPatch.context() as patch:
        if slide % 2:
            patch.setattr(avro_decode, "reading", lambda _: None)
        return target.decoder.decode(array, records.MAX_BYTES)


def tried_at_once(target, seed):
    random = Random(seed)
    values = records.values(random, target, AT_ONCE)
    try:
        records.check(target, values, decoded(target, values, random.choice((0, 0, 3))))
    except AssertionError:
        for value in values:  # alone, if it fails alone: the shortest way to see it
            records.check(target, [value], decoded(target, [value], 0))
        raise


@fuzz("avro records", AT_ONCE, seed=seeds(), name=st.sampled_from(sorted(records.CURRENT)))
def test_any_record_is_the_references_row_or_a_reject(seed, name):
    tried_at_once(records.CURRENT[name], seed)
    tried("avro records", AT_ONCE)


@fuzz("avro records, evolved", AT_ONCE, seed=seeds(), name=st.sampled_from(sorted(records.EVOLVED)))
def test_any_record_of_an_earlier_schema_is_the_references_row_or_a_reject(seed, name):
    tried_at_once(records.EVOLVED[name], seed)
    tried("avro records, evolved", AT_ONCE)


def drawn(good):
    """Spoilt by Hypothesis itself, which then finds the smallest failure."""
    at = st.integers(0, len(good))
    return st.one_of(
        st.binary(max_size=40).map(lambda body: good[:5] + body),
        st.tuples(at, st.binary(max_size=12), at).map(lambda part: good[: part[0]] + part[1] + good[part[2] :]),
        st.tuples(at, st.sampled_from(mutate.TOKENS)).map(lambda part: good[: part[0]] + part[1] + good[part[0] :]),
    )


@fuzz("avro records, drawn", 4, data=st.data(), name=st.sampled_from(sorted(records.CURRENT)))
def test_any_drawn_record_is_the_references_row_or_a_reject(data, name):
    target = records.CURRENT[name]
    good = target.good(Random(data.draw(st.integers(0, 99))))
    values = data.draw(st.lists(st.just(good) | drawn(good), min_size=4, max_size=4))
    records.check(target, values, decoded(target, values, data.draw(st.integers(0, 2))))
    tried("avro records, drawn", len(values))


@fuzz("frames", AT_ONCE, seed=seeds())
def test_any_frame_is_split_as_its_bytes_say(seed):
    random = Random(seed)
    values = [None if random.random() < 0.05 else mutate.spoilt(random, SLICED, [SLICED]) for _ in range(AT_ONCE)]
    most = random.choice((1, 5, 20, 1 << 20))
    cut = random.randrange(3)
    framed = frame.split(pa.array(values, pa.large_binary()).slice(cut), most)
    rest = values[cut:]
    good = [value is not None and 5 <= len(value) <= most and value[0] == 0 for value in rest]
    assert framed.good.tolist() == good
    assert framed.rejects.record.tolist() == np.flatnonzero(~np.array(good)).tolist()
    for i, value in enumerate(rest):
        assert framed.size[i] == (-1 if value is None else len(value))
        if good[i]:
            assert framed.schema_id[i] == int.from_bytes(value[1:5], "big", signed=True)
    tried("frames", AT_ONCE)


@pytest.mark.parametrize("name", sorted(records.CURRENT))
def test_every_good_record_is_a_row(name):
    for target in (records.CURRENT[name], records.EVOLVED[name]):
        random = Random(name)
        values = [target.good(random) for _ in range(100)]
        found = decoded(target, values, 0)
        assert found.rows.num_rows == len(values)
        records.check(target, values, found)
