"""Whether this machine's clock and others' agree: times of the log of labelled outcomes are for good."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver import Client

from weir.core.errors import Unavailable
from weir.edges.clickhouse import sql_files

APART_MS: Final = 600_000  # clocks are not further apart; what is from later on has a wrong time


def check(client: Client, now_ms: int) -> None:
    """Raises Unavailable where this machine's clock is ahead of ClickHouse's: days would be closed too early."""
    (row,) = sql_files.rows(client, "learners/clock")
    ahead_ms = now_ms - int(row["now_ms"])
    if ahead_ms > APART_MS:
        what = f"this machine's clock is {ahead_ms / 3_600_000:,.1f} hours ahead of ClickHouse's"
        raise Unavailable(what, remedy="set the clocks of both by NTP; learners go on by themselves then")


def by_now(said: pa.Table, now_ms: int) -> tuple[pa.Table, int]:
    """Outcomes, none of which has come later than now; and how many were further ahead than clocks are apart.

    Else one whose writer's clock is ahead would put all that come behind it at its own time, and close the days until
    then. said: with a column at_ms.
    """
    came = said.column("at_ms")
    ahead = pc.sum(pc.greater(came, now_ms + APART_MS)).as_py() or 0
    columns = {name: said.column(name) for name in said.schema.names} | {"at_ms": pc.min_element_wise(came, now_ms)}
    return pa.table(columns, schema=said.schema), ahead
