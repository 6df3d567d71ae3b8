import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.recording.uuids import are_uuids, are_v7

ANY = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
V7 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
BEGIN, END = 0, 4_102_444_800_000
GOOD = "0140aaaf-0000-7123-9abc-0123456789AB"


def expected(text, begin=BEGIN, end=END):
    if text is None or not V7.fullmatch(text):
        return False
    return begin <= int(text[:8] + text[9:13], 16) < end


NEARLY = st.builds(
    lambda at, word: GOOD[:at] + word + GOOD[at + 1 :],
    st.integers(0, len(GOOD)),
    st.sampled_from(list("0f9AgG-7:/@`é\n ")),
)
TEXTS = st.lists(st.one_of(st.none(), st.uuids().map(str), NEARLY, st.text(max_size=40), st.just(GOOD)), max_size=20)


@given(TEXTS, st.integers(0, 3))
def test_the_bytes_say_what_a_regular_expression_says(texts, skipped):
    for kind in (pa.string(), pa.large_string()):
        ids = pa.array([*texts], kind).slice(skipped)
        assert are_uuids(ids).tolist() == [bool(text and ANY.fullmatch(text)) for text in texts[skipped:]]
        assert are_v7(ids, BEGIN, END).tolist() == [expected(text) for text in texts[skipped:]]


@pytest.mark.parametrize(("ms", "known"), [(0, True), (1, True), (END - 1, True), (END, False), (2**48 - 1, False)])
def test_a_time_is_within_its_bounds(ms, known):
    stamp = f"{ms:012x}"
    ids = pa.array([f"{stamp[:8]}-{stamp[8:]}-7000-8000-000000000000"])
    assert are_v7(ids, BEGIN, END).tolist() == [known]
    assert are_v7(ids, ms, ms + 1).tolist() == [True]


def test_what_is_under_a_null_is_no_id():
    data = pa.array([GOOD, GOOD]).buffers()
    ids = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\x02"), *data[1:]])
    assert are_uuids(ids).tolist() == are_v7(ids, BEGIN, END).tolist() == [False, True]
