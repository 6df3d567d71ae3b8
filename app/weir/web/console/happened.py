"""What happened to a service beside its alerts: releases, what they read, contracts, delays, and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from weir.core.errors import Refused
from weir.core.numbers import share, span, time, whole
from weir.monitor.words import listed
from weir.web.console import learned, releases
from weir.web.console.asking import Asker
from weir.web.console.releases import Release

LAG: Final = "health/lag"  # the monitor of it
ALL: Final = 0.995  # share of requests from which on it is all of them
CONTRACTS: Final = timedelta(days=9)  # for which contracts are looked up: every prediction of that time is read
NOT_KNOWN: Final = "which contract requests were written with"


@dataclass(frozen=True, slots=True)
class Event:
    """One line. kind: of its glyph; empty without one. said: more about it; by: who did it."""

    at: datetime
    kind: str
    what: str
    said: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Happened:
    """events: in their order. lacking: what was not looked up of that time; empty for nothing."""

    events: tuple[Event, ...]
    lacking: str = ""


def happened(asker: Asker, service: str, begin: datetime, end: datetime) -> Happened:
    """All that is recorded of a service in [begin, end). Raises Unavailable, Refused."""
    within = {"service": service, "from": begin, "to": end}
    found, reads, contracts, lag, actions, redrives = asker.all(
        lambda: releases.of(asker, service),
        lambda: asker.sql("alerts/reads", service=service),
        lambda: _contracts(asker, {**within, "to": min(end, begin + CONTRACTS)}),
        lambda: asker.sql("alerts/lag", **within),
        lambda: asker.sql("actions/list", **within),
        lambda: asker.sql("alerts/redrives", **within),
    )
    events = [
        *released(found, {row["digest"]: row for row in reads}),
        *contracted(contracts or ()),
        *map(_lag, lag),
        *map(acted, actions),
        *map(_sent, redrives),
    ]
    inside = sorted((one for one in events if begin <= one.at < end), key=lambda one: one.at)
    cut = f"{NOT_KNOWN} after {time(begin + CONTRACTS)}" if end > begin + CONTRACTS else ""
    return Happened(tuple(inside), NOT_KNOWN if contracts is None else cut)


def released(found: Sequence[Release], reads: Mapping[str, Mapping[str, Any]]) -> list[Event]:
    """Every stretch but the first, and what its bundle reads that the one before it of its variant did not.

    reads: rows of alerts/reads by digest.
    """
    events: list[Event] = []
    before: dict[str, Release] = {}
    for one in found:
        last, before[one.variant] = before.get(one.variant), one
        if one is found[0]:
            continue
        since = "the first hour in which it answered" if not one.again else f"{one.name} has answered before"
        events.append(Event(one.since, "", f"release {one.label}", since))
        changed = read(reads.get(last.digest), reads.get(one.digest)) if last else ""
        if changed:
            events.append(Event(one.since, "", f"features of {one.name}", changed))
    return events


def read(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """How what two bundles read differs, in a sentence; empty where it does not, or nothing is known of one.

    >>> old = {"views": ["stats"], "inputs": ["a", "b"], "features": "1f"}
    >>> read(old, {"views": ["stats", "weather"], "inputs": ["a", "wind"], "features": "2e"})
    'View weather is new. Input wind is new. Input b is gone. Definitions of features are others.'
    >>> read(old, old), read(None, old)
    ('', '')
    """
    if before is None or after is None:
        return ""
    said = [
        f"{_several(name, [each for each in of[one] if each not in other[one]])} {what}"
        for one, name in (("views", "view"), ("inputs", "input"))
        for of, other, what in ((after, before, "new"), (before, after, "gone"))
        if any(each not in other[one] for each in of[one])
    ]
    if before["features"] and after["features"] and before["features"] != after["features"]:
        said.append("definitions of features are others")
    return " ".join(f"{each[0].upper()}{each[1:]}." for each in said)


def contracted(rows: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Contracts that come into use, and those that most requests go back to. rows: of alerts/contracts.

    What is in use in the first hour has always been.
    """
    hours = [list(group) for _, group in groupby(rows, key=lambda row: row["begin"])]
    if not hours:
        return []
    seen = {row["contract"] for row in hours[0]}
    most = _most(hours[0])["contract"]
    events = []
    for hour in hours[1:]:
        n, leads = sum(row["n"] for row in hour), _most(hour)["contract"]
        new = [row for row in hour if row["contract"] not in seen]
        for row in new:
            part = row["n"] / n
            of = "all" if part > ALL else share(part)
            said = f"{of} of the requests of that hour were written with it; before, most with {most}"
            events.append(Event(_utc(row["since"]), "", f"input contract {row['contract']}", said))
        if leads != most and leads not in {row["contract"] for row in new}:
            said = f"most requests are written with it, before with {most}"
            events.append(Event(_utc(hour[0]["begin"]), "", f"input contract {leads} leads", said))
        seen |= {row["contract"] for row in hour}
        most = leads
    return events


def acted(row: Mapping[str, Any]) -> Event:
    """An action that was proposed or taken. row: of actions/list."""
    what = learned.CALLED.get(row["kind"], "proposal")
    by = row["proposed_by"].removeprefix(learned.BY)
    return Event(_utc(row["proposed"]), learned.KINDS.get(row["kind"], ""), what, learned.sentence(row["sentence"]), by)


def _contracts(asker: Asker, within: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """None where it takes too long: the other events are said without them. Raises Unavailable."""
    try:
        return asker.sql("alerts/contracts", **within)
    except Refused:
        return None


def _lag(row: Mapping[str, Any]) -> Event:
    since, until = _utc(row["since"]), _utc(row["until"])
    said = f"requests waited up to {span(row['most_s'])} for their batch, for {span((until - since).total_seconds())}"
    return Event(since, "alarm" if row["paged"] else "look", "lag", said)


def _sent(row: Mapping[str, Any]) -> Event:
    letters = "1 dead letter" if row["letters"] == 1 else f"{whole(row['letters'])} dead letters"
    if row["given_up_for"]:
        return Event(_utc(row["since"]), "", f"{letters} given up", row["given_up_for"], row["by"])
    changed = "" if row["repair"] == "none" else "with what was wrong put right"
    return Event(_utc(row["since"]), "", f"{letters} sent again", changed, row["by"])


def _most(hour: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return max(hour, key=lambda row: (row["n"], -row["contract"]))


def _several(name: str, which: Sequence[str]) -> str:
    return f"{name} {which[0]} is" if len(which) == 1 else f"{name}s {listed(list(which))} are"


def _utc(at: datetime | int) -> datetime:
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int) else at.astimezone(UTC)
