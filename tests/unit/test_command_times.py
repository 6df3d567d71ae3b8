"""Times on the command line: UTC, whatever zone they are written in."""

from datetime import UTC, datetime

import pytest
import typer
from weir.cli.times import between, span_of, time_of, time_or_now

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00", "2026-01-31 12:00:00", "2026-01-31T12:00Z", "2026-02-01T01:00+13:00"]
)
def test_one_time_in_several_spellings(text):
    assert time_of(text, "--from") == NOON
    assert time_of(text, "--from").tzinfo is UTC, "its day and its text are UTC's"


def test_a_day_is_its_beginning():
    assert time_of("2026-01-31", "--from") == NOON.replace(hour=0)


def test_no_text_is_the_time_of_the_call():
    before = datetime.now(UTC)
    assert before <= time_or_now("", "--to") <= datetime.now(UTC)
    assert time_or_now("2026-01-31T12:00", "--to") == NOON


@pytest.mark.parametrize(("read", "text"), [(time_of, "yesterday"), (time_of, "2026-13-01"), (span_of, "an hour")])
def test_what_is_none_is_refused_by_the_name_of_its_option(read, text):
    with pytest.raises(typer.BadParameter) as refused:
        read(text, "--base-from")
    assert refused.value.param_hint == "--base-from"


def test_a_range_that_ends_before_it_begins_is_refused():
    assert between("2026-01-30", "2026-01-31T12:00") == (datetime(2026, 1, 30, tzinfo=UTC), NOON)
    assert between("", "2026-01-31T12:00")[0] < NOON
    with pytest.raises(typer.BadParameter, match="2026-02-01 is not before --to, 2026-01-31T12:00 UTC"):
        between("2026-02-01", "2026-01-31T12:00")
