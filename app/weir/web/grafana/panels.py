"""A panel for a monitor, by what its header says: its drawing, lines, unit and bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    bargauge,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
    trend,
    xychart,
)
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.xychart import XYShowMode

from weir.core import numbers
from weir.monitor import false_alarms
from weir.monitor.spec import Monitor, Panel, Stroke, Unit
from weir.monitor.threshold import Threshold
from weir.web.grafana.queries import SOURCE, Query, of_monitor

CLICKHOUSE: Final = model.DataSourceRef(type_val=SOURCE["type"], uid=SOURCE["uid"])
UNITS: Final = {
    Unit.MS: "ms",
    Unit.S: "s",
    Unit.SHARE: "percentunit",
    Unit.USD: "currencyUSD",
    Unit.RATE: "reqps",
    Unit.BYTES: "bytes",
}
CALM, LOOK, ALARM = "transparent", "orange", "red"
IN_ORDER: Final = "green"
BASE: Final = "#7d8c96"
WIDTH, HEIGHT = 12, 8
SERVICES_PAGE: Final = "/s/${service}"
ROWS: Final = 500  # of a table

# What of a monitor is one row: sums over its windows, which still add up.
SUMS: Final = {
    "ledger/totals": ("n AS read", "scored AS scored", "rejected AS rejected", "unbalanced AS unbalanced"),
    "cost/conservation": (
        "metered AS metered",
        "allocated AS allocated",
        "rejected AS rejected",
        "unrecorded AS unrecorded",
        "idle AS idle",
    ),
}
# x and y of points, and whatever else is drawn, of the newest window.
POINTS: Final = {
    "outcome/calibration": ("chance", "came_true", "chance AS right", "low", "high"),
    "outcome/error_by_value": ("toFloat64(from_value) AS value", "bias", "low", "high"),
}
# value, and its share in the window and in the baseline, of the newest window of one subject.
SIDES: Final = {"drift/feature": "values", "drift/category": "cell"}


def of(monitor: Monitor) -> Any:
    """Its panel, as a builder."""
    kind: Any = table.Panel if monitor.name == "drift/category" else KINDS[monitor.panel]
    made = (
        kind()
        .title(monitor.question)
        .description(described(monitor))
        .datasource(CLICKHOUSE)
        .links([to_console(SERVICES_PAGE)])
        .span(WIDTH)
        .height(HEIGHT)
        .with_target(Query(sql(monitor), series=monitor.panel in SERIES))
    )
    if unit := UNITS.get(monitor.unit):
        made = made.unit(unit)
    if monitor.warn or monitor.page or monitor.panel in SERIES:
        made = made.thresholds(thresholds(monitor))
    dress = DRESSED.get(monitor.panel)
    return dress(made, monitor) if dress else made


def to_console(page: str) -> build.DashboardLink:
    """A link to a page of the console, which begins with `/`."""
    return build.DashboardLink("In the console").url(f"${{console}}{page}").target_blank(True)


def described(monitor: Monitor) -> str:
    """What it shows, and by which rule it is judged."""
    rule = "; ".join(
        f"{word} where {'above' if bound.rises else 'below'} {numbers.figure(bound.bound, monitor.unit.value)}"
        for word, bound in (("look", monitor.warn), ("alarm", monitor.page))
        if bound is not None
    )
    if monitor.usual:
        rule = "look where it is worse than its own last 28 windows make likely"
    filters = [name for name in ("version", "tenant") if name not in monitor.filters]
    not_split = f" Not split by {' or '.join(filters)}." if filters else ""
    false = false_alarms.cell(false_alarms.all_of(monitor))
    expected = f" False alarms a month: {false}." if false else ""
    return f"{monitor.title}. {rule[:1].upper()}{rule[1:] or 'Held to no bound'}.{expected}{not_split} ({monitor.name})"


def thresholds(monitor: Monitor) -> build.ThresholdsConfig:
    """The bounds as Grafana's steps, from below to above."""
    calm = IN_ORDER if monitor.panel in (Panel.HEAT, Panel.STRIPS, Panel.TILES) else CALM
    bounds = [(bound, colour) for bound, colour in ((monitor.warn, LOOK), (monitor.page, ALARM)) if bound is not None]
    rising = [(bound, colour) for bound, colour in bounds if bound.rises]
    falling = [(bound, colour) for bound, colour in bounds if not bound.rises]
    steps = [model.Threshold(value=None, color=calm)]
    for bound, colour in sorted(rising, key=_place):
        steps.append(model.Threshold(value=bound.bound, color=colour))
    if falling:  # what is below the least bound is the worst
        colours = [colour for _, colour in sorted(falling, key=_place)]
        steps = [model.Threshold(value=None, color=colours[0])]
        for (bound, _), colour in zip(sorted(falling, key=_place), [*colours[1:], calm], strict=True):
            steps.append(model.Threshold(value=bound.bound, color=colour))
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _place(one: tuple[Threshold, str]) -> float:
    return one[0].bound


def sql(monitor: Monitor) -> str:
    """What its panel asks: the monitor's own statement, and around it what the drawing needs of the answer."""
    subject = "${feature:sqlstring}" if monitor.name in SIDES else ""
    inner = f"(\n{of_monitor(monitor, subject)}\n)"
    if columns := SUMS.get(monitor.name):
        sums = ", ".join(f"sum({each.split(' AS ')[0]}) AS {each.split(' AS ')[1]}" for each in columns)
        return f"SELECT {sums} FROM {inner}"
    if points := POINTS.get(monitor.name):
        newest = f"SELECT * FROM {inner} WHERE {monitor.n} >= {monitor.minimum} ORDER BY {monitor.time} DESC"
        return f"SELECT {', '.join(points)} FROM ({newest} LIMIT 1 WITH TIES) ORDER BY 1"
    if column := SIDES.get(monitor.name):
        newest = f"SELECT * FROM {inner} ORDER BY {monitor.time} DESC LIMIT 1"
        joined = f"{column} AS x, share AS window, base_share AS baseline"
        return f"SELECT x, window, baseline FROM ({newest}) ARRAY JOIN {joined} ORDER BY x"
    if monitor.panel not in SERIES:
        return f"SELECT * FROM {inner} ORDER BY {monitor.time} DESC LIMIT {ROWS}"
    words = ", ".join(f"toString({name})" for name in monitor.subject)
    series = f", arrayStringConcat([{words}], '/') AS series" if words else ""
    drawn = [f"{one.column} AS `{one.label}`" for one in monitor.series] or [f"{monitor.value} AS `{monitor.value}`"]
    if has_band(monitor):
        drawn += [f"{monitor.low} AS low", f"{monitor.high} AS high"]
    return f"SELECT {monitor.time} AS at{series}, {', '.join(drawn)} FROM {inner} ORDER BY at"


def has_band(monitor: Monitor) -> bool:
    """Whether an interval is drawn around its one line."""
    return bool(monitor.panel in (Panel.LINES, Panel.FAN) and monitor.low and monitor.high and not monitor.subject)


def _lines(panel: timeseries.Panel, monitor: Monitor) -> timeseries.Panel:
    """Lines as the header says: one in grey to compare with, one dashed, a band between low and high."""
    panel = panel.line_width(1).fill_opacity(0).show_points(common.VisibilityMode.AUTO).span_nulls(False)
    if monitor.warn or monitor.page:
        dashed = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds_style(dashed)
    for one in monitor.series:
        if one.stroke is Stroke.DASHED:
            panel = panel.override_by_name(one.label, [_set("custom.lineStyle", {"fill": "dash", "dash": [6, 4]})])
        if one.stroke is Stroke.BASE:
            panel = panel.override_by_name(one.label, [_set("color", {"mode": "fixed", "fixedColor": BASE})])
    if has_band(monitor):
        hidden = _set("custom.lineWidth", 0)
        panel = panel.override_by_name("low", [hidden]).override_by_name(
            "high", [hidden, _set("custom.fillBelowTo", "low"), _set("custom.fillOpacity", 15)]
        )
    return panel


def _histograms(panel: Any, monitor: Monitor) -> Any:
    return panel.x_field("x") if monitor.name == "drift/feature" else panel


def _points(panel: xychart.Panel, _: Monitor) -> xychart.Panel:
    """Points alone: what lies between two of them is nothing."""
    return panel.show(XYShowMode.POINTS)


def _set(name: str, value: Any) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)


# Grafana's heat map has no rows with names: a status history has.
KINDS: Final[dict[Panel, Any]] = {
    Panel.LINES: timeseries.Panel,
    Panel.FAN: timeseries.Panel,
    Panel.HEAT: statushistory.Panel,
    Panel.HISTOGRAMS: trend.Panel,
    Panel.POINTS: xychart.Panel,
    Panel.STRIPS: statetimeline.Panel,
    Panel.WATERFALL: bargauge.Panel,
    Panel.TILES: stat.Panel,
    Panel.TABLE: table.Panel,
}
SERIES: Final = frozenset({Panel.LINES, Panel.FAN, Panel.HEAT, Panel.STRIPS})
DRESSED: Final[dict[Panel, Callable[[Any, Monitor], Any]]] = {
    Panel.LINES: _lines,
    Panel.FAN: _lines,
    Panel.HISTOGRAMS: _histograms,
    Panel.POINTS: _points,
}
