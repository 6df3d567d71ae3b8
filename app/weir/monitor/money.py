"""Exact money on its way to paper: rounded so that what is printed still adds up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

EXACT: Final = Context(prec=80)


def rounded(amounts: Iterable[Decimal], digits: int) -> Iterator[Decimal]:
    """The amounts with so many digits behind the point; their sum is the sum of the amounts, rounded.

    Each is what the running total, rounded, grows by: so each is off by less than one unit of the last digit.

    >>> [str(one) for one in rounded([Decimal("0.004"), Decimal("0.004"), Decimal("0.004")], 2)]
    ['0.00', '0.01', '0.00']
    """
    unit = Decimal(1).scaleb(-digits)
    total = told = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
        now = total.quantize(unit, ROUND_HALF_EVEN, EXACT)
        yield EXACT.subtract(now, told)
        told = now
