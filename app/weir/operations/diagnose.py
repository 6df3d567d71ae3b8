"""Why did it change? One window of a service against the time before it, cause by cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.edges.clickhouse import reports, sql_files
from weir.edges.clickhouse.client import written
from weir.edges.clickhouse.results import has_view, view_of
from weir.learn.learner import MONITOR
from weir.monitor import diagnosis
from weir.monitor.diagnosis import Circumstances, Diagnosis, Group, Stages
from weir.monitor.moves import LEVELS, Pair, Part, Seen

BEFORE: Final = 24  # windows before the change that it is compared with: a day of hours
MOST_GROUPS: Final = 8  # that are looked at without their rows: each costs two questions
SIDES: Final = ("before", "window")
NOTHING: Final = Part(0, 0, np.zeros(len(LEVELS)))
_Truths = dict[int, tuple[tuple[int, float, float], tuple[int, float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be explained: [begin, end) of a service against [base_begin, base_end), event time."""

    service: str
    begin: datetime
    end: datetime
    base_begin: datetime
    base_end: datetime

    @staticmethod
    def of(service: str, begin: datetime, end: datetime) -> Change:
        """Against the time before it: BEFORE times as long."""
        return Change(service=service, begin=begin, end=end, base_begin=begin - BEFORE * (end - begin), base_end=begin)

    def parameters(self) -> dict[str, Any]:
        """Of the questions about it."""
        times = {"from": self.begin, "to": self.end, "base_from": self.base_begin, "base_to": self.base_end}
        return {"service": self.service, **{name: written(time) for name, time in times.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What an alert is about. sentence: its latest."""

    alert_id: str
    service: str
    monitor: str
    subject: str
    sentence: str
    since: datetime
    until: datetime


def alert(client: Client, which: str) -> Alert:
    """An alert by its id or key, or by how one begins; of a key the latest. Raises Unavailable, Refused."""
    rows = sql_files.rows(client, "diagnose/alert", alert=which, limit=20) if which else []
    if not rows:
        raise Refused(f"there is no alert {which}", remedy="`weir alerts list` names those that there are")
    if len({row["key"] for row in rows}) > 1:
        near = ", ".join(str(row["alert_id"]) for row in rows[:5])
        raise Refused(f"several alerts begin with {which}", remedy=f"write more of it: {near}")
    row = rows[0]
    return Alert(
        **{name: row[name] for name in ("alert_id", "service", "monitor", "subject", "sentence")},
        since=_utc(row["since"]),
        until=_utc(row["until"]),
    )


def change_of(found: Alert) -> Change:
    """What an alert's windows are to be compared with. Of a long one its first day: what came first is the cause.

    Raises Refused for one of a learner: its guard says why, and no window of predictions does.
    """
    if found.monitor == MONITOR:
        remedy = f"`weir learners show {found.subject}` says which guard stopped it, and what it saw"
        raise Refused(f"alert {found.alert_id} is of a learner, which no change of predictions explains", remedy=remedy)
    return Change.of(found.service, found.since, min(found.until, found.since + timedelta(days=1)))


def explain(client: Client, change: Change) -> Diagnosis:
    """Causes of a change, ranked. Raises Unavailable; Refused where a side has no predictions."""
    meaning = reports.meaning(client, change.service)
    view = view_of(change.service)
    there = has_view(client, change.service)
    labels = {
        "results": view,
        "labels": list(meaning.labels),
        "positive": meaning.labels[1] if len(meaning.labels) == 2 else "",
    }
    asked = change.parameters()

    def seen(dimension: str = "", value: str = "") -> Seen:
        without = {"dimension": dimension, "value": value}
        values = _values(sql_files.rows(client, "diagnose/values", **asked, **without))
        truths = _truths(sql_files.rows(client, "diagnose/labels", **asked, **without, **labels)) if there else {}
        return Seen(values=values, truths=truths)

    everything = seen()
    score = everything.values.get("")
    for side in SIDES:
        if score is None or not getattr(score, side).rows:
            raise Refused(
                f"there is no prediction of {change.service} in the {'time before' if side == 'before' else 'window'}",
                remedy="give other times by --from, --to, --base-from and --base-to",
            )
    counted = [row for name in ("groups", "runtimes") for row in sql_files.rows(client, f"diagnose/{name}", **asked)]
    groups = [
        group if group.window >= 1 else _without(group, seen(group.dimension, group.value))
        for group in _groups(counted)
    ]
    return diagnosis.diagnose(everything, groups, _circumstances(client, asked, everything))


def _without(group: Group, rest: Seen) -> Group:
    return Group(dimension=group.dimension, value=group.value, before=group.before, window=group.window, without=rest)


def _values(rows: Iterable[Mapping[str, Any]]) -> dict[str, Pair]:
    sides: dict[str, dict[str, Part]] = {}
    for row in rows:
        points = np.array(row["points"], float)
        sides.setdefault(row["name"], {})[row["part"]] = Part(row["rows"], row["missing"], np.nan_to_num(points))
    return {name: Pair(*(parts.get(side, NOTHING) for side in SIDES)) for name, parts in sides.items()}


def _truths(rows: Iterable[Mapping[str, Any]]) -> _Truths:
    bins: dict[int, dict[str, tuple[int, float, float]]] = {}
    for row in rows:
        bins.setdefault(row["bin"], {})[row["part"]] = (row["rows"], row["mean"], row["spread"])
    return {place: (parts["before"], parts["window"]) for place, parts in bins.items() if len(parts) == len(SIDES)}


def _groups(rows: Iterable[Mapping[str, Any]]) -> list[Group]:
    """Groups that may be causes, the largest first."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    totals: dict[tuple[str, str], int] = {}
    for row in rows:
        counts.setdefault((row["dimension"], row["group"]), {})[row["part"]] = row["rows"]
        of = row["dimension"], row["part"]
        totals[of] = totals.get(of, 0) + row["rows"]
    found = [
        Group(
            dimension=dimension,
            value=value,
            before=parts.get("before", 0) / max(1, totals.get((dimension, "before"), 0)),
            window=parts.get("window", 0) / max(1, totals.get((dimension, "window"), 0)),
        )
        for (dimension, value), parts in counts.items()
    ]
    return sorted((one for one in found if one.suspect), key=lambda one: -one.window)[:MOST_GROUPS]


def _circumstances(client: Client, asked: Mapping[str, Any], seen: Seen) -> Circumstances:
    parts = {row["part"]: row for row in sql_files.rows(client, "diagnose/stages", **asked)}
    stages = [
        Stages(**{name: parts[side][name] for name in ("lookup_us", "run_us", "other_us", "lag_us")})
        for side in SIDES
        if side in parts
    ]
    stores = sql_files.rows(client, "diagnose/stores", **asked)
    views = {row["view"] for row in stores}
    letters = sql_files.rows(client, "diagnose/letters", **asked)
    rows = {side: getattr(seen.values[""], side).rows for side in SIDES}
    return Circumstances(
        stages=(stages[0], stages[1]) if len(stages) == len(SIDES) else None,
        unavailable=_risen(stores, "view", "unavailable"),
        stale=_risen(stores, "view", "stale"),
        letters=_risen([{**row, "rows": rows[row["part"]] + row["letters"]} for row in letters], "reason", "letters"),
        views={name: view for name in seen.values for view in views if name.startswith(f"{view}__")},
    )


def _risen(rows: Iterable[Mapping[str, Any]], by: str, count: str) -> dict[str, float]:
    """By how much the share of rows has risen beyond chance; those alone that have."""
    sides: dict[str, dict[str, tuple[int, int]]] = {}
    for row in rows:
        sides.setdefault(row[by], {})[row["part"]] = (row[count], row["rows"])
    found = {}
    for name, parts in sides.items():
        (k, n), (m, w) = parts.get("before", (0, 1)), parts.get("window", (0, 1))
        rise = m / w - k / n - 3 * ((k + 1) / (n * w)) ** 0.5
        if rise > 0:
            found[name] = rise
    return found


def _utc(time: datetime | int) -> datetime:
    return datetime.fromtimestamp(time, UTC) if isinstance(time, int) else time.astimezone(UTC)
