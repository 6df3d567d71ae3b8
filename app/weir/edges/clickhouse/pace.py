"""The traffic of a service and the delay of its outcomes, by counts that are kept: cheap whatever the traffic."""

from __future__ import annotations

from clickhouse_connect.driver import Client

from weir.edges.clickhouse import sql_files
from weir.monitor.cadence import Traffic


def traffic(client: Client, service: str, positive: str) -> Traffic | None:
    """Of its newest week, and of outcomes as far as they are counted; None without a prediction.

    positive: its class of two, or ''. Where no outcome is counted yet, all are taken to come at once.
    Raises Unavailable, Refused.
    """
    found = sql_files.rows(client, "gate/pace", service=service, positive=positive)
    if not found or not found[0]["rows"]:
        return None
    row = found[0]
    share = row["positive"]
    return Traffic(
        rows_s=row["rows"] / max(1, row["seconds"]),
        positive=min(0.99, max(0.01, 0.5 if share is None else share)),
        labelled=row["labelled"] if row["known"] else 1.0,
        delay_s=float(row["delay_s"] or 0),
    )
