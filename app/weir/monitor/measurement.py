"""What one monitor found in one window of one subject."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

IDS: Final = uuid.UUID("5b1c3f0a-6f0e-5e0c-9b57-0f3a7b6d2c41")  # namespace of ids; changed, all are others

MOST_DETAILS: Final = 262_144  # bytes of a measurement's details: with all else it fits into a record of its topic
SHORT: Final = 1024  # bytes of a detail that is kept where all are too many


class State(StrEnum):
    """What a measurement says."""

    OK = "ok"
    WARN = "warn"
    PAGE = "page"
    FEW = "few"  # too few rows to say anything
    IMMATURE = "immature"  # too few outcomes
    FAILED = "failed"  # the query did not answer


SILENT: Final = frozenset({State.FEW, State.IMMATURE})  # the window says nothing of the figure


@dataclass(frozen=True, slots=True)
class Covered:
    """Offsets first to last, inclusive, of a partition of a log."""

    log: str
    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Which figure it is, whatever the window: monitor, service, subject, segment, and the windows' length in seconds.

    subject: the values of the monitor's subject columns, joined by /. segment: as --where takes it.
    """

    monitor: str
    service: str
    subject: str = ""
    segment: str = ""
    step_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure. Times are milliseconds since 1970, event time but for computed_ms; [begin_ms, end_ms).

    value, low, high, expected: in `unit`; expected is value's mean if nothing had changed. n: rows behind it.
    p: of a test of "nothing changed"; p_adjusted: over all subjects of the window. log_e: evidence over windows.
    maturity: share of predictions whose outcome is known. details: what else belongs to the figure, for JSON.
    revision: 0, and one more each time that late data made it anew. memory: of `judge` and of the alert, for JSON.
    """

    key: Key
    monitor_sha: str
    baseline: str = ""
    begin_ms: int
    end_ms: int
    value: float | None
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    expected: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    log_e: float | None = None
    state: State
    maturity: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    covers: tuple[Covered, ...] = ()
    revision: int = 0
    memory: Mapping[str, Any] = field(default_factory=dict)
    computed_ms: int
    worker: str

    @property
    def measurement_id(self) -> str:
        """The same for whoever computes the same revision of the same window."""
        return id_of(self.key, self.begin_ms, self.revision)

    def row(self) -> dict[str, Any]:
        """The fields of measurements/v1.avsc. What is not finite is null there."""
        return {
            "measurement_id": self.measurement_id,
            **{name: getattr(self.key, name) for name in _KEY},
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            **{name: _finite(getattr(self, name)) for name in _NUMBERS},
            "state": self.state.value,
            "begin": self.begin_ms,
            "end": self.end_ms,
            "computed_at": self.computed_ms,
            "details": _details(self.details),
            "memory": text_of(self.memory),
            "covers": covers_text(self.covers),
        }

    @staticmethod
    def of(row: Mapping[str, Any]) -> Measurement:
        """From a row as `row` gives it, or as it is read from Kafka or ClickHouse: with times of Python."""
        return Measurement(
            key=Key(**{name: row[name] for name in _KEY}),
            **{name: row[name] for name in (*_AS_THEY_ARE, *_NUMBERS)},
            state=State(row["state"]),
            begin_ms=ms_of(row["begin"]),
            end_ms=ms_of(row["end"]),
            computed_ms=ms_of(row["computed_at"]),
            details=json.loads(row["details"]),
            memory=json.loads(row["memory"]),
            covers=covers_of(row["covers"]),
        )


_KEY: Final = tuple(item.name for item in fields(Key))
_NUMBERS: Final = ("value", "low", "high", "expected", "p", "p_adjusted", "log_e", "maturity")
_AS_THEY_ARE: Final = ("monitor_sha", "baseline", "unit", "n", "revision", "worker")


@lru_cache(16_384)  # it is asked for when a figure's alert is judged, and when all figures of a run are written
def id_of(key: Key, begin_ms: int, revision: int) -> str:
    """The id of the measurement of one revision of a window."""
    named = [key.service, key.monitor, key.subject, key.segment, key.step_s, begin_ms, revision]
    return str(uuid.uuid5(IDS, json.dumps(named)))


@lru_cache(256)  # all figures of a window have the same
def covers_text(covers: tuple[Covered, ...]) -> str:
    """As the contracts have it: a JSON array of [log, topic, partition, first, last]."""
    return json.dumps([[item.log, item.topic, item.partition, item.first, item.last] for item in covers])


def covers_of(said: str | Iterable[Any]) -> tuple[Covered, ...]:
    """From that text, or from what a table holds of it."""
    items = json.loads(said) if isinstance(said, str) else said
    return tuple(Covered(*(item.values() if isinstance(item, Mapping) else item)) for item in items)


def ms_of(time: int | datetime) -> int:
    """Milliseconds since 1970. A time without a zone is of UTC.

    >>> ms_of(datetime(2013, 7, 1, 15)), ms_of(1372690800000)
    (1372690800000, 1372690800000)
    """
    if isinstance(time, int):
        return time
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def text_of(values: Mapping[str, Any]) -> str:
    """A JSON object with sorted keys, so that the same values are the same text.

    JSON has no word for what is not finite: null. A decimal is a number in it, anything else unknown to it a text.

    >>> text_of({"b": float("inf"), "a": [1, {"c": 2.5}]})
    '{"a": [1, {"c": 2.5}], "b": null}'
    >>> text_of({"sum": Decimal("1.5"), "day": datetime(2013, 7, 1)})
    '{"day": "2013-07-01 00:00:00", "sum": 1.5}'
    """
    try:
        return json.dumps(values, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):  # something in it is not finite, or of another kind: that is rare
        return json.dumps(_plain(values), sort_keys=True, allow_nan=False)


def _details(values: Mapping[str, Any]) -> str:
    """Their text; of those that would fill a record only what is short, and how much is left out."""
    text = text_of(values)
    if len(text) <= MOST_DETAILS:
        return text
    short = {name: value for name, value in values.items() if len(text_of({name: value})) <= SHORT}
    return text_of(short | {"left_out_bytes": len(text) - len(text_of(short))})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | Decimal):
        return _finite(float(value))
    return value if value is None or isinstance(value, str | int) else str(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None  # NaN compares false
