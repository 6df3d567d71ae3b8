"""How many false alarms a month may be expected of a bound, where anybody knows.

Of a calibrated bound its history says it. Of one whose figures have p-values the evidence that an alarm needs does: it
keeps a stated average run length (`weir.monitor.judge`). Of every other bound nobody knows before it is calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from weir.monitor.calibration import MONTH_S
from weir.monitor.judge import RUN_LENGTH, Bounds
from weir.monitor.spec import Monitor
from weir.monitor.threshold import Threshold

SEVERITIES: Final = ("warn", "page")
UNKNOWN: Final = "not known"
CALIBRATE: Final = "`weir monitors calibrate` finds out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """The bounds of one severity of a monitor, by subject, as a calibration found them.

    a_month: false alarms of all subjects together that may be expected; low, high: its interval at 90 %. windows: of
    the history, which ends at `until`.
    """

    bounds: Mapping[str, Threshold]
    a_month: float
    low: float
    high: float
    windows: int
    until: datetime


# monitor -> severity -> what a calibration found
OfService = Mapping[str, Mapping[str, Calibrated]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of the false alarms of a bound. a_month: of all subjects together; None where nobody knows.

    at_most: it is a limit that the test keeps, and no expectation. low, high: interval of an expectation. how: why.
    """

    a_month: float | None
    at_most: bool = False
    low: float | None = None
    high: float | None = None
    how: str

    @property
    def short(self) -> str:
        """For a cell.

        >>> Expected(a_month=0.72, at_most=True, how="").short, Expected(a_month=None, how="").short
        ('at most 0.72', 'not known')
        """
        if self.a_month is None:
            return UNKNOWN
        return f"{'at most ' if self.at_most else ''}{self.a_month:.2g}"

    def __str__(self) -> str:
        if self.a_month is None:
            return f"{UNKNOWN}: {self.how}"
        between = "" if self.low is None or self.high is None else f" ({self.low:.2g} to {self.high:.2g})"
        return f"{self.short} a month{between}: {self.how}"

    def row(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in ("a_month", "at_most", "low", "high", "how")}


def expected(monitor: Monitor, severity: str, calibrated: Calibrated | None = None) -> Expected | None:
    """Of one bound of a monitor, warn or page; None where it has none.

    calibrated: what was found for the service that is asked about.
    """
    if calibrated is not None:
        how = f"calibrated on {calibrated.windows:,} windows before {calibrated.until:%Y-%m-%d}"
        return Expected(a_month=calibrated.a_month, low=calibrated.low, high=calibrated.high, how=how)
    if getattr(monitor, severity) is None and not (severity == "warn" and monitor.usual):
        return None
    if monitor.p or monitor.usual:
        how = f"where nothing changes, one in {RUN_LENGTH:,} windows of all subjects together on average, by the test"
        return Expected(a_month=MONTH_S / monitor.window_s / RUN_LENGTH, at_most=True, how=how)
    if monitor.looks_back > 1:
        return Expected(a_month=None, how="it burns a budget, or it does not: no chance is reckoned with")
    held = "its whole interval lies beyond it" if monitor.low and monitor.high else "two windows in a row are beyond it"
    return Expected(a_month=None, how=f"it alarms where {held}; {CALIBRATE}")


def all_of(monitor: Monitor, of_monitor: Mapping[str, Calibrated] | None = None) -> dict[str, Expected]:
    """Of each bound that a monitor has, by severity."""
    found = {one: expected(monitor, one, (of_monitor or {}).get(one)) for one in SEVERITIES}
    return {one: said for one, said in found.items() if said is not None}


def cell(found: Mapping[str, Expected]) -> str:
    """Those of a monitor in a few words: one where all are the same."""
    words = {one: said.short for one, said in found.items()}
    if len(set(words.values())) <= 1:
        return next(iter(words.values()), "")
    return ", ".join(f"{one} {said}" for one, said in words.items())


def bound_of(monitor: Monitor, severity: str, subject: str, calibrated: Calibrated | None) -> Threshold | None:
    """What a subject is held to: the calibrated bound, or the monitor's own."""
    own: Threshold | None = getattr(monitor, severity)
    return own if calibrated is None else calibrated.bounds.get(subject, own)


def bounds(calibrated: OfService) -> dict[str, dict[str, Bounds]]:
    """Monitor -> subject -> calibrated bounds; of a severity that is not calibrated there is none."""
    said: dict[str, dict[str, dict[str, Threshold]]] = {}
    for monitor, severities in calibrated.items():
        for severity, found in severities.items():
            for subject, bound in found.bounds.items():
                said.setdefault(monitor, {}).setdefault(subject, {})[severity] = bound
    return {name: {subject: Bounds(**found) for subject, found in each.items()} for name, each in said.items()}


def written(calibrated: Calibrated) -> str:
    """The bounds of one severity in a few words.

    >>> some = {"a": Threshold(">", 0.1), "b": Threshold(">", 0.3)}
    >>> written(Calibrated(bounds=some, a_month=1, low=0, high=2, windows=9, until=datetime(2026, 1, 1)))
    '> 0.1 to 0.3 (calibrated)'
    """
    least, most = (pick(calibrated.bounds.values(), key=lambda one: one.bound) for pick in (min, max))
    return f"{least}{'' if least == most else f' to {most.bound:g}'} (calibrated)"
