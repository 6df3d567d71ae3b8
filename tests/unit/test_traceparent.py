"""The columnar checks of trace context agree with the parser, and the parser with the standard."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core import traceparent

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CASES = {
    GOOD: True,
    GOOD[:-2] + "00": True,
    "cc" + GOOD[2:] + "-what-comes-later": True,  # a later version may say more
    GOOD + "-more": False,  # version 00 may not
    "ff" + GOOD[2:]: False,
    GOOD.upper(): False,
    GOOD[:-1]: False,
    GOOD + "\n": False,
    "00-" + "0" * 32 + GOOD[35:]: False,
    GOOD[:36] + "0" * 16 + "-01": False,
    "": False,
}


@pytest.mark.parametrize(("text", "accepted"), CASES.items())
def test_cases_of_the_standard(text, accepted):
    assert (traceparent.parse(text) is not None) == accepted
    assert traceparent.valid(pa.array([text])).tolist() == [accepted]


@given(st.lists(st.none() | st.sampled_from(sorted(CASES)) | st.from_regex(traceparent.SHAPE) | st.text(), max_size=8))
def test_columns_and_parser_agree(texts):
    column = pa.array(texts, pa.string())
    parsed = [traceparent.parse(text) if text is not None else None for text in texts]
    assert traceparent.valid(column).tolist() == [item is not None for item in parsed]
    assert traceparent.sampled(column).tolist() == [item is not None and item.sampled for item in parsed]
