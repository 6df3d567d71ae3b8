"""Alerts: what is watched, what became of it, and what people say of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from weir.monitor.measurement import Covered, covers_of, covers_text, ms_of, text_of


class AlertState(StrEnum):
    """Where an alert is. Resolved is as quiet as ok: the latest one is over."""

    OK = "ok"
    PENDING = "pending"  # it is bad, not yet for long enough
    FIRING = "firing"
    RESOLVED = "resolved"


class Mark(StrEnum):
    """What is said of a firing alert, which goes on firing."""

    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"


class Severity(StrEnum):
    """Whom it disturbs: page wakes somebody up, ticket waits for the morning."""

    TICKET = "ticket"
    PAGE = "page"


@lru_cache(maxsize=100_000)  # every figure of every window asks for it
def _key(*names: str) -> str:
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What an alert is about, and who is told.

    cause: alerts with the same are told as one. runbook: entry of the run-book; empty without.
    """

    service: str
    monitor: str
    subject: str = ""
    segment: str = ""
    owner: str = ""
    cause: str = ""
    runbook: str = ""

    @property
    def key(self) -> str:
        """Names what is watched: 16 hex characters. Owner, cause and run-book may change under it."""
        return _key(self.service, self.monitor, self.subject, self.segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of an alert. Times are milliseconds since 1970.

    number: of the key's transitions, from 1 without gaps. alert_id: from pending or firing until resolved.
    at_ms: end of the window that caused it, or when a mark was made. evidence: the monitor and the parameters that show
    it again, for JSON. by, reason: of a mark. silence: the note that keeps it from being told; empty: it is told.
    memory: state of the alert after it, for JSON.
    """

    watched: Watched
    number: int
    alert_id: str
    from_state: AlertState
    to_state: AlertState | Mark
    at_ms: int
    severity: Severity
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    measurement_id: str = ""
    begin_ms: int
    end_ms: int
    covers: tuple[Covered, ...] = ()
    by: str = ""
    reason: str = ""
    silence: str = ""
    memory: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The fields of alerts/v1.avsc."""
        return {
            "key": self.watched.key,
            **{name: getattr(self.watched, name) for name in _WATCHED},
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            "from_state": self.from_state.value,
            "to_state": self.to_state.value,
            "severity": self.severity.value,
            "at": self.at_ms,
            "begin": self.begin_ms,
            "end": self.end_ms,
            "evidence": text_of(self.evidence),
            "memory": text_of(self.memory),
            "covers": covers_text(self.covers),
        }

    @staticmethod
    def of(row: Mapping[str, Any]) -> Transition:
        """From a row as `row` gives it, or as it is read from Kafka or ClickHouse: with times of Python."""
        to_state: AlertState | Mark = (
            AlertState(row["to_state"]) if row["to_state"] in _STATES else Mark(row["to_state"])
        )
        return Transition(
            watched=Watched(**{name: row[name] for name in _WATCHED}),
            **{name: row[name] for name in _AS_THEY_ARE},
            from_state=AlertState(row["from_state"]),
            to_state=to_state,
            severity=Severity(row["severity"]),
            at_ms=ms_of(row["at"]),
            begin_ms=ms_of(row["begin"]),
            end_ms=ms_of(row["end"]),
            evidence=json.loads(row["evidence"]),
            memory=json.loads(row["memory"]),
            covers=covers_of(row["covers"]),
        )


_STATES: Final = frozenset(AlertState)
_WATCHED: Final = tuple(item.name for item in fields(Watched))
_AS_THEY_ARE: Final = ("number", "alert_id", "sentence", "measurement_id", "by", "reason", "silence")
MATCHED: Final = ("service", "monitor", "subject", "segment", "owner", "cause", "severity")  # what matchers may name


class NoteKind(StrEnum):
    """What a note does."""

    ACK = "ack"
    SILENCE = "silence"
    UNSILENCE = "unsilence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a person says of alerts: of the one with `key`, or of those that all matchers fit.

    matchers: field of MATCHED -> value, * for any characters. silence: of unsilence, the note that is taken back.
    until_ms: end of a silence.
    """

    note_id: str
    kind: NoteKind
    key: str = ""
    matchers: Mapping[str, str] = field(default_factory=dict)
    silence: str = ""
    by: str
    reason: str
    at_ms: int
    until_ms: int | None = None

    def fits(self, watched: Watched, severity: Severity) -> bool:
        """Whether it speaks of this alert. One without key and matchers speaks of none."""
        if self.key:
            return self.key == watched.key
        named = {name: getattr(watched, name, severity.value) for name in MATCHED}
        return bool(self.matchers) and all(
            fnmatchcase(named.get(name, ""), pattern.replace("[", "[[]").replace("?", "[?]"))
            for name, pattern in self.matchers.items()
        )

    def row(self) -> dict[str, Any]:
        """The fields of alert_notes/v1.avsc."""
        return {
            **{name: getattr(self, name) for name in ("note_id", "key", "silence", "by", "reason")},
            "kind": self.kind.value,
            "matchers": text_of(self.matchers),
            "at": self.at_ms,
            "until": self.until_ms,
        }

    @staticmethod
    def of(row: Mapping[str, Any]) -> Note:
        """From a row as `row` gives it, or as it is read from Kafka or ClickHouse: with times of Python."""
        return Note(
            **{name: row[name] for name in ("note_id", "key", "silence", "by", "reason")},
            kind=NoteKind(row["kind"]),
            matchers=json.loads(row["matchers"]),
            at_ms=ms_of(row["at"]),
            until_ms=None if row["until"] is None else ms_of(row["until"]),
        )
