"""Grafana's dashboards: of the SDK's own types, and every query answers as Grafana's plugin would send it."""

import gzip
import json
import os
import re
import time
from datetime import timedelta
from urllib.parse import urlencode

import pytest
import urllib3
from clickhouse_connect.driver.ctypes import RespBuffCls
from clickhouse_connect.driver.transform import NativeTransform
from grafana_foundation_sdk.cog import plugins, runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard
from typer.testing import CliRunner
from weir.core.signature import Task
from weir.edges.clickhouse import monitors
from weir.edges.clickhouse.client import connect
from weir.monitor.spec import Asked
from weir.settings import ROOT
from weir.web.console.asking import reader
from weir.web.grafana import boards
from weir.web.grafana import panels as dashboard_panels
from weir.web.grafana.queries import MEANING, SOURCE, ClickHouseQuery, weirs

from tests.command_line import cli
from tests.console.filled import ARRIVALS, FLIGHTS, NOW, SERVICES
from tests.waiting import WAIT_S, until

FOLDER = ROOT / "infra/grafana/dashboards"
BEGIN = NOW - timedelta(days=1)
NAMED = re.compile(r"\(([\w/]+)\)$")
MONITORS = weirs()
HANGS_S = 60  # against one that never ends. How long each took is written to TIMES, and asserted nowhere
TIMES = ROOT / ".weir/dashboards"
OFFERED_S = 60  # Grafana's time-out of a query, as provisioned
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
    "What does staleness cost?",
    "How right is it probably, before the truth arrives?",
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


@pytest.fixture(scope="module")
def took_ms():
    """How long each query took, kept for a person to read: the goal is 500 ms on a machine that does nothing else."""
    found = {}
    yield found
    TIMES.mkdir(parents=True, exist_ok=True)
    slowest_first = dict(sorted(found.items(), key=lambda one: -one[1]))
    name = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    (TIMES / f"{name}.json").write_text(json.dumps(slowest_first, indent=1) + "\n")


@pytest.mark.parametrize(("board", "panel", "sql"), [*queries()])
def test_every_query_answers_as_grafana_sends_it(grafana, took_ms, board, panel, sql):
    began = time.monotonic()
    asked = expanded(sql, variables(whose(panel)))
    found = grafana.query(asked)
    took_s = time.monotonic() - began
    took_ms[f"{board}: {panel['title']}"] = round(1000 * took_s)
    if not found.result_rows and panel["title"] not in SILENT:  # what lacks an answer is missing after half a minute
        until(lambda: grafana.query(asked).result_rows, WAIT_S, "rows")
    assert took_s < HANGS_S
    if found.result_rows and panel["type"] in ("timeseries", "status-history", "state-timeline"):
        assert found.column_names[0] == "at"
        assert [row[0] for row in found.result_rows] == sorted(row[0] for row in found.result_rows)


@pytest.mark.parametrize("board", ["overview", "service"])
def test_the_plugin_s_way_of_asking_has_the_same_answer(grafana, day, board):
    """clickhouse-go over HTTP: its greeting, then the query as a body, answered in Native, packed by gzip."""
    user = reader(day).recording
    said = {"database": user.clickhouse_database, "default_format": "Native", "enable_http_compression": "1"}
    headers = urllib3.make_headers(
        basic_auth=f"{user.clickhouse_user}:{user.clickhouse_password.get_secret_value()}", accept_encoding="gzip"
    )

    def ask(sql, **more):
        url = f"{user.clickhouse_url}/?{urlencode(said | more)}"
        answer = urllib3.request("POST", url, body=sql.encode(), headers=headers, decode_content=False, timeout=WAIT_S)
        assert answer.status == 200, answer.data
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return gzip.decompress(answer.data) if packed else answer.data

    greeting = ask("SELECT displayName(), version(), revision(), timezone()", client_protocol_version=54460)
    assert b"revision()" in greeting
    for case in [one for one in queries() if one.values[0] == board][:4]:
        sql = expanded(case.values[2], variables(whose(case.values[1])))
        found = NativeTransform.parse_response(RespBuffCls(Whole(ask(sql, max_execution_time=OFFERED_S + 5))))
        assert found.result_set == grafana.query(sql).result_set


class Whole:
    """An answer that has come whole, as the driver's reader takes it."""

    def __init__(self, data):
        self.gen, self.exception_tag = iter([data]), None

    def close(self):
        pass


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
    register()
    for name, said in BOARDS.items():
        read = json.loads(json.dumps(dashboard.Dashboard.from_json(said), cls=JSONEncoder))
        assert lost(said, read) == [], name
        assert json.loads(json.dumps(dashboard.Dashboard.from_json(read), cls=JSONEncoder)) == read
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(BOARDS)


def test_a_project_s_own_monitors_are_a_dashboard_whose_queries_answer(grafana, day, tmp_path, monkeypatch):
    text = (ROOT / "app/weir/templates/project/monitors/scores_by_hour.sql.in").read_text()
    kpi = text.replace("name: scores_by_hour", "name: kpi/scores\n-- owner: team-a\n-- target: > 0\n-- slo: fast")
    (tmp_path / "monitors/kpi").mkdir(parents=True)
    (tmp_path / "monitors/scores_by_hour.sql").write_text(text)
    (tmp_path / "monitors/kpi/scores.sql").write_text(kpi.replace("question: How high", "question: Are they high"))
    (tmp_path / "monitors/broken.sql").write_text("SELECT 1")
    (tmp_path / "weir.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["monitors", "dashboard", "--out", "own.json", "--title", "Shop, its own"])
    assert (done.exit_code, done.stdout) == (0, "wrote 2 panels to own.json\n")
    assert "broken.sql" in done.stderr
    said = json.loads((tmp_path / "own.json").read_text())
    register()
    assert lost(said, json.loads(json.dumps(dashboard.Dashboard.from_json(said), cls=JSONEncoder))) == []
    assert said["uid"] == "weir-shop-its-own"
    rows, drawn = ([one for one in said["panels"] if (one["type"] == "row") == row] for row in (True, False))
    assert [one["title"] for one in rows] == ["KPIs", "Monitors"]
    known = {one["name"] for one in said["templating"]["list"]}
    for one in drawn:
        (target,) = one["targets"]
        assert {found[1] for found in VARIABLE.finditer(target["rawSql"])} <= known
        assert grafana.query(expanded(target["rawSql"], variables(FLIGHTS.service))).result_rows
    one = CliRunner().invoke(cli, ["monitors", "dashboard", "scores_by_hour"]).stdout
    assert json.loads(one)["title"] == "Weir: own monitors"


def register():
    """The query of the ClickHouse plugin, which the SDK does not know by itself."""
    plugins.register_default_plugins()
    runtime.register_dataquery_variant(runtime.DataqueryConfig(SOURCE["type"], ClickHouseQuery.from_json))


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
    judged = re.compile("look where|alarm|in order|not judged|bounds", re.IGNORECASE)
    for one in (*panels("overview"), *panels("ledger")):
        assert one["links"][0]["url"].startswith("${console}/"), one["title"]
        assert judged.search(one["description"]), one["title"]
    steps = shown["drift/features"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in steps] == [(None, "green"), (0.1, "orange"), (0.25, "red")]
