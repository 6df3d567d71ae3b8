"""How people read numbers, spans and times: tables, to the letter. `_` stands for the thin space."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from weir.core import numbers
from weir.monitor.spec import Unit


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (0.0, "0"),
        (5, "5"),
        (5.0, "5.00"),
        (-1.5, "−1.50"),
        (0.9996, "1.00"),
        (999.6, "1_000"),
        (1234, "1_234"),
        (9999.4, "9_999"),
        (9999.6, "10.0_k"),
        (10_000, "10.0_k"),
        (281_032, "281_k"),
        (999_600, "1.00_M"),
        (2.5e15, "2_500_T"),
        (0.00012345, "0.000123"),
        (0.0000012345, "1.23e−6"),
        (float("-inf"), "−∞"),
    ],
)
def test_short_has_three_digits(x, text):
    assert numbers.short(x) == text.replace("_", numbers.THIN)


@pytest.mark.parametrize(
    ("n", "text"), [(2_333_650, "2_333_650"), (-1_000, "−1_000"), (0, "0"), (2.6, "3"), (None, "–")]
)
def test_whole_has_every_digit(n, text):
    assert numbers.whole(n) == text.replace("_", numbers.THIN)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0, "0.0_%"),
        (1, "100.0_%"),
        (0.0004, "0.040_%"),
        (0.9996, "99.96_%"),
        (0.00000001, "0.000001_%"),
        (-0.031, "−3.1_%"),
        (1.5, "150.0_%"),
        (None, "–"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(x, text):
    assert numbers.share(x) == text.replace("_", numbers.THIN)


@pytest.mark.parametrize(
    ("x", "currency", "text"),
    [
        (0, "USD", "$0.00"),
        (99.994, "USD", "$99.99"),
        (99.996, "USD", "$100"),
        (12_345, "USD", "$12.3_k"),
        (-5.76, "EUR", "−€5.76"),
        (Decimal("0.0000226"), "USD", "$0.000023"),
        (3.75, "CHF", "3.75_CHF"),
        (3.75, "", "3.75"),
        (None, "CHF", "–"),
    ],
)
def test_money_has_cents_where_they_matter(x, currency, text):
    assert numbers.money(x, currency) == text.replace("_", numbers.THIN)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0_s"),
        (0.00021, "210_µs"),
        (0.25, "250_ms"),
        (0.9999, "1_s"),
        (59.99, "1_min"),
        (3600, "1_h"),
        (5400, "1.5_h"),
        (86_400 * 28, "28_d"),
        (-2400, "−40_min"),
        (None, "–"),
    ],
)
def test_a_span_is_in_the_unit_that_it_fills(seconds, text):
    assert numbers.span(seconds) == text.replace("_", numbers.THIN)


FIGURES = {
    Unit.MS: [(6.31, "6.3_ms"), (0.54, "540_µs"), (23.4, "23_ms"), (1234.0, "1.2_s"), (0.0, "0_ms")],
    Unit.S: [(2400.0, "40_min")],
    Unit.SHARE: [(0.486, "48.6_%")],
    Unit.USD: [(4.5, "$4.50")],
    Unit.MONEY: [(4.5, "€4.50")],
    Unit.AUC: [(0.6367, "0.637")],
    Unit.COUNT: [(12_345.0, "12_345")],
    Unit.NUMBER: [(-0.25, "−0.25")],
    Unit.RATE: [(0.652, "0.652_/s")],
    Unit.BYTES: [(1024.0, "1.00_KiB"), (1023.9, "1.00_KiB"), (12.0, "12_B")],
    Unit.NATS: [(0.6931, "0.693_nats")],
    Unit.PSI: [(0.1, "0.10"), (0.0034, "0.003"), (2.449, "2.45"), (-0.0001, "0.000")],
    Unit.KS: [(0.0861, "0.086")],
}


@pytest.mark.parametrize("unit", Unit)
def test_each_unit_reads_in_its_way(unit):
    for x, text in FIGURES[unit]:
        assert numbers.figure(x, unit.value, "EUR") == text.replace("_", numbers.THIN)
    assert numbers.figure(None, unit.value) == "–"


def test_times_are_of_utc_whatever_the_language_of_the_machine():
    at = datetime.fromisoformat("2026-03-04T00:30:00+02:00")
    assert numbers.time(at) == "3 Mar 22:30"
    assert numbers.time(datetime(2026, 3, 4, 6, 5)) == "4 Mar 06:05"  # noqa: DTZ001 - without a zone: of UTC
    assert (numbers.day(at), numbers.clock(at.astimezone(UTC)), numbers.time(None)) == ("3 Mar", "22:30", "–")
