"""Four dashboards: all services, one service, the ledger, and the workers' own metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from weir import metrics
from weir.monitor import durations, false_alarms
from weir.monitor.parameters import VIEWS
from weir.monitor.slo import RULES
from weir.monitor.spec import Monitor
from weir.operations.glance import ASKED
from weir.web.grafana import frame, panels
from weir.web.grafana.queries import BEGIN, END, SERVICE, Query, of_file, weirs

PROMETHEUS: Final = model.DataSourceRef(type_val="prometheus", uid="prometheus")
METRIC_UNITS: Final = {"seconds": "s", "share": "percentunit", "bool": "bool"}
# Monitors of the service's dashboard, by row; those of a team are in one of their own.
ROWS: Final = {
    "Has the input moved?": "drift/",
    "Was the model right?": "outcome/",
    "What did it cost, and where did it go?": "cost/",
    "Is it fast enough, and what is rejected?": "health/",
}
LEFT_OUT: Final = frozenset({"drift/exact"})  # it reads every row, for an audit
UID: Final = 40  # characters of a dashboard's address
HALF: Final = 12
WHOLE: Final = 24
LEDGER, LETTERS = "/ledger", "/dead-letters"  # pages of the console
UNJUDGED: Final = "It is shown and not judged."


def all_of_them() -> dict[str, str]:
    """Name of its file -> JSON of each dashboard."""
    boards = {"overview": overview(), "service": service(), "ledger": ledger(), "metrics": metrics_board()}
    return {name: written(board) for name, board in boards.items()}


def written(board: build.Dashboard) -> str:
    """A dashboard as its file has it."""
    return json.dumps(board.build(), cls=JSONEncoder, indent=1) + "\n"


def own(monitors: Iterable[Monitor], title: str) -> build.Dashboard:
    """A project's monitors by folder, KPIs first. title: of the dashboard, from which its address follows."""
    found = sorted(monitors, key=lambda one: (not one.is_kpi, one.name))
    tables = {name for one in found for name, kind in one.parameters.items() if kind == "Identifier"}
    views = [frame.of_view("shadow_results")] if "shadow_results" in tables else []
    families = sorted({"histograms", "traffic", *tables} - VIEWS)
    address = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    board = frame.board(f"weir-{address}"[:UID], title).variables(
        [frame.of_services(), *frame.of_steps(*families), *frame.of_service(), *views, frame.of_console()]
    )
    for heading, group in groupby(found, key=lambda one: "KPIs" if one.is_kpi else one.name.rpartition("/")[0]):
        board = board.with_row(build.Row(heading or "Monitors"))
        board = _with(board, group)
    return board


def overview() -> build.Dashboard:
    """All services: whether every request is accounted for, what fires, how much and how fast."""
    board = frame.board("weir-overview", "Weir: overview").variables([*frame.of_steps("traffic"), frame.of_console()])
    monitors = f"[{', '.join(repr(name) for name in ASKED)}]"
    asked = {"settled": f"{END} - 120", "since": BEGIN, "recent": BEGIN, "service": "''"}
    sums = "sum(read) AS read, sum(scored) AS scored, sum(rejected) AS rejected"
    return (
        board.with_panel(
            _stat(
                "Is every request accounted for?",
                "Records of all services. In order where read is scored + rejected.",
                LEDGER,
            ).with_target(Query(f"SELECT {sums} FROM (\n{of_file('overview/entries', asked)}\n)"))
        )
        .with_panel(
            _stat(
                "Which offsets are missing?",
                "Read and not answered, or in no entry; and records on their way. Alarm where one is missing.",
                LEDGER,
            )
            .thresholds(_alarm_above(0))
            .override_by_name("waiting", [_uncoloured()])
            .with_target(
                Query(
                    "SELECT sum(missing) AS missing, sum(waiting) AS waiting FROM (\n"
                    f"{of_file('overview/partitions', asked)}\n)"
                )
            )
        )
        .with_panel(
            _table(
                "What needs you?",
                "Alerts that are pending or fire: what pages first, then the latest. In order where there is none."
                " Beside each: false alarms a month to be expected of its bound, by all subjects together.",
                "/alerts",
            ).with_target(Query(_alerts(asked)))
        )
        .with_panel(
            _table(
                "How does each service do?", f"Predictions, p99 in milliseconds, mean score. {UNJUDGED}", "/"
            ).with_target(
                Query(
                    "SELECT service, n AS predictions, round(p99_ms, 1) AS p99_ms, round(mean_score, 4) AS mean_score,"
                    f" decisions FROM (\n{of_file('overview/traffic', asked)}\n)"
                )
            )
        )
        .with_panel(
            timeseries.Panel()
            .title("How much is asked?")
            .description(f"Predictions by service and window of event time. {UNJUDGED}")
            .datasource(panels.CLICKHOUSE)
            .links([panels.to_console("/")])
            .span(HALF)
            .height(panels.HEIGHT)
            .with_target(Query(_by_service(asked), series=True))
        )
        .with_panel(
            _table(
                "How far is each partition recorded?",
                "Newest event time, and what is missing or on its way. In order where nothing is missing.",
                LEDGER,
            )
            .span(HALF)
            .with_target(
                Query(
                    "SELECT service, source_partition, fromUnixTimestamp64Milli(newest_ms, 'UTC') AS newest,"
                    f" predictions, waiting, missing FROM (\n{of_file('overview/partitions', asked)}\n)"
                )
            )
        )
        .with_panel(
            _table(
                "What did monitors find last?",
                "The newest figure of each subject that said something; its state is by the monitor's own bounds.",
                "/",
            ).with_target(
                Query(
                    "SELECT service, monitor, subject, value, low, high, n, state FROM (\n"
                    f"{of_file('overview/figures', asked | {'monitors': monitors})}\n)"
                )
            )
        )
    )


def service() -> build.Dashboard:
    """One service: every monitor that Weir brings, by question."""
    board = frame.board("weir-service", "Weir: service").variables(
        [frame.of_services(), *frame.of_steps("traffic", "histograms"), *frame.of_service(), frame.of_console()]
    )
    known = weirs()
    for title, folder in ROWS.items():
        board = board.with_row(build.Row(title))
        board = _with(board, (one for name, one in known.items() if name.startswith(folder) and name not in LEFT_OUT))
    return board.with_row(build.Row("Do the error budgets last?")).with_panel(_burn())


def ledger() -> build.Dashboard:
    """What was read, what became of it, and what is in the dead letters."""
    board = frame.board("weir-ledger", "Weir: ledger").variables(
        [frame.of_services(), *frame.of_steps(), frame.of_console()]
    )
    known = weirs()
    board = _with(board, (one for name, one in known.items() if name.startswith("ledger/")))
    given = {"service": SERVICE}
    for name, title, rule, page in (
        (
            "ledger/partitions",
            "What does each partition's ledger add up to?",
            "In order where nothing is missing.",
            LEDGER,
        ),
        ("ledger/gaps", "Which offsets does no entry cover?", "Alarm where there is one.", LEDGER),
        ("ledger/missing", "Which were read and have no answer?", "Alarm where there is one.", LEDGER),
        ("ledger/duplicates", "Which were answered more than once?", "No alarm: at least once is the promise.", LEDGER),
        ("ledger/redrive_states", "What became of letters that were sent again?", UNJUDGED, LETTERS),
        ("dead_letters/summary", "What was rejected, and why?", UNJUDGED, LETTERS),
    ):
        text = of_file(name, given | {"reason": "''", "ids": "[]"})
        board = board.with_panel(_table(title, f"{rule} ({name})", page).span(HALF).with_target(Query(text)))
    return board


def metrics_board() -> build.Dashboard:
    """One panel per metric of Prometheus, in the order of METRICS; its description says what to do."""
    board = frame.board("weir-metrics", "Weir: metrics").time("now-1h", "now").refresh("10s")
    for metric in metrics.METRICS:
        by = f" by ({', '.join(metric.labels)})" if metric.labels else ""
        legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels)
        if metric.kind == "counter":
            asked = [(f"sum{by} (rate({metric.name}[$__rate_interval]))", legend)]
        elif metric.kind == "gauge":
            asked = [(f"max{by} ({metric.name})", legend)]
        else:
            buckets = f"sum by ({', '.join(('le', *metric.labels))}) (rate({metric.name}_bucket[$__rate_interval]))"
            asked = [
                (f"histogram_quantile({q}, {buckets})", f"{legend} p{round(q * 100)}".strip()) for q in (0.5, 0.99)
            ]
        panel = (
            timeseries.Panel()
            .title(metric.name.removeprefix("weir_").removesuffix("_total").replace("_", " "))
            .description(f"{metric.meaning}. {metric.action}")
            .datasource(PROMETHEUS)
            .unit(METRIC_UNITS.get(metric.unit, "short") if metric.kind != "counter" else "cps")
            .span(HALF)
            .height(panels.HEIGHT)
        )
        for place, (expression, text) in enumerate(asked):
            query = (
                prometheus.Dataquery()
                .expr(expression)
                .legend_format(text)
                .ref_id(chr(65 + place))
                .datasource(PROMETHEUS)
            )
            panel = panel.with_target(query)
        board = board.with_panel(panel)
    return board


def _with(board: build.Dashboard, found: Iterable[Monitor]) -> build.Dashboard:
    for monitor in found:
        board = board.with_panel(panels.of(monitor))
    return board


def _stat(title: str, about: str, page: str) -> stat.Panel:
    made = stat.Panel().title(title).description(about).datasource(panels.CLICKHOUSE).links([panels.to_console(page)])
    return made.span(HALF).height(5).thresholds(_alarm_above(None))


def _table(title: str, about: str, page: str) -> table.Panel:
    made = table.Panel().title(title).description(about).datasource(panels.CLICKHOUSE).links([panels.to_console(page)])
    return made.span(WHOLE).height(panels.HEIGHT)


def _alarm_above(bound: float | None) -> build.ThresholdsConfig:
    steps = [model.Threshold(value=None, color="text")]
    if bound is not None:
        steps.append(model.Threshold(value=bound + 1, color=panels.ALARM))
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _uncoloured() -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": "text"})


def _burn() -> timeseries.Panel:
    rules = "; ".join(
        f"{'alarm' if rule.severity == 'page' else 'look'} from {float(rule.factor):g} on over "
        f"{durations.written(rule.long_s)} and {durations.written(rule.short_s)}"
        for rule in RULES
    )
    found = of_file("measurements/burn")
    series = "toDateTime(at, 'UTC') AS at, concat(objective, ' ', span) AS series, burn"
    return (
        timeseries.Panel()
        .title("How fast do they burn?")
        .description(f"1 uses a budget up just at the end of its window. {rules.capitalize()}.")
        .datasource(panels.CLICKHOUSE)
        .links([panels.to_console(panels.SERVICES_PAGE)])
        .span(WHOLE)
        .height(panels.HEIGHT)
        .with_target(Query(f"SELECT {series} FROM (\n{found}\n)", series=True))
    )


def _alerts(asked: dict[str, str]) -> str:
    """Alerts that go on, each with what is known of its bound's false alarms."""
    known = {name: false_alarms.cell(false_alarms.all_of(one)) for name, one in weirs().items()}
    told = [(name, said) for name, said in known.items() if said not in ("", false_alarms.UNKNOWN)]
    names, words = ([repr(each) for each in column] for column in zip(*told, strict=True))
    by_test = f"transform(toString(l.of_monitor), [{', '.join(names)}], [{', '.join(words)}], '{false_alarms.UNKNOWN}')"
    return (
        f"SELECT l.*, if(c.monitor = '', {by_test}, toString(round(c.expected, 2))) AS false_alarms_a_month\n"
        f"FROM (\n{of_file('alerts/list', asked)}\n) AS l\n"
        "LEFT JOIN (SELECT of_service, monitor, if(severity = 'page', 'page', 'ticket') AS severe, any(a_month) AS"
        f" expected FROM (\n{of_file('calibrations/latest', asked)}\n) GROUP BY of_service, monitor, severe) AS c\n"
        "ON c.of_service = l.of_service AND c.monitor = l.of_monitor AND c.severe = l.severe\n"
        "WHERE l.state IN ('pending', 'firing')"
    )


def _by_service(asked: dict[str, str]) -> str:
    inner = of_file("overview/traffic", asked)
    return (
        "SELECT toDateTime(begin, 'UTC') AS at, service, predictions FROM (\n"
        f"{inner}\n) ARRAY JOIN mapKeys(windows) AS begin, mapValues(windows) AS predictions ORDER BY at"
    )
