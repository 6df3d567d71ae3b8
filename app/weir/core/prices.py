"""The price book: what a unit of each component of the cost costs, from one day to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final

DIGITS: Final = 9  # of a price behind the point: what a byte of a gigabyte costs is then a whole number of `attos`
DEAREST: Final = 10**9
ATTOS: Final = 10**18  # in one of the currency
LAST_DAY: Final = date(2299, 1, 1)  # a date of ClickHouse that no batch is of


class Component(StrEnum):
    """What a cost is made of, in the order of arrays in SQL; see migrations/0013_costs.sql."""

    CPU = "cpu"
    GPU = "gpu"
    FEATURES = "features"
    KAFKA_IN = "kafka_in"
    KAFKA_OUT = "kafka_out"
    CLICKHOUSE = "clickhouse"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Unit:
    """What a price is for: so many microseconds, keys or bytes of a component."""

    component: Component
    per: int


UNITS: Final[Mapping[str, Unit]] = {
    "cpu_second": Unit(Component.CPU, 10**6),
    "gpu_second": Unit(Component.GPU, 10**6),
    "idle_second": Unit(Component.IDLE, 10**6),
    "million_feature_reads": Unit(Component.FEATURES, 10**6),
    "kafka_gigabyte_in": Unit(Component.KAFKA_IN, 10**9),
    "kafka_gigabyte_out": Unit(Component.KAFKA_OUT, 10**9),
    "clickhouse_gigabyte": Unit(Component.CLICKHOUSE, 10**9),
}


@dataclass(frozen=True, slots=True)
class Price:
    """An entry of the book. begin: first day, UTC. end: the day after the last one; None until the next entry."""

    begin: date
    price: Decimal
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price as it is reckoned with. end: not included. attos: of one microsecond, key or byte, in 1e-18."""

    component: Component
    begin: date
    end: date
    attos: int


def tariffs(unit: str, prices: Sequence[Price]) -> tuple[Tariff, ...]:
    """The prices of a unit in the order of their days, each day with one of them at most.

    Raises ValueError naming the days that have none or two, and what to do.

    >>> [one.attos for one in tariffs("kafka_gigabyte_in", [Price(date(2026, 1, 1), Decimal("0.1"))])]
    [100000000]
    """
    ordered = sorted(prices, key=lambda one: one.begin)
    ends = [one.end or after.begin for one, after in pairwise(ordered)]
    ends += [one.end or LAST_DAY for one in ordered[-1:]]
    for one, end in zip(ordered, ends, strict=True):
        if not one.begin < end <= LAST_DAY:
            raise ValueError(f"{unit}: the price from {one.begin} is until {end}: give a day after its first")
    for end, after in zip(ends, ordered[1:], strict=False):
        if end < after.begin:
            raise ValueError(
                f"{unit} has a gap: no price from {end} until {after.begin}: leave `until` of the entry before out, "
                "and it lasts until the next one begins"
            )
        if end > after.begin:
            raise ValueError(
                f"{unit} has two prices from {after.begin} until {end}: let the earlier entry end where the later "
                "begins, or leave its `until` out"
            )
    return tuple(
        Tariff(UNITS[unit].component, one.begin, end, _attos(unit, one.price))
        for one, end in zip(ordered, ends, strict=True)
    )


def _attos(unit: str, price: Decimal) -> int:
    if not price.is_finite() or not 0 <= price <= DEAREST:
        raise ValueError(f"{unit} costs {price}: give a number from 0 to {DEAREST}")
    scaled = price.scaleb(DIGITS)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{unit} costs {price}: give at most {DIGITS} digits behind the point, so that sums are exact")
    return int(scaled) * (ATTOS // 10**DIGITS // UNITS[unit].per)
