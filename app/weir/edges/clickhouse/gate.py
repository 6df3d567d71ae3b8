"""What the gate needs to know: covers of windows, standing of partitions, offsets at fault. Costs windows, not rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core.chunk import LogPartition
from weir.core.standing import Cover, Standing
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import written

UNKNOWN: Final = datetime.fromtimestamp(0, UTC)  # the window of outcomes whose prediction's time nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is recorded of a service, for windows of some length.

    covers: by the window's begin; windows without predictions are not there. faults: runs of offsets (first, last),
    ascending, by partition, wherever the predictions of the asked time lie: not covered by the ledger, or read and not
    answered.
    """

    covers: Mapping[datetime, Sequence[Cover]]
    standings: Sequence[Standing]
    faults: Mapping[LogPartition, Sequence[tuple[int, int]]]


def services(client: Client) -> list[str]:
    """Services of which a request is recorded as scored or rejected, sorted. Raises Unavailable, Refused."""
    return [str(row["service"]) for row in sql_files.rows(client, "gate/services")]


def last_scored(client: Client, service: str) -> datetime | None:
    """The minute in which a request was scored or rejected last, None where none ever was.

    Raises Unavailable, Refused.
    """
    (row,) = sql_files.rows(client, "gate/last_scored", service=service)
    minute = _utc(row["minute"])
    return None if minute == UNKNOWN else minute


def standings(client: Client, service: str) -> list[Standing]:
    """How far each partition of a service's requests is recorded. Raises Unavailable, Refused."""
    return [_standing(row) for row in sql_files.rows(client, "gate/partitions", service=service)]


def recorded(
    client: Client,
    service: str,
    begin: datetime,
    end: datetime,
    step_s: int,
    standing: Sequence[Standing] | None = None,
) -> Recorded:
    """All that is recorded of predictions with event times in [begin, end).

    step_s: length of windows, whole minutes; they begin at multiples of it since 1970. standing: as `standings` gave it
    a moment ago; asked here otherwise.
    Raises Unavailable, Refused; ValueError for other lengths.
    """
    if step_s <= 0 or step_s % 60:
        raise ValueError(f"windows are whole minutes, not {step_s} s")
    asked: dict[str, Any] = {"service": service, "from": written(begin), "to": written(end)}
    # Standing and faults are asked before the covers: what comes between the questions makes a window larger than what
    # was looked at, and so holds it back, and never lets it through.
    standing = standings(client, service) if standing is None else standing
    faults: dict[LogPartition, list[tuple[int, int]]] = defaultdict(list)
    for row in sql_files.rows(client, "gate/faults", **asked):
        faults[_source(row)].append((row["first"], row["last"]))
    covers: dict[datetime, list[Cover]] = defaultdict(list)
    for row in sql_files.rows(client, "gate/windows", step=step_s, **asked):
        covers[_utc(row["begin"])].append(Cover(_source(row), row["first"], row["last"]))
    return Recorded(covers=covers, standings=standing, faults=faults)


def scored(client: Client, service: str, begin: datetime, end: datetime, step_s: int) -> dict[datetime, list[Cover]]:
    """Which requests were scored, or rejected, in each window of the scoring's time. Raises Unavailable, Refused."""
    asked = {"service": service, "from": written(begin), "to": written(end), "step": step_s}
    found: dict[datetime, list[Cover]] = defaultdict(list)
    for row in sql_files.rows(client, "gate/batches", **asked):
        found[_utc(row["begin"])].append(Cover(_source(row), row["first"], row["last"]))
    return found


def outcomes(client: Client, service: str, begin: datetime, end: datetime, step_s: int) -> dict[datetime, list[Cover]]:
    """Where the outcomes of the predictions of each window were read; under UNKNOWN those that name their request.

    Raises Unavailable, Refused.
    """
    asked = {"service": service, "from": written(begin), "to": written(end), "step": step_s}
    found: dict[datetime, list[Cover]] = defaultdict(list)
    for row in sql_files.rows(client, "gate/outcomes", **asked):
        source = LogPartition(row["log_id"], row["log_topic"], row["log_partition"])
        found[_utc(row["begin"])].append(Cover(source, row["first"], row["last"]))
    return found


def _standing(row: Mapping[str, Any]) -> Standing:
    newest = _utc(row["newest"])
    return Standing(
        source=_source(row),
        newest=newest if newest > UNKNOWN else None,
        last_covered=row["last_covered"],
        last_answered=row["last_answered"],
        waiting=row["waiting"],
    )


def _source(row: Mapping[str, Any]) -> LogPartition:
    return LogPartition(row["source_log"], row["source_topic"], row["source_partition"])


def _utc(time: datetime | int) -> datetime:
    """Arrow gives ClickHouse's DateTime as seconds, and its DateTime64 as a time."""
    return datetime.fromtimestamp(time, UTC) if isinstance(time, int) else time.astimezone(UTC)
