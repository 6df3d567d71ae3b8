"""Truth joined to predictions: how good the scores were, and what the decisions were worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clickhouse_connect.driver import Client

from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import sql_files

# ClickHouse's DateTime64 reaches from 1900 to 2299; requests of all times lie between these.


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One variant of one model version over a window of event time.

    role: answer; or shadow, on whose decisions nobody acted.
    scored: rows. joined: those whose outcome is known. auc: over the joined, None with one label only.
    caught, missed, false_alerts: joined rows by decision and label. value_nusd: nano-dollars; costs are negative.
    """

    role: str
    service: str
    model: str
    version: str
    variant: str
    scored: int
    joined: int
    auc: float | None
    caught: int
    missed: int
    false_alerts: int
    value_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Outcomes, the latest of each prediction. joined: with a prediction. orphans: without."""

    received: int
    joined: int
    orphans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewAges:
    """Age of one feature view at the requests of one model version; features/ages.sql says what the numbers count."""

    service: str
    model: str
    version: str
    view: str
    rows: int
    present: int
    nulls: int
    stale: int
    not_found: int
    unavailable: int
    from_the_future: int
    youngest_s: int
    oldest_s: int


def performance(
    client: Client, service: str = "", begin: datetime = BEGINNING, end: datetime = END
) -> list[Performance]:
    """By role, service and variant of a model version, over begin <= event_time < end. Raises Unavailable, Refused."""
    window = {"service": service, "from": begin, "to": end}
    grain = ("role", "service", "model", "version", "variant")
    auc = {tuple(row[name] for name in grain): row["auc"] for row in sql_files.rows(client, "outcomes/auc", **window)}
    return [
        Performance(
            role=row["role"],
            service=row["service"],
            model=row["model"],
            version=row["version"],
            variant=row["variant"],
            scored=row["scored"],
            joined=row["joined"],
            auc=auc.get(tuple(row[name] for name in grain)),
            caught=row["caught"],
            missed=row["missed"],
            false_alerts=row["false_alerts"],
            value_nusd=int(row["value_nusd"]),
        )
        for row in sql_files.rows(client, "outcomes/value", **window)
    ]


def received(client: Client) -> Received:
    """How many outcomes there are. Raises Unavailable, Refused."""
    return Received(**sql_files.rows(client, "outcomes/received")[0])


def feature_ages(client: Client, service: str = "", begin: datetime = BEGINNING, end: datetime = END) -> list[ViewAges]:
    """By model version and feature view, over begin <= event_time < end (UTC). Raises Unavailable, Refused."""
    window = {"service": service, "from": begin, "to": end}
    return [ViewAges(**row) for row in sql_files.rows(client, "features/ages", **window)]
