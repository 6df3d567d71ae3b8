"""Grafana's dashboards: of the SDK's own types, and every query answers as Grafana's plugin would send it."""

import json
import re
import time
from datetime import timedelta

import pytest
from grafana_foundation_sdk.cog import plugins, runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard
from weir.core.signature import Task
from weir.edges.clickhouse import monitors
from weir.edges.clickhouse.client import connect
from weir.monitor.spec import Asked
from weir.settings import ROOT
from weir.web.console.asking import reader

from infra.dashboards import boards
from infra.dashboards import panels as dashboard_panels
from infra.dashboards.queries import MEANING, SOURCE, ClickHouseQuery, weirs
from tests.console.filled import ARRIVALS, FLIGHTS, NOW, SERVICES
from tests.waiting import WAIT_S, until

FOLDER = ROOT / "infra/grafana/dashboards"
BEGIN = NOW - timedelta(days=1)
NAMED = re.compile(r"\(([\w/]+)\)$")
MONITORS = weirs()
SLOW_S = 20  # of a machine that does much else; on a quiet one the slowest takes 0.2 s
# Of what the day has nothing: views, golden requests, quantiles, budgets, duplicates, redrives, and words of `wind`.
SILENT = {
    "How often is each word, and how often was it?",
    "Has the probability of a class moved?",
    "Are the features that the model reads fresh?",
    "Are the features as fresh as they must be?",
    "Are known answers still given?",
    "Do its quantiles hold what they say?",
    "Will it cost more than it may?",
    "Which were answered more than once?",
    "What became of letters that were sent again?",
}
BOARDS = {name: json.loads(text) for name, text in boards.all_of_them().items()}
MACROS = {"$__fromTime": BEGIN, "$__toTime": NOW}  # as the plugin writes them: toDateTime(seconds)
VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")


def panels(board):
    return [one for one in BOARDS[board]["panels"] if one["type"] != "row"]


def queries():
    """Board, panel and SQL of each query to ClickHouse."""
    for board in BOARDS:
        for one in panels(board):
            for target in one["targets"]:
                if target["datasource"]["type"] == SOURCE["type"]:
                    yield pytest.param(board, one, target["rawSql"], id=f"{board}: {one['title']}")


def whose(panel):
    """A service whose task the panel's monitor is of."""
    name = NAMED.search(panel["description"])
    tasks = MONITORS[name[1]].tasks if name and name[1] in MONITORS else tuple(Task)
    return next(of.service for of in SERVICES if of.task in tasks)


def variables(service, step=3600):
    return {
        "service": service,
        "step": str(step),
        "traffic": "traffic_hour" if step % 3600 == 0 else "traffic",
        "histograms": "histograms_hour" if step % 3600 == 0 else "histograms",
        "results": f"results_{service.replace('-', '_')}",
        "version": "all",
        "tenant": "all",
        "feature": "wind",
    }


def expanded(sql, given):
    """A query as it leaves Grafana: macros and variables are text in it."""
    for macro, at in MACROS.items():
        sql = sql.replace(macro, f"toDateTime({int(at.timestamp())})")

    def value(found):
        quoted = found[2] == "sqlstring"
        return "'" + given[found[1]].replace("'", "''") + "'" if quoted else given[found[1]]

    sql = VARIABLE.sub(value, sql)
    assert not re.search(r"\$\w|\$\{|\[\[\w+\]\]", sql), sql
    return sql


@pytest.fixture(scope="module")
def grafana(day):
    """A client of the user that dashboards ask as."""
    return connect(reader(day).recording)


@pytest.mark.parametrize(("board", "panel", "sql"), [*queries()])
def test_every_query_answers_as_grafana_sends_it(grafana, board, panel, sql):
    began = time.monotonic()
    asked = expanded(sql, variables(whose(panel)))
    found = grafana.query(asked)
    took_s = time.monotonic() - began
    if not found.result_rows and panel["title"] not in SILENT:  # what lacks an answer is missing after half a minute
        until(lambda: grafana.query(asked).result_rows, WAIT_S, "rows")
    assert took_s < SLOW_S
    if found.result_rows and panel["type"] in ("timeseries", "status-history", "state-timeline"):
        assert found.column_names[0] == "at"
        assert [row[0] for row in found.result_rows] == sorted(row[0] for row in found.result_rows)


@pytest.mark.parametrize("title", ["How much is asked?", "Which numbers that the model reads have moved?"])
def test_a_fine_step_reads_the_fine_table(grafana, title):
    sql = next(case.values[2] for case in queries() if case.values[0] == "service" and case.values[1]["title"] == title)
    coarse, fine = (grafana.query(expanded(sql, variables(FLIGHTS.service, step))) for step in (3600, 900))
    assert len(fine.result_rows) == 4 * len(coarse.result_rows)


def test_a_figure_is_that_of_the_monitor_to_the_last_digit(grafana):
    for name, service in (("outcome/auc", FLIGHTS.service), ("health/traffic", ARRIVALS.service)):
        monitor = MONITORS[name]
        asked = Asked(service=service, begin=BEGIN, end=NOW, step_s=3600)
        found = grafana.query(expanded(dashboard_panels.sql(monitor), variables(service)))
        values = list(zip(*found.result_rows, strict=True))[1]
        assert list(values) == [row.value for row in monitors.run(grafana, monitor, asked)]


@pytest.mark.parametrize("service", [of.service for of in SERVICES])
def test_what_a_bundle_means_is_what_monitors_are_asked_with(grafana, service):
    of = monitors.meaning(grafana, service)
    for name, expression in MEANING.items():
        (row,) = grafana.query(f"SELECT {expanded(expression, variables(service))}").result_rows
        assert row[0] == (of[name] if name != "positive" or of["labels"] else ""), name


def test_variables_offer_what_there_is(grafana):
    offered = {}
    for variable in BOARDS["service"]["templating"]["list"]:
        if variable["type"] == "query":
            found = grafana.query(expanded(variable["query"], variables(FLIGHTS.service)))
            offered[variable["name"]] = [row[0] for row in found.result_rows]
    assert offered["service"] == sorted(of.service for of in SERVICES)
    assert offered["version"] == ["all", "7", "8"]
    assert offered["tenant"][0] == "all"
    assert "delay_3h" in offered["feature"]
    assert offered["traffic"] == ["traffic_hour"]
    assert offered["results"] == ["results_flight_delay"]


def test_every_variable_of_a_query_is_one_of_its_dashboard():
    for board, said in BOARDS.items():
        known = {one["name"] for one in said.get("templating", {}).get("list", [])}
        used = {found[1] for found in VARIABLE.finditer(json.dumps(said))}
        assert used <= known, board


def test_the_json_is_of_the_types_of_the_sdk():
    """Read into the SDK's own types and written again all of it is there, and at most defaults beside it."""
    plugins.register_default_plugins()
    runtime.register_dataquery_variant(runtime.DataqueryConfig(SOURCE["type"], ClickHouseQuery.from_json))
    for name, said in BOARDS.items():
        read = json.loads(json.dumps(dashboard.Dashboard.from_json(said), cls=JSONEncoder))
        assert lost(said, read) == [], name
        assert json.loads(json.dumps(dashboard.Dashboard.from_json(read), cls=JSONEncoder)) == read
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(BOARDS)


def lost(said, read, path=""):
    """Paths at which something was said and read otherwise."""
    if isinstance(said, dict) and isinstance(read, dict):
        return [one for key in said for one in lost(said[key], read.get(key), f"{path}/{key}")]
    if isinstance(said, list) and isinstance(read, list) and len(said) == len(read):
        return [
            one for place, (a, b) in enumerate(zip(said, read, strict=True)) for one in lost(a, b, f"{path}/{place}")
        ]
    return [] if said == read else [path]


def test_panels_lie_side_by_side():
    for said in BOARDS.values():
        taken = set()
        for one in said["panels"]:
            at = one["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, one["title"]
            assert at["x"] + at["w"] <= 24
            taken |= cells


def test_every_monitor_has_a_panel_with_its_question_its_rule_and_a_way_to_the_console():
    shown = {found[1]: one for name in BOARDS for one in panels(name) if (found := NAMED.search(one["description"]))}
    assert MONITORS.keys() - shown.keys() == boards.LEFT_OUT
    assert shown["drift/features"]["description"].startswith("Drift of numeric inputs. Look where above 0.10; alarm")
    assert shown["drift/features"]["links"][0]["url"] == "${console}/s/${service}"
    steps = shown["drift/features"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in steps] == [(None, "green"), (0.1, "orange"), (0.25, "red")]
