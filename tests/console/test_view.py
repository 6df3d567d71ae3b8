"""Any address is a view: of a window that is not empty, not too fine, and the same for everybody who asks."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.web.console.view import LONGEST, MOST_WINDOWS, RANGES, STEPS_S, View

NOW = datetime(2026, 11, 28, 20, 7, 31, tzinfo=UTC)
NAMES = ("range", "from", "to", "at", "service", "version", "tenant", "feature", "state", "sql", "colour")
WORDS = st.one_of(
    st.text(max_size=400),
    st.sampled_from(
        ["", "now", "0", "-1", "99999999999999999999", "2026-11-28", "2026-11-28T20:00:00Z", "7d", "0001-01-01"]
    ),
    st.text(string.digits, max_size=30),
    st.datetimes().map(datetime.isoformat),
)


@given(st.dictionaries(st.sampled_from(NAMES), WORDS))
def test_any_query_string_gives_a_window(query):
    view = View.of(query, NOW)
    assert view.begin < view.end
    assert view.step_s in STEPS_S
    assert 0 < len(view.times) <= MOST_WINDOWS + 1
    assert view.begin.timestamp() % view.step_s == view.end.timestamp() % view.step_s == 0
    assert view.end - view.begin <= LONGEST + timedelta(seconds=2 * view.step_s)
    assert all(len(value) <= 300 and value.isprintable() for value in view.query.values())
    assert view.live == (view.range in RANGES)


@given(st.dictionaries(st.sampled_from(NAMES), WORDS))
def test_a_link_to_the_same_is_the_same(query):
    view = View.of(query, NOW)
    again = View.of(view.words(), NOW)
    assert (again.begin, again.end, again.step_s, again.segment, again.service) == (
        view.begin,
        view.end,
        view.step_s,
        view.segment,
        view.service,
    )


@pytest.mark.parametrize("name", RANGES)
def test_a_range_ends_now_and_its_windows_are_those_of_the_terminal(name):
    view = View.of({"range": name}, NOW)
    assert view.end - timedelta(seconds=view.step_s) <= NOW <= view.end
    assert view.begin <= NOW - timedelta(seconds=RANGES[name])


def test_a_range_takes_the_place_of_times_and_times_of_a_range():
    fixed = View.of({"from": "2026-11-01T00:00Z", "to": "2026-11-02T00:00Z", "tenant": "acme"}, NOW)
    assert fixed.words(range="7d") == {"range": "7d", "tenant": "acme"}
    assert View.of({"range": "7d"}, NOW).words(**{"from": fixed.begin}) == {"from": "2026-11-01T00:00:00Z"}


def test_another_page_keeps_the_time_and_nothing_that_was_chosen():
    view = View.of({"range": "7d", "feature": "wind", "tenant": "acme", "at": "1764360000"}, NOW)
    assert view.kept() == "?range=7d"


def test_another_range_has_windows_of_its_own():
    rows = View.of({"from": "2026-11-01", "to": "2026-11-28", "step": "604800", "version": "8"}, NOW)
    assert rows.words(range="1h") == {"range": "1h", "version": "8"}
