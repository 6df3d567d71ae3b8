"""Whether every request is accounted for: what was read is scored or rejected, nothing is missing, nobody is behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core import numbers
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import written
from weir.monitor import words
from weir.monitor.verdict import State, Verdict

SETTLED: Final = timedelta(minutes=2)  # after which what was read is in all tables: recorders write every few seconds
LATE: Final = timedelta(minutes=5)  # behind the newest of a service, from which a partition may be behind
MOST_FAULTS: Final = 2  # in a sentence
MOST_SINCE: Final = 4  # of which it is asked since when; a statement each
GAPS: Final = 10  # of arrivals by chance, one gap in 22,000 is ten times as long as the mean: exp(-10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Offsets of a partition that no entry covers, or that were read and have no answer, and since when."""

    service: str
    log: str
    topic: str
    partition: int
    missing: int
    first: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A partition whose newest prediction is older than others', or that has records without an answer behind it."""

    service: str
    topic: str
    partition: int
    newest: datetime
    late_s: float
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What was read in a time, and what became of it: read = scored + rejected, in records.

    unbalanced: read, and counted as neither. missing: offsets; lost says which. behind: partitions, the latest first.
    """

    read: int
    scored: int
    rejected: int
    missing: int
    lost: tuple[Lost, ...]
    behind: tuple[Behind, ...]
    verdict: Verdict

    @property
    def unbalanced(self) -> int:
        """Records that entries count neither as scored nor as rejected."""
        return self.read - self.scored - self.rejected

    @property
    def equation(self) -> str:
        """In figures."""
        parts = f"{numbers.whole(self.scored)} scored + {numbers.whole(self.rejected)} rejected"
        return f"{numbers.whole(self.read)} read = {parts}"


@dataclass(frozen=True, slots=True)
class Partition:
    """One of sql/overview/partitions.sql. newest: event time; None where nothing of this time was scored."""

    service: str
    log: str
    topic: str
    number: int
    newest: datetime | None
    predictions: int
    waiting: int
    missing: int
    first_missing: int


def partitions(client: Client, begin: datetime, end: datetime, service: str = "") -> list[Partition]:
    """Every partition of a service, or of all, as far as it is recorded. Raises Unavailable, Refused."""
    asked = {"from": written(begin), "to": written(end), "settled": written(end - SETTLED)}
    return [
        Partition(
            service=row["service"],
            log=row["source_log"],
            topic=row["source_topic"],
            number=row["source_partition"],
            newest=datetime.fromtimestamp(row["newest_ms"] / 1000, UTC) if row["newest_ms"] > 0 else None,
            predictions=row["predictions"],
            waiting=row["waiting"],
            missing=row["missing"],
            first_missing=row["first_missing"],
        )
        for row in sql_files.rows(client, "overview/partitions", **asked)
        if not service or row["service"] == service
    ]


def balance(
    client: Client, found: Sequence[Partition], begin: datetime, end: datetime, services: Iterable[str]
) -> Balance:
    """Of some services. found: their partitions. Raises Unavailable, Refused."""
    asked = {"from": written(begin), "to": written(end)}
    of = set(services)
    entries = [row for row in sql_files.rows(client, "overview/entries", **asked) if row["service"] in of]
    read, scored, rejected = (sum(row[name] for row in entries) for name in ("read", "scored", "rejected"))
    most = sorted((one for one in found if one.missing), key=lambda one: -one.missing)
    lost = tuple(_lost(client, one, asked if place < MOST_SINCE else None) for place, one in enumerate(most))
    late = tuple(sorted(behind(found, begin, end), key=lambda one: -one.late_s))
    missing = sum(one.missing for one in lost)
    said = _verdict(read, read - scored - rejected, lost, late)
    return Balance(read=read, scored=scored, rejected=rejected, missing=missing, lost=lost, behind=late, verdict=said)


def behind(found: Sequence[Partition], begin: datetime, end: datetime) -> list[Behind]:
    """Partitions that are behind others of their service.

    ClickHouse does not know what the log still holds. A partition that has had traffic is behind where nothing came of
    it for much longer than usual while others of the service went on; or where it was read and has no answers.
    """
    newest: dict[str, datetime] = {}
    for one in found:
        if one.newest is not None:
            newest[one.service] = max(newest.get(one.service, one.newest), one.newest)
    late = []
    for one in found:
        if one.newest is None or not one.predictions:
            continue
        off = newest[one.service] - one.newest
        usual = (one.newest - begin) / one.predictions
        if off > max(LATE, GAPS * usual) or (one.waiting and end - one.newest > LATE):
            seconds = max(off, timedelta(0)).total_seconds() or (end - one.newest).total_seconds()
            late.append(
                Behind(
                    service=one.service,
                    topic=one.topic,
                    partition=one.number,
                    newest=one.newest,
                    late_s=seconds,
                    waiting=one.waiting,
                )
            )
    return late


def newest(client: Client, found: Sequence[Partition], end: datetime) -> dict[str, datetime]:
    """Event time of the newest prediction of each service, also of those that scored nothing in this time.

    Raises Unavailable, Refused.
    """
    known: dict[str, datetime] = {}
    for one in found:
        if one.newest is not None:
            known[one.service] = max(known.get(one.service, one.newest), one.newest)
    if {one.service for one in found} - known.keys():
        for row in sql_files.rows(client, "overview/newest", to=written(end)):
            known.setdefault(row["service"], datetime.fromtimestamp(row["newest_ms"] / 1000, UTC))
    return known


def complete_to(found: Sequence[Partition], late: Sequence[Behind]) -> Mapping[str, datetime]:
    """Event time to which the record of each service is complete, as far as ClickHouse can tell: of what is behind."""
    known: dict[str, datetime] = {}
    for one in found:
        if one.newest is not None:
            known[one.service] = max(known.get(one.service, one.newest), one.newest)
    for each in late:
        known[each.service] = min(known[each.service], each.newest)
    return known


def _lost(client: Client, one: Partition, asked: Mapping[str, Any] | None) -> Lost:
    """asked: the time in which to look for its begin; None where nobody reads so far."""
    place: dict[str, Any] = {
        "service": one.service,
        "log": one.log,
        "topic": one.topic,
        "partition": one.number,
    }
    if asked is None:
        return Lost(**place, missing=one.missing, first=one.first_missing, since=None)
    (row,) = sql_files.rows(client, "overview/since", **place, offset=one.first_missing, **asked)
    since = datetime.fromtimestamp(row["since"], UTC) if row["since"] else None
    return Lost(**place, missing=one.missing, first=one.first_missing, since=since)


def _verdict(read: int, unbalanced: int, lost: Sequence[Lost], late: Sequence[Behind]) -> Verdict:
    if not read and not lost and not late:
        return Verdict(State.UNKNOWN, "Nothing was read in this time.")
    faults = [_missing(one) for one in lost]
    faults += [f"partition {one.partition} of {one.service} is {numbers.span(one.late_s)} behind" for one in late]
    if unbalanced:
        faults.append(f"{words.many(unbalanced, 'record')} {words.be(unbalanced)} neither scored nor rejected")
    if not faults:
        return Verdict(State.OK, "Every request is accounted for, to the offset.")
    state = State.ALARM if lost or unbalanced else State.LOOK
    tail = " All else adds up, to the offset." if len(faults) <= MOST_FAULTS else ""
    return Verdict(state, f"Almost. {words.begun(words.listed(faults, MOST_FAULTS))}.{tail}")


def _missing(one: Lost) -> str:
    since = f" since {numbers.time(one.since)}" if one.since else ""
    offsets = words.many(one.missing, "offset")
    return f"{offsets} of {one.service}, partition {one.partition} {words.be(one.missing)} missing{since}"
