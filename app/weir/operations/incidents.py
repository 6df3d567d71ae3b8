"""Where incidents come from: parts of services by the minutes in which their alerts fired, and what of budgets went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.edges.clickhouse import sql_files
from weir.monitor import durations
from weir.monitor.burn import BurnMonitor
from weir.monitor.slo import RULES, Slo

LASTING: Final = timedelta(days=30)  # that pages rank
MOST: Final = 1000  # parts that are ranked
WORDS: Final = {
    "drift": "inputs and scores",
    "outcome": "what the model is worth",
    "health": "how it is scored",
    "ledger": "what is accounted for",
    "cost": "what it costs",
    "slo": "promises",
    "learners": "learners",
    "own": "monitors of the project",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A component of a service, of the time that was asked about.

    minutes: in which at least one of its alerts fired; longest: of one incident. incidents: how many such times; paged:
    of them those in which somebody was woken. budget: share of the error budget of `objective` that went meanwhile, of
    the service's objectives the worst; None where it has none. latest: until when something fired, UTC.
    """

    service: str
    component: str
    minutes: float
    incidents: int
    paged: int
    longest: float
    alerts: int
    budget: float | None
    objective: str
    latest: datetime
    monitors: tuple[str, ...]

    @property
    def about(self) -> str:
        """What the component is, in words; empty of a folder that the project has named."""
        return WORDS.get(self.component, "")

    def plain(self) -> dict[str, Any]:
        """As a row of a table: monitors are one text."""
        return asdict(self) | {"monitors": " ".join(self.monitors), "latest": self.latest.isoformat()}


COLUMNS: Final = tuple(one.name for one in fields(Ranked))


def ranked(
    client: Client, burns: Iterable[BurnMonitor], begin: datetime, end: datetime, service: str = ""
) -> list[Ranked]:
    """The components whose alerts fired in [begin, end), that with most minutes first.

    burns: monitors of the project's objectives. service: of one alone. Raises Unavailable, Refused.
    """
    objectives = {one.objective.name: one.objective for one in burns}
    rows = sql_files.rows(client, "alerts/ranking", **parameters(begin, end, service))
    return [_of(row, objectives) for row in rows]


def parameters(begin: datetime, end: datetime, service: str = "") -> dict[str, Any]:
    """What the SQL of it takes."""
    rule = durations.written(RULES[0].long_s)  # whose windows are the shortest
    return {"service": service, "from": begin, "to": end, "limit": MOST, "rule": rule}


def _of(row: Mapping[str, Any], objectives: Mapping[str, Slo]) -> Ranked:
    shares = {
        name: seconds / objectives[name].window_s for name, seconds in dict(row["burned"]).items() if name in objectives
    }
    worst = max(shares, key=lambda name: shares[name], default="")
    return Ranked(
        service=row["of_service"],
        component=row["component"],
        minutes=row["minutes"],
        incidents=row["incidents"],
        paged=row["paged"],
        longest=row["longest"],
        alerts=row["alerts"],
        budget=shares.get(worst),
        objective=worst,
        latest=row["latest"].astimezone(UTC),
        monitors=tuple(row["monitors"]),
    )
