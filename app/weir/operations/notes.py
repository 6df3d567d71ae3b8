"""Notes that people write of alerts: seen, be silent for a while, speak again.

by: who says so; whoever runs this process where it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.monitor.alert import MATCHED, Note, NoteKind, Transition
from weir.monitor.alert_course import ALERT_ID, NUMBER
from weir.operations import one_record
from weir.operations.alerts import silences
from weir.operations.give_up import person
from weir.settings import Settings


def acknowledge(settings: Settings, one: Transition, reason: str, now: datetime, by: str = "") -> Note:
    """Say that this alert has been seen as it is, and the next of the same key not. Raises Unavailable, Refused."""
    seen = {ALERT_ID: one.alert_id, NUMBER: str(one.number)}
    return _written(settings, NoteKind.ACK, reason, now, by, key=one.watched.key, matchers=seen)


def silence(
    settings: Settings,
    matchers: Mapping[str, str],
    key: str,
    until: datetime,
    reason: str,
    now: datetime,
    by: str = "",
) -> Note:
    """Let alerts that fit be silent for a while: the one with a key, or those that all matchers fit.

    Raises Unavailable; Refused where a matcher names no field of an alert, or nothing says which are meant.
    """
    if unknown := [name for name in matchers if name not in MATCHED]:
        raise Refused(f"alerts have no {unknown[0]}", where="--match", remedy=f"write one of {', '.join(MATCHED)}")
    if not key and not matchers:
        raise Refused("nothing says which alerts are to be silent", remedy="name an alert, or --match FIELD=VALUE")
    if until <= now:
        raise Refused(f"a silence until {until:%Y-%m-%d %H:%M} is over", remedy="name a later time, or --for 2h")
    return _written(settings, NoteKind.SILENCE, reason, now, by, key=key, matchers=matchers, until=until)


def unsilence(settings: Settings, client: Client, which: str, reason: str, now: datetime) -> Note:
    """Take a silence back, which its id or how that begins names.

    Raises Unavailable; Refused where none in force is named so, or several are.
    """
    there = [one.note_id for one in silences(client, now)]
    named = [one for one in there if one.startswith(which)] if which else []
    if len(named) != 1:
        what = f"{len(named)} silences in force begin with {which}" if named else f"no silence in force is {which!r}"
        remedy = "give more of the id" if named else f"there are {', '.join(there)}" if there else "there is none"
        raise Refused(what, where="weir alerts silences", remedy=remedy)
    return _written(settings, NoteKind.UNSILENCE, reason, now, silence=named[0])


def _written(
    settings: Settings,
    kind: NoteKind,
    reason: str,
    now: datetime,
    by: str = "",
    *,
    key: str = "",
    matchers: Mapping[str, str] | None = None,
    silence: str = "",
    until: datetime | None = None,
) -> Note:
    note = Note(
        note_id=str(uuid4()),
        kind=kind,
        key=key,
        matchers=matchers or {},
        silence=silence,
        by=by or person(),
        reason=reason,
        at_ms=round(now.timestamp() * 1000),
        until_ms=round(until.timestamp() * 1000) if until else None,
    )
    one_record.write(settings, settings.kafka.names.alert_notes, "weir-alerts", note.row())
    return note
