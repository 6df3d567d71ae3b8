"""What monitors found and what became of alerts, as far as it is recorded: what a monitor worker goes on from."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime

from clickhouse_connect.driver import Client

from weir.edges.clickhouse import sql_files
from weir.monitor.alert import Watched
from weir.monitor.alert_course import Memory
from weir.monitor.left import Left, Work
from weir.monitor.measurement import Key, Measurement, covers_of


def recorded(client: Client) -> dict[tuple[str, str], tuple[int, Work, datetime]]:
    """Offset of the last measurement, alert and action, by topic and log; and which window that measurement is of.

    Raises Unavailable, Refused.
    """
    return {
        (row["log_topic"], row["log_id"]): (
            row["place"],
            Work(row["service"], row["monitor"], row["step_s"]),
            _utc(row["begin"]),
        )
        for row in sql_files.rows(client, "measurements/recorded")
    }


def left(client: Client, since: datetime, outcomes: str) -> Left:
    """All that goes on from windows that began since then; of alerts, from all. Raises Unavailable, Refused.

    outcomes: topic of outcomes. `last` is to be found out by whoever knows the log.
    """
    found, asked = Left(outcomes), {"from": since}
    for row in sql_files.rows(client, "measurements/latest", **asked):
        key = Key(**{name: row[name] for name in ("monitor", "service", "subject", "segment", "step_s")})
        for memory in filter(None, (row["memory"], row["written"])):
            found.remember_alert(key, json.loads(memory))
        if row["memory"]:
            found.remember(key, _utc(row["begin"]), row["revision"], json.loads(row["memory"]))
    for row in sql_files.rows(client, "measurements/windows", **asked):
        work = Work(row["service"], row["monitor"], row["step_s"])
        covers, early = covers_of(row["covers"]), bool(row["early"])
        found.computed(work, _utc(row["begin"]), covers, row["revision"], row["age_s"], early=early)
        found.began(work, round(_utc(row["computed_at"]).timestamp() * 1000))
    found.proposed = {row["action_id"] for row in sql_files.rows(client, "measurements/actions")}
    for row in sql_files.rows(client, "measurements/alerts"):
        key, told = row["key"], Memory.of(json.loads(row["memory"]))
        found.watched[key] = Watched(**{one.name: row[one.name] for one in fields(Watched)})
        found.numbers[key], found.states[key] = row["number"], Memory.latest([found.alert(key), told])
    return found


def of_work(client: Client, work: Work, since: datetime) -> list[Measurement]:
    """The figures of one monitor of a service since then, by window and subject. Raises Unavailable, Refused."""
    asked = {"service": work.service, "monitor": work.monitor, "step": work.step_s, "from": since}
    return [Measurement.of(row) for row in sql_files.rows(client, "measurements/of_monitor", **asked)]


def _utc(time: datetime | int) -> datetime:
    return datetime.fromtimestamp(time, UTC) if isinstance(time, int) else time.astimezone(UTC)
