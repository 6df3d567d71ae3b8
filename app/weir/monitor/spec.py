"""A monitor: a question to the record, as one SQL file with a header asks it, and what its answer is held to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from weir.core.signature import Task
from weir.monitor.baseline import NOTHING, Baseline
from weir.monitor.segment import EVERYTHING, Segment
from weir.monitor.threshold import Threshold
from weir.monitor.usual import Way

GRAINS_S: Final = {"_hour": 3600, "_day": 86_400}  # ending of a rolled-up table -> seconds of its windows
ON_DEMAND: Final = -1  # cadence of a monitor that is asked when somebody asks
FINEST_S: Final = 60  # of a rolled-up table without such an ending


class Unit(StrEnum):
    """Of a monitor's value."""

    MS = "ms"
    S = "s"
    SHARE = "share"
    USD = "usd"
    MONEY = "money"  # of the price book's currency
    AUC = "auc"
    COUNT = "count"
    NUMBER = "number"  # without a unit, or in that of what the service predicts
    RATE = "rate"  # a second
    BYTES = "bytes"
    NATS = "nats"
    PSI = "psi"
    KS = "ks"


class Panel(StrEnum):
    """How it is drawn."""

    LINES = "lines"
    FAN = "fan"
    HEAT = "heat"
    HISTOGRAMS = "histograms"
    POINTS = "points"
    STRIPS = "strips"
    WATERFALL = "waterfall"
    TILES = "tiles"
    TABLE = "table"


class Stroke(StrEnum):
    """How a line is drawn."""

    PLAIN = ""
    DASHED = "dashed"
    BASE = "base"  # in the grey of what others are compared with


@dataclass(frozen=True, slots=True)
class Series:
    """A column that is drawn as a line. label: as the legend has it."""

    column: str
    label: str
    stroke: Stroke = Stroke.PLAIN


@dataclass(frozen=True, slots=True)
class Level:
    """A level that is drawn across, in the unit of the value, and its name on the line."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """One file: its header, checked, and its SQL.

    time, value, n, low, high, p: columns of the answer; empty where it has none. subject: columns that tell rows of
    one window apart. window_s: of one row where nobody asks for another. minimum: rows (n) below which nothing is
    said of a window. maturity: share of labels that a window needs, 0 for none. cadence_s: how often a worker looks
    for windows of it that are due; 0 where that follows from label delay and traffic (`cadence.look_s`), ON_DEMAND
    where no worker asks it. filters: of a segment, those
    that it obeys. grain: tables that it may read. usual: where a figure goes when it gets worse than its own last
    windows, by subject, of all others under ''; a monitor with bounds has none. target: of a KPI, what is good.
    slo: name of the objective that a KPI is linked with. like: name of the one that Weir brings whose SQL it has. own:
    the project's. action: what an alert of it proposes when it fires; '' nothing.
    verdict: who says in a sentence what its rows say (`weir.monitor.verdicts`); '' is plain. series: the columns that
    are drawn, `value` alone where it names none. rule: a level that is drawn across, beside warn and page.
    parameters: name -> type as the SQL has them. sha256: of the file, hex.
    """

    name: str
    question: str
    title: str
    source: str
    tasks: tuple[Task, ...]
    time: str
    subject: tuple[str, ...] = ()
    value: str
    unit: Unit
    n: str
    low: str = ""
    high: str = ""
    p: str = ""
    warn: Threshold | None = None
    page: Threshold | None = None
    usual: Mapping[str, Way] = field(default_factory=dict)
    minimum: int = 1
    window_s: int = 3600
    baseline: Baseline = NOTHING
    maturity: float = 0.0
    cadence_s: int = 0
    panel: Panel = Panel.LINES
    filters: tuple[str, ...] = ()
    grain: tuple[str, ...] = ()
    owner: str = ""
    target: Threshold | None = None
    slo: str = ""
    like: str = ""
    runbook: str = ""
    action: str = ""
    verdict: str = ""
    series: tuple[Series, ...] = ()
    rule: Level | None = None
    own: bool = False
    parameters: Mapping[str, str]
    sql: str
    sha256: str

    @property
    def is_kpi(self) -> bool:
        """Whether it is held to a target of the business."""
        return self.target is not None

    @property
    def on_demand(self) -> bool:
        """Whether it is asked only when a person asks: nothing of it is stored, and it raises no alert."""
        return self.cadence_s == ON_DEMAND

    @property
    def looks_back(self) -> int:
        """Of how many windows a figure is, the last of which is its own."""
        return 1

    def is_of(self, service: str) -> bool:
        """Whether it is asked of a service."""
        return bool(service)

    @property
    def figures(self) -> dict[str, str]:
        """Column of the answer that is each of time, value, n, low, high and p; those that it has."""
        named = {part: getattr(self, part) for part in ("time", "value", "n", "low", "high", "p")}
        return {part: column for part, column in named.items() if column}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a monitor is asked about: windows of step_s seconds from `begin` until before `end`, UTC.

    Windows begin at whole multiples of step_s since 1970. baseline: id of what to compare with ("reference", or the
    name of a captured one); empty for what the monitor's header says. base_*: the other side of a pair, or the window
    to compare with where the baseline is one. season: '', hour, weekday or hour_of_week. subject: one of them alone.
    """

    service: str
    begin: datetime
    end: datetime
    step_s: int
    segment: Segment = EVERYTHING
    subject: str = ""
    baseline: str = ""
    base_version: str = ""
    base_variant: str = ""
    base_begin: datetime | None = None
    base_end: datetime | None = None
    season: str = ""

    @property
    def times(self) -> tuple[datetime, ...]:
        """Every bound of time in it."""
        return tuple(time for time in (self.begin, self.end, self.base_begin, self.base_end) if time is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One window's figure of one subject.

    begin: of the window, UTC. subject: its words, with / between them where there are several; empty for the service.
    value: None where the window gives none. n: rows behind it. low, high: an interval; p: of no change. details: every
    other column of the answer, by name.
    """

    begin: datetime
    subject: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    p: float | None = None
    details: Mapping[str, Any]


def coarsest(table: str, grain: tuple[str, ...], asked: Asked) -> str:
    """Of the tables of a family (`traffic`, `traffic_hour`), the coarsest whose windows divide all that is asked.

    grain: a monitor's tables, which holds at least one of the family.

    >>> from datetime import UTC
    >>> noon, tables = datetime(2026, 1, 1, 12, tzinfo=UTC), ("traffic", "traffic_hour")
    >>> coarsest("traffic", tables, Asked(service="a", begin=noon, end=noon.replace(hour=18), step_s=7200))
    'traffic_hour'
    >>> coarsest("traffic", tables, Asked(service="a", begin=noon, end=noon.replace(minute=30), step_s=1800))
    'traffic'
    """
    family = sorted((one for one in grain if one == table or one.startswith(f"{table}_")), key=grain_s)
    whole = math.gcd(asked.step_s, *(int(time.timestamp()) for time in asked.times))
    fitting = [one for one in family if whole % grain_s(one) == 0]
    return (fitting or family)[-1 if fitting else 0]


def grain_s(table: str) -> int:
    """Seconds of a rolled-up table's windows.

    >>> grain_s("histograms_hour"), grain_s("histograms")
    (3600, 60)
    """
    return next((size for ending, size in GRAINS_S.items() if table.endswith(ending)), FINEST_S)
