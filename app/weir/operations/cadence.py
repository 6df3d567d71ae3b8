"""How often is it worth asking? By the traffic of a service and the delay of its outcomes, of predictions themselves.

The monitor worker knows the same by counts that are kept (`edges.clickhouse.pace`).
"""

from __future__ import annotations

import math

from clickhouse_connect.driver import Client

from weir.edges.clickhouse import reports, sql_files
from weir.edges.clickhouse.results import view_of
from weir.monitor.cadence import Traffic


def traffic(client: Client, service: str) -> Traffic | None:
    """What a service sees, of its newest week; None without a prediction. Raises Unavailable, Refused."""
    labels = reports.meaning(client, service).labels
    positive = labels[1] if len(labels) == 2 else ""
    found = sql_files.rows(client, "gate/traffic", service=service, results=view_of(service), positive=positive)
    if not found or not found[0]["rows"]:
        return None
    row = found[0]
    delay_s = float(row["delay_s"] or 0)
    return Traffic(
        rows_s=row["rows"] / max(1, row["seconds"]),
        positive=min(0.99, max(0.01, row["positive"] or 0.5)),
        labelled=row["labelled"],
        delay_s=0.0 if math.isnan(delay_s) else delay_s,
    )
