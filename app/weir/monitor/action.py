"""What Weir proposes to do. Nobody does it by himself: who does it, or whether anybody does, is not said here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from weir.monitor.measurement import IDS, ms_of, text_of

RETRAIN: Final = "retrain"  # kind of a request for training: see `weir train`


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One proposal. Times are milliseconds since 1970.

    kind: a word of whoever proposes it. subject: part of the service's traffic, as --where takes it; empty: all.
    parameters: what whoever does it needs, for JSON. evidence: the monitor and its parameters that show why, for JSON.
    [begin_ms, end_ms): the time that it is for. at_ms: when it was proposed.
    """

    kind: str
    service: str
    subject: str
    proposed_by: str
    sentence: str
    parameters: Mapping[str, Any]
    evidence: Mapping[str, Any]
    measurement_id: str
    begin_ms: int
    end_ms: int
    at_ms: int

    @property
    def action_id(self) -> str:
        """The same for whoever proposes the same for the same time, whatever has made him."""
        named = [self.proposed_by, self.kind, self.service, self.subject, self.begin_ms, self.end_ms]
        return str(uuid.uuid5(IDS, json.dumps(named)))

    def row(self) -> dict[str, Any]:
        """The fields of actions/v1.avsc."""
        return {
            "action_id": self.action_id,
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            **{name: text_of(getattr(self, name)) for name in _OBJECTS},
            **{name: getattr(self, f"{name}_ms") for name in _TIMES},
        }

    @staticmethod
    def of(row: Mapping[str, Any]) -> Action:
        """From a row as `row` gives it, or as it is read from Kafka: with times of Python."""
        said: dict[str, Any] = {name: row[name] for name in _AS_THEY_ARE}
        said |= {name: json.loads(row[name]) for name in _OBJECTS}
        said |= {f"{name}_ms": ms_of(row[name]) for name in _TIMES}
        return Action(**said)


_OBJECTS: Final = ("parameters", "evidence")
_TIMES: Final = ("begin", "end", "at")
_OTHERS: Final = (*_OBJECTS, *(f"{name}_ms" for name in _TIMES))
_AS_THEY_ARE: Final = tuple(item.name for item in fields(Action) if item.name not in _OTHERS)
