"""What every dashboard has: its name and range of time, and the variables that its queries take."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from weir.web.grafana.panels import CLICKHOUSE
from weir.web.grafana.queries import ALL, SERVICE

STEPS: Final = "1 min : 60, 5 min : 300, 15 min : 900, 1 h : 3600, 6 h : 21600, 1 d : 86400"
EVERY: Final = "1m"


def board(uid: str, title: str) -> build.Dashboard:
    """An empty one, of the last day."""
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


def of_services() -> Any:
    """The service, of those that are recorded."""
    asked = "SELECT DISTINCT service FROM gate_minutes ORDER BY service"
    return _queried("service", asked).label("Service")


def of_steps(*families: str) -> list[Any]:
    """Step, and of each family the table whose windows divide it: the coarsest is the cheapest."""
    step = build.CustomVariable("step").label("Step").values(STEPS)
    step = step.current(model.VariableOption(selected=True, text="1 h", value="3600"))
    return [step, *(_grain(name) for name in families)]


def _grain(name: str) -> Any:
    asked = f"SELECT if(${{step}} % 3600 = 0, '{name}_hour', '{name}')"
    return _queried(name, asked).hide(model.VariableHide.HIDE_VARIABLE)


def of_service() -> list[Any]:
    """What of a service can be chosen, and the view of its results."""
    inputs = f"SELECT DISTINCT name FROM histograms_hour WHERE service = {SERVICE} AND kind = 'feature' ORDER BY name"
    return [
        *(_queried(name, _or_all(name)).label(name.capitalize()) for name in ("version", "tenant")),
        _queried("feature", inputs).label("Input"),
        of_view("results"),
    ]


def of_view(name: str) -> Any:
    """The view of a service's results, or of its shadows'."""
    asked = f"SELECT concat('{name}_', replaceAll({SERVICE}, '-', '_'))"
    return _queried(name, asked).hide(model.VariableHide.HIDE_VARIABLE)


def _or_all(name: str) -> str:
    known = f"SELECT DISTINCT {name} AS one FROM traffic_hour WHERE service = {SERVICE} AND {name} != ''"
    return f"SELECT one FROM (SELECT '{ALL}' AS one UNION ALL {known}) ORDER BY one != '{ALL}', one"


def _queried(name: str, sql: str) -> Any:
    made = build.QueryVariable(name).datasource(CLICKHOUSE).query(sql)
    return made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.DISABLED)


def of_console() -> Any:
    """Where Weir's console is, for links."""
    return build.TextBoxVariable("console").label("Console").default_value("http://127.0.0.1:8300")
