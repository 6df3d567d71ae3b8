"""What an address asks about: a window of time, a service, a part of its predictions, and what is chosen in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from weir.monitor.segment import EVERYTHING, FILTERS, Segment

RANGES: Final[Mapping[str, int]] = {"1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
USUAL: Final = "24h"
STEPS_S: Final = (60, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800)
MOST_WINDOWS: Final = 122  # a column of a chart for each, 8 pixels wide
LONGEST: Final = timedelta(seconds=STEPS_S[-1] * (MOST_WINDOWS - 2))  # two more where both ends are widened
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2105, 1, 1, tzinfo=UTC)  # with room for LONGEST's step
LONGEST_VALUE: Final = 300  # characters of one; what is longer is nobody's name
EVERY_S: Final = ((300, 5), (3600, 15))  # windows below so many seconds -> how often a live page asks; else SLOWEST_S
SLOWEST_S: Final = 60
PLAIN: Final = (
    *("service", *FILTERS, "metric", "feature", "subject", "state", "monitor"),
    *("reason", "letter", "alert", "learner"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that a page follows from. Any query string gives one.

    begin <= time < end, UTC, both whole multiples of step_s since 1970, so that a window is the same in every view and
    for `weir monitors run`. range: of RANGES, for a window that ends now and moves on; empty for one that stands still.
    at: begin of the one window that is chosen. subject: of a monitor's, the one whose rows are shown. query: what the
    address says, without what nobody knows.
    """

    begin: datetime
    end: datetime
    step_s: int
    range: str = USUAL
    service: str = ""
    segment: Segment = EVERYTHING
    metric: str = ""
    feature: str = ""
    subject: str = ""
    at: datetime | None = None
    state: str = ""
    monitor: str = ""
    reason: str = ""
    letter: str = ""
    alert: str = ""
    learner: str = ""
    now: datetime
    query: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(query: Mapping[str, str], now: datetime, **path: str) -> View:
        """Of a query string's values; path: what the address itself says, such as the service.

        >>> noon = datetime(2026, 11, 30, 12, 7, tzinfo=UTC)
        >>> one = View.of({"range": "7d", "version": "3", "colour": "red"}, noon)
        >>> one.range, one.step_s, one.segment.version, one.end.isoformat(), one.link(range="1h")
        ('7d', 7200, '3', '2026-11-30T14:00:00+00:00', '?range=1h&version=3')
        >>> View.of({"from": "2026-11-01T00:00Z", "to": "2026-11-01T06:00Z"}, noon).live
        False
        """
        kept = {name: value for name, value in {**query, **path}.items() if _is_fit(name, value)}
        begin, end, name = _window(kept, now)
        step_s = _step(kept.get("step", ""), (end - begin).total_seconds())
        segment = Segment(**{part: kept[part] for part in FILTERS if part in kept})
        at = _moment(kept.get("at", ""))
        return View(
            begin=_down(begin, step_s),
            end=_up(end, step_s),
            step_s=step_s,
            range=name,
            segment=segment,
            at=at,
            now=now,
            query={each: value for each, value in kept.items() if each not in path},
            **{each: kept[each] for each in PLAIN if each in kept and each not in FILTERS},
        )

    @property
    def live(self) -> bool:
        """Whether it ends now, and goes on."""
        return bool(self.range)

    @property
    def every_s(self) -> int:
        """How often a live page asks again."""
        return next((every for step_s, every in EVERY_S if self.step_s < step_s), SLOWEST_S)

    @property
    def version(self) -> str:
        """Of the model; empty for all."""
        return self.segment.version

    @property
    def variant(self) -> str:
        """Champion, shadow or another; empty for all."""
        return self.segment.variant

    @property
    def tenant(self) -> str:
        """On whose behalf; empty for all."""
        return self.segment.tenant

    @property
    def times(self) -> list[int]:
        """Begin of every window, seconds since 1970."""
        return list(range(int(self.begin.timestamp()), int(self.end.timestamp()), self.step_s))

    def words(self, **change: Any) -> dict[str, str]:
        """What the address says after a change; a value that is empty or None is left out."""
        changed = {name: _written(value) for name, value in change.items()}
        kept = {**self.query, **changed}
        if "range" in change:
            kept = {name: value for name, value in kept.items() if name not in ("from", "to", "step")}
        elif "from" in changed or "to" in changed:
            kept.pop("range", None)
        return {name: value for name, value in kept.items() if value}

    def link(self, **change: Any) -> str:
        """The query of the same page after a change, with its question mark."""
        return f"?{urlencode(self.words(**change))}"

    def kept(self, **chosen: Any) -> str:
        """The query of another page of the same time: without what is chosen on this one. chosen: what is, on that."""
        return self.link(**{**dict.fromkeys((*PLAIN, "at"), ""), **chosen})


def step_of(span_s: float) -> int:
    """Seconds of a window, so that there are at most MOST_WINDOWS of them also when both ends are widened.

    >>> step_of(86_400), step_of(2_592_000), step_of(1)
    (900, 21600, 60)
    """
    return next((step for step in STEPS_S if span_s / step <= MOST_WINDOWS - 1), STEPS_S[-1])


def _step(text: str, span_s: float) -> int:
    """The step that is asked for, in whole minutes and of not more windows than MOST_WINDOWS; else that of the span."""
    step_s = int(text) if text.isdecimal() and len(text) < 10 else 0
    fits = step_s > 0 and step_s % STEPS_S[0] == 0 and span_s / step_s <= MOST_WINDOWS
    return step_s if fits else step_of(span_s)


def _window(kept: Mapping[str, str], now: datetime) -> tuple[datetime, datetime, str]:
    """Begin, end and the name of a range; "" for one that stands still."""
    begin, end = _moment(kept.get("from", "")), _moment(kept.get("to", ""))
    if begin is None and end is None:
        name = kept.get("range", USUAL) if kept.get("range") in RANGES else USUAL
        return now - timedelta(seconds=RANGES[name]), now, name
    end = end or now
    if begin is None or begin >= end:
        begin = end - timedelta(days=1)
    return max(begin, end - LONGEST), end, ""


def _moment(text: str) -> datetime | None:
    """A time in ISO 8601, UTC where it says no zone, or seconds since 1970; None for everything else."""
    try:
        found = datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    try:
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None
    return min(max(found, EARLIEST), LATEST)


def _down(time: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(int(time.timestamp()) // step_s * step_s, UTC)


def _up(time: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(-(-int(time.timestamp()) // step_s) * step_s, UTC)


def _written(value: Any) -> str:
    """As an address says it: times in ISO 8601, UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "" if value is None else str(value)


def _is_fit(name: str, value: str) -> bool:
    """Whether a value of an address is looked at: of a known name, printable, no longer than any name."""
    known = name in PLAIN or name in ("range", "from", "to", "at", "step")
    return known and 0 < len(value) <= LONGEST_VALUE and value.isprintable()
