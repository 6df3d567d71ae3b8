"""Four dashboards: all services, one service, the ledger, and the workers' own metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from weir import metrics
from weir.monitor.spec import Monitor
from weir.operations.glance import ASKED

from infra.dashboards import panels
from infra.dashboards.queries import ALL, BEGIN, END, SERVICE, Query, of_file, weirs

PROMETHEUS: Final = model.DataSourceRef(type_val="prometheus", uid="prometheus")
METRIC_UNITS: Final = {"seconds": "s", "share": "percentunit", "bool": "bool"}
STEPS: Final = "1 min : 60, 5 min : 300, 15 min : 900, 1 h : 3600, 6 h : 21600, 1 d : 86400"
EVERY: Final = "1m"
# Monitors of the service's dashboard, by row; those of a team are in the console.
ROWS: Final = {
    "Has the input moved?": "drift/",
    "Was the model right?": "outcome/",
    "What did it cost, and where did it go?": "cost/",
    "Is it fast enough, and what is rejected?": "health/",
}
LEFT_OUT: Final = frozenset({"drift/exact"})  # it reads every row, for an audit
HALF: Final = 12
WHOLE: Final = 24


def all_of_them() -> dict[str, str]:
    """Name of its file -> JSON of each dashboard."""
    boards = {"overview": overview(), "service": service(), "ledger": ledger(), "metrics": metrics_board()}
    return {name: json.dumps(board.build(), cls=JSONEncoder, indent=1) + "\n" for name, board in boards.items()}


def overview() -> build.Dashboard:
    """All services: whether every request is accounted for, what fires, how much and how fast."""
    board = _board("weir-overview", "Weir: overview").variables([*_asking("traffic"), _console()])
    monitors = f"[{', '.join(repr(name) for name in ASKED)}]"
    asked = {"settled": f"{END} - 120", "since": BEGIN, "recent": BEGIN, "service": "''"}
    sums = "sum(read) AS read, sum(scored) AS scored, sum(rejected) AS rejected"
    return (
        board.with_panel(
            _stat("Is every request accounted for?", "Records of all services: read = scored + rejected.").with_target(
                Query(f"SELECT {sums} FROM (\n{of_file('overview/entries', asked)}\n)")
            )
        )
        .with_panel(
            _stat("Which offsets are missing?", "Read and not answered, or in no entry; and records on their way.")
            .thresholds(_alarm_above(0))
            .with_target(
                Query(
                    "SELECT sum(missing) AS missing, sum(waiting) AS waiting FROM (\n"
                    f"{of_file('overview/partitions', asked)}\n)"
                )
            )
        )
        .with_panel(
            _table(
                "What needs you?", "Alerts that are pending or fire: what pages first, then the latest."
            ).with_target(
                Query(f"SELECT * FROM (\n{of_file('alerts/list', asked)}\n) WHERE state IN ('pending', 'firing')")
            )
        )
        .with_panel(
            _table("How does each service do?", "Predictions, p99 in milliseconds, mean score.").with_target(
                Query(
                    "SELECT service, n AS predictions, round(p99_ms, 1) AS p99_ms, round(mean_score, 4) AS mean_score,"
                    f" decisions FROM (\n{of_file('overview/traffic', asked)}\n)"
                )
            )
        )
        .with_panel(
            timeseries.Panel()
            .title("How much is asked?")
            .description("Predictions by service and window of event time.")
            .datasource(panels.CLICKHOUSE)
            .span(HALF)
            .height(panels.HEIGHT)
            .with_target(Query(_by_service(asked), series=True))
        )
        .with_panel(
            _table("How far is each partition recorded?", "Newest event time, and what is missing or on its way.")
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
                "What did monitors find last?", "The newest figure of each subject that said something."
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
    board = _board("weir-service", "Weir: service").variables(
        [_service(), *_asking("traffic", "histograms"), *_of_service(), _console()]
    )
    known = weirs()
    for title, folder in ROWS.items():
        board = board.with_row(build.Row(title))
        board = _with(board, (one for name, one in known.items() if name.startswith(folder) and name not in LEFT_OUT))
    return board


def ledger() -> build.Dashboard:
    """What was read, what became of it, and what is in the dead letters."""
    board = _board("weir-ledger", "Weir: ledger").variables([_service(), *_asking(), _console()])
    known = weirs()
    board = _with(board, (one for name, one in known.items() if name.startswith("ledger/")))
    given = {"service": SERVICE}
    for name, title in (
        ("ledger/partitions", "What does each partition's ledger add up to?"),
        ("ledger/gaps", "Which offsets does no entry cover?"),
        ("ledger/missing", "Which were read and have no answer?"),
        ("ledger/duplicates", "Which were answered more than once?"),
        ("ledger/redrive_states", "What became of letters that were sent again?"),
        ("dead_letters/summary", "What was rejected, and why?"),
    ):
        text = of_file(name, given | {"reason": "''", "ids": "[]"})
        board = board.with_panel(_table(title, name).span(HALF).with_target(Query(text)))
    return board


def metrics_board() -> build.Dashboard:
    """One panel per metric of Prometheus, in the order of METRICS; its description says what to do."""
    board = _board("weir-metrics", "Weir: metrics").time("now-1h", "now").refresh("10s")
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


def _board(uid: str, title: str) -> build.Dashboard:
    others = build.DashboardLink("Weir").type(model.DashboardLinkType.DASHBOARDS).tags(["weir"]).as_dropdown(True)
    return (
        build.Dashboard(title)
        .uid(uid)
        .tags(["generated", "weir"])
        .timezone("utc")
        .time("now-24h", "now")
        .refresh(EVERY)
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(others.keep_time(True).include_vars(True))
    )


def _with(board: build.Dashboard, found: Iterable[Monitor]) -> build.Dashboard:
    for monitor in found:
        board = board.with_panel(panels.of(monitor))
    return board


def _stat(title: str, about: str) -> stat.Panel:
    made = stat.Panel().title(title).description(about).datasource(panels.CLICKHOUSE)
    return made.span(HALF).height(5).thresholds(_alarm_above(None))


def _table(title: str, about: str) -> table.Panel:
    made = table.Panel().title(title).description(about).datasource(panels.CLICKHOUSE)
    return made.span(WHOLE).height(panels.HEIGHT)


def _alarm_above(bound: float | None) -> build.ThresholdsConfig:
    steps = [model.Threshold(value=None, color="text")]
    if bound is not None:
        steps.append(model.Threshold(value=bound + 1, color=panels.ALARM))
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _by_service(asked: dict[str, str]) -> str:
    inner = of_file("overview/traffic", asked)
    return (
        "SELECT toDateTime(begin, 'UTC') AS at, service, predictions FROM (\n"
        f"{inner}\n) ARRAY JOIN mapKeys(windows) AS begin, mapValues(windows) AS predictions ORDER BY at"
    )


def _service() -> Any:
    asked = "SELECT DISTINCT service FROM gate_minutes ORDER BY service"
    return _queried("service", asked).label("Service")


def _asking(*families: str) -> list[Any]:
    """Step, and of each family the table whose windows divide it: the coarsest is the cheapest."""
    step = build.CustomVariable("step").label("Step").values(STEPS)
    step = step.current(model.VariableOption(selected=True, text="1 h", value="3600"))
    return [step, *(_grain(name) for name in families)]


def _grain(name: str) -> Any:
    asked = f"SELECT if(${{step}} % 3600 = 0, '{name}_hour', '{name}')"
    return _queried(name, asked).hide(model.VariableHide.HIDE_VARIABLE)


def _of_service() -> list[Any]:
    view = _queried("results", f"SELECT concat('results_', replaceAll({SERVICE}, '-', '_'))")
    inputs = f"SELECT DISTINCT name FROM histograms_hour WHERE service = {SERVICE} AND kind = 'feature' ORDER BY name"
    return [
        *(_queried(name, _or_all(name)).label(name.capitalize()) for name in ("version", "tenant")),
        _queried("feature", inputs).label("Input"),
        view.hide(model.VariableHide.HIDE_VARIABLE),
    ]


def _or_all(name: str) -> str:
    known = f"SELECT DISTINCT {name} AS one FROM traffic_hour WHERE service = {SERVICE} AND {name} != ''"
    return f"SELECT one FROM (SELECT '{ALL}' AS one UNION ALL {known}) ORDER BY one != '{ALL}', one"


def _queried(name: str, sql: str) -> Any:
    made = build.QueryVariable(name).datasource(panels.CLICKHOUSE).query(sql)
    return made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.DISABLED)


def _console() -> Any:
    """Where Weir's console is, for links."""
    return build.TextBoxVariable("console").label("Console").default_value("http://127.0.0.1:8300")
