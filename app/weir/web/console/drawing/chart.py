"""What <weir-chart> draws, as its JSON (see static/chart.js)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

Values = Sequence[float | None]

DIGITS: Final = 6  # of a value in a picture: a pixel is a thousandth. Rows and CSV have all of them
TONES: Final = ("s1", "s2", "s3", "s4", "s5")
DASHES: Final = ((), (6, 3), (2, 3), (8, 3, 2, 3), (4, 2))  # so that lines are told apart in grey
MOST_LINES: Final = len(TONES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """values: one a point. dash: lengths of it and its gap. line: False for points alone. low, high: intervals."""

    label: str
    values: Values
    tone: str = "s1"
    dash: Sequence[int] = ()
    width: float | None = None
    step: bool = False
    fill: float | None = None
    points: bool = False
    size: int | None = None
    hollow: bool = False
    line: bool = True
    bars: bool = False
    low: Values = ()
    high: Values = ()
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What lies between two lines. weight: how dense it is, from 0 to 1."""

    low: Values
    high: Values
    label: str = ""
    tone: str = "s1"
    weight: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A level across. soft: it may lie outside of what is shown."""

    at: float
    label: str
    tone: str = "warn"
    soft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment, seconds since 1970."""

    at: int
    label: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One picture over time (t, seconds since 1970) or over x.

    name: what it shows, for whoever does not see it. begin, end: of the axis of time. left: pixels for the axis's
    figures. diagonal: two ends, of a line on which both axes agree. says: what each point is, in words; made of the
    lines otherwise.
    """

    name: str
    kind: str = "lines"
    t: Sequence[int] = ()
    x: Values = ()
    begin: int | None = None
    end: int | None = None
    series: Sequence[Line]
    bands: Sequence[Band] = ()
    rules: Sequence[Rule] = ()
    marks: Sequence[Mark] = ()
    held: Sequence[Sequence[int]] = ()
    shaded: Sequence[Sequence[int]] = ()
    unit: str = "number"
    currency: str = ""
    zero: bool = False
    range: tuple[float, float] | None = None
    height: int = 190
    left: int | None = None
    diagonal: tuple[float, float] | None = None
    says: Sequence[str] = ()
    x_unit: str = ""
    x_log: bool = False
    x_range: tuple[float, float] | None = None
    x_ticks: Sequence[tuple[float, str]] = ()
    x_says: Sequence[str] = ()

    @property
    def data(self) -> dict[str, Any]:
        """What stands in the element as its JSON."""
        found = _plain(self, leave=("name", "kind", "begin", "end"))
        return found | {name: at for name, at in (("from", self.begin), ("to", self.end)) if at is not None}


def tones(index: int) -> dict[str, Any]:
    """Tone and dash of one of several lines.

    >>> tones(1)
    {'tone': 's2', 'dash': (6, 3)}
    """
    return {"tone": TONES[index % MOST_LINES], "dash": DASHES[index % MOST_LINES]}


def _plain(one: Any, leave: Sequence[str] = ()) -> dict[str, Any]:
    """A dataclass as JSON has it, without what is drawn so anyway."""
    values = {field.name: getattr(one, field.name) for field in fields(one) if field.name not in leave}
    return {
        name: _short(value)
        for name, value in values.items()
        if name == "series" or (value is False if name == "line" else not _is_usual(value))
    }


def _is_usual(value: Any) -> bool:
    """Whether it is what is drawn where nothing is said: nothing, which 0 is not."""
    return value is None or value is False or (isinstance(value, str | Sequence) and not value)


def _short(value: Any) -> Any:
    """Numbers to some digits, everything else as it is."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {name: _short(each) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [_short(each) for each in value]
    return _plain(value)
