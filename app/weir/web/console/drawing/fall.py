"""A waterfall of costs: what was metered by component, and where all of it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from weir.monitor.spec import Row
from weir.web.console.drawing.windows import by_subject, number

WIDE: Final = 1000  # of a whole
MOST_TENANTS: Final = 8
NAMES: Final = {
    "cpu": "scoring CPU",
    "gpu": "scoring GPU",
    "features": "feature reads",
    "kafka_in": "Kafka in",
    "kafka_out": "Kafka out",
    "clickhouse": "ClickHouse bytes",
    "idle": "idle workers",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """kind: metered, whole, tenant, lost or idle. x, wide: of WIDE; amount: in the price book's currency."""

    name: str
    kind: str
    x: float
    wide: float
    amount: float


@dataclass(frozen=True, slots=True)
class Fall:
    """Bars from the top, and their sums. unexplained: the largest that cost/conservation finds."""

    bars: tuple[Bar, ...]
    metered: float
    allocated: float
    idle: float
    lost: float
    unexplained: float | None


def fall(conservation: Sequence[Row], tenants: Sequence[Row]) -> Fall | None:
    """Sums over all windows of cost/conservation and cost/tenants; None where nothing has a price.

    Of what was allocated each tenant has its share; what no tenant is known of is `without a tenant`.
    """
    parts = by_subject(conservation)
    sums = {name: _sum(rows, "metered") for name, rows in parts.items()}
    whole = sum(sums.values())
    if not whole:
        return None
    allocated, idle, rejected, unrecorded = (
        sum(_sum(rows, name) for rows in parts.values()) for name in ("allocated", "idle", "rejected", "unrecorded")
    )
    bars, at = [], 0.0
    for name, amount in sorted(sums.items(), key=lambda one: -one[1]):
        bars.append(_bar(NAMES.get(name, name), "metered", at, amount, whole))
        at += amount
    bars.append(_bar("metered", "whole", 0.0, whole, whole))
    at = 0.0
    rest = (
        ("dead letters", "lost", rejected),
        ("answers without a record", "lost", unrecorded),
        ("idle", "idle", idle),
    )
    for name, kind, amount in (*_by_tenant(tenants, allocated), *rest):
        if amount or kind == "idle":
            bars.append(_bar(name, kind, at, amount, whole))
            at += amount
    return Fall(
        tuple(bars),
        whole,
        allocated,
        idle,
        rejected + unrecorded,
        max((row.value or 0 for row in conservation), default=None),
    )


def _by_tenant(rows: Sequence[Row], allocated: float) -> list[tuple[str, str, float]]:
    costs = {name: sum(row.value or 0.0 for row in mine) for name, mine in by_subject(rows).items()}
    order = sorted(costs, key=lambda name: -costs[name])
    found = [(name or "without a tenant", "tenant", costs[name]) for name in order[:MOST_TENANTS]]
    if left := order[MOST_TENANTS:]:
        found.append((f"{len(left)} other tenants", "tenant", sum(costs[name] for name in left)))
    return found if found else [("allocated", "tenant", allocated)]


def _bar(name: str, kind: str, at: float, amount: float, whole: float) -> Bar:
    return Bar(name, kind, round(WIDE * at / whole, 1), max(round(WIDE * amount / whole, 1), 2.0), amount)


def _sum(rows: Sequence[Row], name: str) -> float:
    return sum(number(row, name) or 0.0 for row in rows)
