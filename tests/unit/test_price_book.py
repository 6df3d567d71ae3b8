"""The price book: read from the project's file, or refused by name with what to do."""

from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.budget import Measure, Period
from weir.core.errors import Refused
from weir.core.prices import UNITS, Component, Price, tariffs
from weir.operations import price_book, projects
from weir.settings import load

HEAD = "currency: EUR\nprices:\n"
CPU = "  cpu_second:\n"


def read(tmp_path, text):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return price_book.read(path)


def test_a_new_project_has_an_example_that_is_read_and_says_that_its_prices_are_examples(tmp_path):
    example = (projects.TEMPLATES / "prices.yaml.in").read_text()
    assert "THESE PRICES ARE EXAMPLES" in example
    book = read(tmp_path, Template(example).substitute())
    assert {one.component for one in book.tariffs} == set(Component)
    assert (book.currency, book.budgets) == ("USD", ())
    prices, budgets = example.split("#\n# budgets:")
    (budget,) = read(tmp_path, prices + "budgets:" + budgets.replace("\n# ", "\n")).budgets
    assert budget.action.kind is Measure.VARIANT


def test_there_is_no_book_without_a_file(tmp_path):
    assert price_book.read(tmp_path / "prices.yaml") is None


def test_a_price_holds_until_the_next_one_begins(tmp_path):
    entries = "    - {from: 2026-07-01, price: 0.000014}\n    - {from: 2026-01-01, price: 0.0000125}\n"
    first, second = read(tmp_path, HEAD + CPU + entries).tariffs
    assert (first.begin, first.end, first.attos) == (date(2026, 1, 1), date(2026, 7, 1), 12_500_000)
    assert (second.begin, second.end.year, second.attos) == (date(2026, 7, 1), 2299, 14_000_000)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            CPU + "    - {from: 2026-01-01, until: 2026-02-01, price: 1}\n    - {from: 2026-03-01, price: 1}\n",
            "cpu_second has a gap: no price from 2026-02-01 until 2026-03-01: leave `until` of the entry before out",
        ),
        (
            CPU + "    - {from: 2026-01-01, until: 2026-03-02, price: 1}\n    - {from: 2026-03-01, price: 1}\n",
            "cpu_second has two prices from 2026-03-01 until 2026-03-02: let the earlier entry end where the later",
        ),
        (
            CPU + "    - {from: 2026-01-01, price: 1}\n    - {from: 2026-01-01, price: 2}\n",
            "give a day after its first",
        ),
        (CPU + "    - {from: 2026-01-02, until: 2026-01-01, price: 1}\n", "give a day after its first"),
        (CPU + "    - {from: 2026-01-01, price: 0.0000000001}\n", "at most 9 digits"),
        (CPU + "    - {from: 2026-01-01, price: -1}\n", "cpu_second costs -1: give a number from 0"),
        (
            CPU + "    - {from: 2026-01-01, price: much}\n",
            "price: input should be a valid decimal",
        ),
        (CPU + "    - {from: 2026-13-01, price: 1}\n", r"prices.cpu_second.0.from"),
        (CPU + "    - {price: 1}\n", r"prices.cpu_second.0.from: field required"),
        (CPU + "    - {from: 2026-01-01, price: 1, note: x}\n", r"prices.cpu_second.0.note: extra"),
        ("  cpu_hour:\n    - {from: 2026-01-01, price: 1}\n", "there is no unit cpu_hour; units are cpu_second, "),
        ("  {}\nbudgets: [{<b>, amount: 0}]\n", r"budgets.0.amount: input should be greater than 0"),
        (
            "  {}\nbudgets: [{<b>, amount: 1}, {<b>, amount: 2}]\n",
            "there are two budgets b",
        ),
        (
            "  {}\nbudgets: [{<b>, amount: 1, action: {kind: variant}}]\n",
            "budget b: `variant` names the variant",
        ),
        (
            "  {}\nbudgets: [{<b>, amount: 1, action: {kind: sampling}}]\n",
            "budget b: `share` is a number between",
        ),
        ("  {}\nbudgets: [{<b>, amount: 1, period: year}]\n", "budgets.0.period"),
        ("  [", "price book is not understood"),
    ],
)
def test_what_is_no_price_book_is_refused_by_name(tmp_path, text, why):
    with pytest.raises(Refused, match=why) as refusal:
        read(tmp_path, HEAD + text.replace("<b>", "name: b, service: s"))
    assert "prices.yaml" in str(refusal.value)


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    wrong = "  cpu_hour: []\n  idle_second: [{from: 2026-01-01, price: -1}]\n"
    wrong += "budgets: [{<b>, amount: 1, action: {kind: variant}}]"
    with pytest.raises(Refused, match=r"budget b: .*; idle_second costs -1.*; there is no unit cpu_hour"):
        read(tmp_path, HEAD + wrong.replace("<b>", "name: b, service: s"))


def test_a_budget_has_a_period_an_owner_and_an_action(tmp_path):
    text = "  {}\nbudgets: [{<b>, amount: 12.5, period: week, team: risk, action: {kind: sampling, share: 0.1}}]\n"
    (budget,) = read(tmp_path, HEAD + text.replace("<b>", "name: b, service: s")).budgets
    assert (budget.amount, budget.period, budget.team, budget.tenant) == (Decimal("12.5"), Period.WEEK, "risk", "")
    assert (budget.action.kind, budget.action.share) == (Measure.SAMPLING, 0.1)


@given(
    unit=st.sampled_from([*UNITS]),
    billionths=st.integers(0, 10**15),
    used=st.integers(0, 10**12),
)
def test_a_price_of_nine_digits_is_a_whole_number_of_attos_of_one(unit, billionths, used):
    price = Decimal(billionths).scaleb(-9)
    (tariff,) = tariffs(unit, [Price(date(2026, 1, 1), price)])
    assert Decimal(tariff.attos * used) == Decimal(used) * price.scaleb(18) / UNITS[unit].per


def test_a_budget_of_a_service_that_nobody_knows_is_said(tmp_path, monkeypatch):
    text = "  {}\nbudgets: [{name: a, service: return, amount: 1}, {name: b, service: late, amount: 1}]\n"
    book, known = read(tmp_path, HEAD + text), ["late", "returns"]
    monkeypatch.setattr(price_book.folder, "services", lambda _: ("late",))
    monkeypatch.setattr(price_book.ledger, "services", lambda _: known)
    monkeypatch.setattr(price_book.clickhouse, "connect", lambda _: nullcontext())
    (said,) = price_book.unknown(load(), book)
    assert said == "budget a is of return, and there is no such service yet: did you mean returns?"
    known[:] = ["late", "return"]
    assert price_book.unknown(load(), book) == []
