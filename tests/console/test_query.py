"""The query page: what it runs, and what it leaves; its guard, its limits, its chart, and queries that are kept."""

import csv
import io
import json
import re
from html import unescape

import pytest
from weir.web.console.desk import MOST_FUNCTIONS

from tests.console.conftest import HERE

BAD = [  # the ten of the design page
    "SELECT 1 INTO OUTFILE '/tmp/weir-out'",
    "EXPLAIN AST SELECT 1 INTO OUTFILE '/tmp/weir-out'",
    "SELECT file('/etc/hostname')",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "INSERT INTO predictions (service) VALUES ('x')",
    "DROP TABLE predictions",
    "KILL QUERY WHERE 1",
    "SELECT 1; DROP TABLE predictions",
]


def run(console, sql, **more):
    return console.get("/query", params={"sql": sql, **more}, headers=HERE).text


@pytest.mark.parametrize("sql", BAD)
def test_a_statement_that_does_more_than_read_is_refused(console, sql, service):
    page = run(console, sql)
    assert 'role="alert"' in page
    assert "h-result" not in page
    assert console.get("/query.csv", params={"sql": sql}, headers=HERE).status_code == 400
    assert "14" in run(console, "SELECT count() FROM predictions WHERE service = {service:String}", service=service)


def test_a_link_from_elsewhere_shows_a_statement_and_does_not_run_it(console):
    link = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for headers in ({}, *({"Sec-Fetch-Site": site, **link} for site in ("cross-site", "none", "same-site"))):
        page = console.get("/query", params={"sql": "SELECT 40 + 2 AS answer"}, headers=headers).text
        assert "has not been run" in page
        assert "SELECT 40 + 2 AS answer" in page
        assert "h-result" not in page
        assert console.get("/query.csv", params={"sql": "SELECT 1"}, headers=headers).status_code == 400
    assert ">42<" in run(console, "SELECT 40 + 2 AS answer")


def test_an_answer_is_a_table_a_chart_and_a_csv(console, service):
    page = console.get("/query", params={"service": service}).text
    sql = unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)[1])
    shown = run(console, sql, service=service)
    assert "<weir-chart" in shown
    assert len(re.findall(r"<tr>", shown)) > 20
    rows = list(
        csv.DictReader(
            io.StringIO(console.get("/query.csv", params={"sql": sql, "service": service}, headers=HERE).text)
        )
    )
    assert {row["model"] for row in rows} == {f"{service} 7", f"{service} 8"}
    assert "<weir-chart" not in run(console, "SELECT 'a' AS word, 1 AS n")
    odd = run(console, "SELECT NULL AS none, [1, 2] AS list, '<b>' AS markup, -1.5 AS less, 12345 AS many")
    assert "null" in odd
    assert "&lt;b&gt;" in odd
    assert "−1.5" in odd
    assert "12\u2009345" in odd


def test_names_parameters_and_functions_of_the_engine_are_completed(console):
    known = json.loads(re.search(r'id="known">(.*?)</script>', console.get("/query").text)[1])
    assert {"predictions", "event_time", "{service:String}", "{from:DateTime}", "{traffic:Identifier}"} <= {
        *known["names"]
    }
    assert {"toStartOfHour", "quantile", "arrayMap"} <= {*known["functions"]}
    assert len(known["functions"]) <= MOST_FUNCTIONS
    assert known["functions"] == sorted(known["functions"], key=str.lower)


def test_an_answer_has_five_thousand_rows_at_most(console):
    sql = "SELECT number FROM numbers(20000)"
    page = run(console, sql)
    assert "5\u2009000 or more rows" in page
    assert len(re.findall(r"<tr>", page)) == 501
    assert len(console.get("/query.csv", params={"sql": sql}, headers=HERE).text.splitlines()) == 5001
    assert "too long" in console.get("/query", params={"sql": "x" * 16_385}, headers=HERE).text


def test_a_monitor_is_shown_as_its_file_says_and_gives_the_rows_of_its_panel(console, service):
    page = console.get("/query", params={"monitor": "drift/features", "service": service}).text
    assert "-- name: drift/features" in page
    assert "FROM &lt;drift_numbers: " in page
    asked = {"monitor": "drift/features", "run": "1", "service": service}
    told = console.get("/query.csv", params=asked, headers=HERE).text
    behind = console.get("/data/drift/features.csv", params={"service": service}).text
    psi = [{row["psi"] for row in csv.DictReader(io.StringIO(text))} for text in (told, behind)]
    assert psi[0] == psi[1] != set()


def test_a_query_is_kept_as_a_file_of_the_project(console, recorded):
    page = console.get("/query").text
    token = re.search(r'name="form_token" value="(\w+)"', page)[1]
    form = {"form_token": token, "name": "team/late", "sql": "SELECT 1 AS kept"}
    here = {**HERE, "Origin": "http://127.0.0.1:8300"}
    answer = console.post("/query/save", data=form, headers=here)
    assert (answer.status_code, answer.headers["location"]) == (303, "/query?saved=team%2Flate")
    assert (recorded.paths.queries_dir / "team" / "late.sql").read_text() == "SELECT 1 AS kept\n"
    again = console.get("/query", params={"saved": "team/late"}).text
    assert "SELECT 1 AS kept" in again
    assert ">team/late<" in again
    assert "there is a saved query team/late" in console.post("/query/save", data=form, headers=here).text


@pytest.mark.parametrize("name", ["../x", "a/../../x", "A", "", "a/b/c", "/etc/x", "x.sql"])
def test_a_query_is_kept_nowhere_else(console, recorded, name):
    token = re.search(r'name="form_token" value="(\w+)"', console.get("/query").text)[1]
    form = {"form_token": token, "name": name, "sql": "SELECT 1"}
    answer = console.post("/query/save", data=form, headers={**HERE, "Origin": "http://127.0.0.1:8300"})
    assert answer.status_code == 400
    assert "cannot name a query" in answer.text
    assert "there is no saved query" in console.get("/query", params={"saved": "nobody"}).text


def test_nobody_else_keeps_a_query(console):
    token = re.search(r'name="form_token" value="(\w+)"', console.get("/query").text)[1]
    form = {"name": "stolen", "sql": "SELECT 1"}
    for sent, headers in (
        ({"form_token": token}, {"Sec-Fetch-Site": "none"}),
        ({"form_token": "x"}, HERE),
        ({}, HERE),
    ):
        answer = console.post("/query/save", data={**form, **sent}, headers=headers)
        assert answer.status_code == 400, headers
        assert "another session" in answer.text


def test_a_statement_that_is_too_much_says_so_itself(console):
    page = run(console, "SELECT groupArray(number) FROM numbers(40000000)")
    assert "The question takes more than it may" in page
    assert "does not answer" not in page
    parts = "SELECT 1 FROM " + "\n<cost_shares: since = 1; until = 2>" * 400
    assert "more than 8 parts" in run(console, parts)
