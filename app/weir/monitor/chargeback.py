"""Who is charged for what: lines of cost, brought together by what tells them apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from weir.core.prices import Component
from weir.monitor.money import EXACT, rounded

BY: Final = ("service", "model", "version", "variant", "team", "tenant", "day")
BORNE: Final = "answers"  # the kind of lines that somebody can be charged for; others are said by their kind
DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Charge:
    """One row. keys: a value for each of what it is by. kind: answers, rejected, unrecorded, idle.

    amounts: of each component, rounded; None where something was used that has no price.
    """

    keys: tuple[str, ...]
    kind: str
    predictions: int
    amounts: Mapping[Component, Decimal | None]

    @property
    def amount(self) -> Decimal | None:
        """All of it; None where a part is not known."""
        total = Decimal(0)
        for amount in self.amounts.values():
            if amount is None:
                return None
            total = EXACT.add(total, amount)
        return total


def charges(lines: Iterable[Any], by: Sequence[str], digits: int = DIGITS) -> list[Charge]:
    """Rows by kind and keys, whose amounts add up to the exact total, rounded to so many digits.

    lines: with the attributes of edges.clickhouse.costs.Line.
    """
    amounts: dict[tuple[str, tuple[str, ...]], dict[Component, Decimal | None]] = {}
    counts: dict[tuple[str, tuple[str, ...]], int] = {}
    for line in lines:
        key = line.kind, tuple(str(getattr(line, name)) for name in by)
        cells = amounts.setdefault(key, dict.fromkeys(Component, Decimal(0)))
        known = cells[line.component]
        cells[line.component] = None if known is None or line.amount is None else EXACT.add(known, line.amount)
        counts[key] = counts.get(key, 0) + (line.predictions if line.component is Component.CPU else 0)
    ordered = sorted(amounts, key=lambda key: (key[0] != BORNE, key))
    said = rounded((cell for key in ordered for cell in amounts[key].values() if cell is not None), digits)
    found: list[Charge] = []
    for kind, keys in ordered:
        printed = {name: None if cell is None else next(said) for name, cell in amounts[kind, keys].items()}
        found.append(Charge(keys, kind, counts[kind, keys], printed))
    return found
