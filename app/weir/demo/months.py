"""What Weir's own monitors answer of the replay: what has moved and how good it was, by month, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.edges.clickhouse import monitors
from weir.monitor import assess
from weir.monitor.judge import judge
from weir.monitor.measurement import State
from weir.monitor.spec import Asked, Monitor, Row
from weir.settings import Settings

ONE_WINDOW_S: Final = 4_294_965_600  # of whole hours, since 1970: all that is asked about lies in it
ALL_TIME: Final = (datetime(2013, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
INPUTS: Final = ("drift/features", "drift/categories")
CONSERVED: Final = 0.01  # of what is metered may be unexplained, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """An input that is not as the bundle's reference has it: beyond the monitor's bound, and no chance."""

    name: str
    psi: float
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month. begin: its first instant, UTC. drifted: by PSI, the greatest first; of `inputs` that were looked at.

    figures: name -> value, low, high of those that outcomes say; where there is no interval, None. maturity: share of
    predictions whose outcome is known.
    """

    begin: datetime
    predictions: int
    inputs: int
    drifted: tuple[Drifted, ...]
    outcomes: int
    maturity: float
    figures: Mapping[str, tuple[float | None, float | None, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the service cost, in `currency`; None where something has no price.

    allocated: to predictions. rejected: to dead letters. idle: to nobody. unexplained: greatest share of a component
    that is neither.
    """

    currency: str
    predictions: int
    metered: float | None
    allocated: float | None
    rejected: float | None
    idle: float | None
    unexplained: float
    components: Mapping[str, float | None]

    def per_thousand(self, amount: float | None) -> float | None:
        """An amount as so much per 1,000 predictions."""
        return None if amount is None or not self.predictions else 1000 * amount / self.predictions


def by_month(settings: Settings, client: Client, service: str, begin: datetime, end: datetime) -> list[Month]:
    """The months that [begin, end) touches. Raises Unavailable, Refused."""
    files, of = monitors.files(settings), monitors.meaning(client, service)

    def asked(name: str, since: datetime, until: datetime) -> tuple[Monitor, list[Row]]:
        what = Asked(service=service, begin=since, end=until, step_s=ONE_WINDOW_S)
        return files[name], monitors.run(client, files[name], what, of)

    found = []
    for since, until in _months(begin, end):
        moved = [asked(name, since, until) for name in INPUTS]
        (auc,) = asked("outcome/auc", since, until)[1]
        (loss,) = asked("outcome/log_loss", since, until)[1]
        decided = {row.subject: row for row in asked("outcome/decisions", since, until)[1]}
        (value,) = asked("outcome/value", since, until)[1]
        figures = {"auc": auc, "log_loss": loss, **decided, "mean_value": value}
        found.append(
            Month(
                begin=since,
                predictions=int(auc.details["predictions"]),
                inputs=sum(len(rows) for _, rows in moved),
                drifted=tuple(sorted(_drifted(moved), key=lambda one: -one.psi)),
                outcomes=round(auc.details["maturity"] * auc.details["predictions"]),
                maturity=float(auc.details["maturity"]),
                figures={name: (row.value, row.low, row.high) for name, row in figures.items()},
            )
        )
    return found


def cost(settings: Settings, client: Client, service: str) -> Cost:
    """Of all that the service's workers did. Raises Unavailable, Refused."""
    files = monitors.files(settings)
    asked = Asked(service=service, begin=ALL_TIME[0], end=ALL_TIME[1], step_s=ONE_WINDOW_S)
    components = monitors.run(client, files["cost/conservation"], asked)
    tenants = monitors.run(client, files["cost/tenants"], asked)
    sums = {
        part: _sum([row.details[part] for row in components]) for part in ("metered", "allocated", "rejected", "idle")
    }
    return Cost(
        currency=components[0].details["currency"],
        predictions=sum(row.n for row in tenants),
        unexplained=max(row.value or 0.0 for row in components),
        components={row.subject: row.details["metered"] for row in components},
        **sums,
    )


def _drifted(moved: Sequence[tuple[Monitor, list[Row]]]) -> list[Drifted]:
    """Judged as the monitor worker judges a first window: by the monitors' own bounds."""
    found = []
    for monitor, rows in moved:
        values = {row.subject: row.value for row in rows}
        for one in judge(assess.rule_of(monitor), rows, {}):
            if one.state in (State.WARN, State.PAGE):
                found.append(Drifted(name=one.subject, psi=float(values[one.subject] or 0.0), state=one.state))
    return found


def _months(begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Begin and end of each.

    >>> found = _months(datetime(2013, 11, 5, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))
    >>> [f"{begin:%m-%d} {end:%m-%d}" for begin, end in found]
    ['11-01 12-01', '12-01 01-01']
    """
    first = datetime(begin.year, begin.month, 1, tzinfo=UTC)
    found = []
    while first < end:
        after = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
        found.append((first, after))
        first = after
    return found


def _sum(amounts: Sequence[Any]) -> float | None:
    return None if any(amount is None for amount in amounts) else float(sum(amounts))
