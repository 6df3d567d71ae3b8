"""A chargeback adds up to the last digit that it prints, however it is split."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from weir.core.prices import Component
from weir.monitor.chargeback import BY, charges
from weir.monitor.money import EXACT, rounded

AMOUNTS = st.decimals(0, 10**6, places=24, allow_nan=False)


@dataclass(frozen=True)
class Line:
    kind: str
    component: Component
    amount: Decimal | None
    predictions: int = 1
    service: str = "s"
    model: str = "m"
    version: str = "1"
    variant: str = "v"
    team: str = ""
    tenant: str = ""
    day: str = "2026-01-01"


LINES = st.lists(
    st.builds(
        Line,
        kind=st.sampled_from(["answers", "rejected", "idle"]),
        component=st.sampled_from(Component),
        amount=AMOUNTS,
        team=st.sampled_from(["", "a", "b"]),
        tenant=st.sampled_from(["", "t"]),
    ),
    max_size=30,
)


def total(amounts):
    whole = Decimal(0)
    for amount in amounts:
        whole = EXACT.add(whole, amount)
    return whole


@given(st.lists(AMOUNTS, max_size=30), st.integers(0, 12))
def test_rounded_amounts_add_up_to_the_rounded_sum(amounts, digits):
    found = list(rounded(amounts, digits))
    assert total(found) == total(amounts).quantize(Decimal(1).scaleb(-digits), context=EXACT)
    assert all(abs(one - exact) <= Decimal(1).scaleb(-digits) for one, exact in zip(found, amounts, strict=True))


@given(LINES, st.lists(st.sampled_from(BY), max_size=3, unique=True), st.integers(0, 12))
def test_charges_add_up_to_the_total_however_they_are_split(lines, by, digits):
    found = charges(lines, by, digits)
    exact = total(line.amount for line in lines).quantize(Decimal(1).scaleb(-digits), context=EXACT)
    assert total(charge.amount for charge in found) == exact
    assert len({(charge.kind, charge.keys) for charge in found}) == len(found)


def test_what_has_no_price_is_not_zero():
    lines = [Line("answers", Component.CPU, None), Line("answers", Component.GPU, Decimal(1))]
    (charge,) = charges(lines, ("team",))
    assert (charge.amount, charge.amounts[Component.GPU], charge.predictions) == (None, Decimal(1), 1)
