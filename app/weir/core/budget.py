"""A budget: what a period may cost, and what is to be done before it costs more."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Period(StrEnum):
    """A budget is for one of these, UTC; a week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Measure(StrEnum):
    """What can be done against a cost that grows."""

    NONE = "none"
    VARIANT = "variant"  # let a cheaper variant answer
    SAMPLING = "sampling"  # score a share of the requests
    REJECT = "reject"  # score none


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is proposed when the forecast is beyond the budget. variant: that is to answer. share: that is scored."""

    kind: Measure = Measure.NONE
    variant: str = ""
    share: float = 1.0

    def __post_init__(self) -> None:
        if (self.kind is Measure.VARIANT) != bool(self.variant):
            raise ValueError("`variant` names the variant that is to answer where the kind is variant, and only there")
        if not 0 < self.share <= 1 or (self.kind is Measure.SAMPLING) != (self.share < 1):
            raise ValueError("`share` is a number between 0 and 1 where the kind is sampling, and left out elsewhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """amount: of the price book's currency in a period. team, tenant: of the service's, whose; empty for all."""

    name: str
    service: str
    amount: Decimal
    period: Period = Period.MONTH
    team: str = ""
    tenant: str = ""
    action: Remedy = field(default_factory=Remedy)
