"""Panels of a service on the real engine: with a day of data, with a minute of it, without any, for each task."""

import csv
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from html import unescape
from threading import Event, Semaphore

import pytest
from typer.testing import CliRunner
from weir.core import numbers
from weir.core.numbers import figure
from weir.edges.clickhouse import monitors
from weir.edges.clickhouse.client import connect
from weir.operations import budgets
from weir.web.console.asking import CLIENTS
from weir.web.console.panels import services, slots
from weir.web.console.view import View

from tests.command_line import cli
from tests.console.filled import ARRIVALS, DRIFTED, FLIGHTS, NOW, PARCELS
from tests.console.stand import site
from tests.doubles.monitoring import HEADER, SHARE
from tests.waiting import WAIT_S, until

SERVICES = (FLIGHTS.service, PARCELS.service, ARRIVALS.service)
PANELS = [slot.name for slot in slots("service")]
CHART = re.compile(
    r'<weir-chart kind="(\w+)"[^>]* aria-label="([^"]+)"[^>]*><script type="application/json">(.*?)</script>'
)
ROWS = re.compile(r'href="/data/([\w/]+)\.csv\?([^"]*)"')
NOTHING = {"from": "2026-01-01T00:00Z", "to": "2026-01-02T00:00Z"}
MINUTE = {"from": "2026-11-28T12:00Z", "to": "2026-11-28T12:01Z"}


@pytest.fixture(scope="module")
def shown(console):
    """A panel's HTML, asked once for all tests."""

    @cache
    def ask(panel, service, **query):
        answer = console.get(f"/panel/{panel}", params={"service": service, **query})
        assert answer.status_code == 200, answer.text
        return answer.text

    return ask


def charts(html):
    """What each picture is called, and what it draws."""
    return {unescape(name): json.loads(text) for _, name, text in CHART.findall(html)}


def words(html):
    return " ".join(unescape(re.sub(r"<(script|svg).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)).split())


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_answers_and_says_where_it_has_that_from(shown, panel, service):
    html = shown(panel, service)
    question = re.search(r"<h2[^>]*>(.*?)</h2>", html)
    assert question
    assert "This cannot be shown" not in html
    assert ROWS.search(html)
    assert re.search(r'<p class="verdict">.*\w', html) or "gives no quantiles" in html
    for name, drawn in charts(html).items():
        points = drawn.get("t") or drawn["x"]
        assert name
        assert points == sorted(points)
        assert all(len(line["values"]) == len(points) for line in drawn["series"])
        assert any(value is not None for line in drawn["series"] for value in line["values"]), name


@pytest.mark.parametrize(
    ("service", "query"),
    [(FLIGHTS.service, NOTHING), (PARCELS.service, MINUTE), (ARRIVALS.service, MINUTE)],
    ids=["nothing", "a row of classes", "a row of numbers"],
)
def test_a_panel_of_nothing_or_of_one_row_says_so(shown, service, query):
    for panel in PANELS:
        html = shown(panel, service, **query)
        assert "This cannot be shown" not in html, panel
        assert not re.search(r"\b(None|nan|inf|undefined)\b", words(html)), panel
        if query is NOTHING and panel != "tiles":
            assert 'class="empty"' in html, panel
            assert charts(html) == {}, panel


@pytest.fixture
def weir(recorded, monkeypatch):
    """What a command prints."""
    for name in ("clickhouse_url", "clickhouse_database"):
        monkeypatch.setenv(f"WEIR_{name.upper()}", str(getattr(recorded.recording, name)))

    def run(*arguments):
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


@pytest.mark.parametrize(
    ("panel", "service"),
    [
        ("drift", FLIGHTS.service),
        ("outcomes", ARRIVALS.service),
        ("calibration", PARCELS.service),
        ("latency", FLIGHTS.service),
        ("cost", FLIGHTS.service),
        ("score", FLIGHTS.service),
        ("maturity", FLIGHTS.service),
    ],
)
def test_the_rows_behind_a_panel_are_those_of_the_command_to_the_last_digit(console, shown, weir, panel, service):
    name, query = ROWS.search(shown(panel, service)).groups()
    page = list(csv.DictReader(io.StringIO(console.get(f"/data/{name}.csv?{unescape(query)}").text)))
    asked = dict(re.findall(r"(from|to|step)=([^&]+)", unescape(query)))
    begin, end = (asked.get(each, "").replace("%3A", ":") for each in ("from", "to"))
    times = ("--from", begin or "2026-11-27T20:00", "--to", end or f"{NOW:%Y-%m-%dT%H:%M}")
    step = f"{int(asked.get('step', 900)) // 60}m"
    printed = weir("monitors", "run", name, "--service", service, *times, "--step", step, "--csv")
    assert page
    assert page == list(csv.DictReader(io.StringIO(printed)))


def test_a_figure_on_a_page_is_that_of_its_row(console, shown, service):
    html = shown("drift", service)
    _, query = ROWS.search(html).groups()
    rows = list(csv.DictReader(io.StringIO(console.get(f"/data/drift/features.csv?{unescape(query)}").text)))
    for name in {row["name"] for row in rows}:
        line = re.search(rf'<tr data-f="{name}".*?</tr>', html, re.DOTALL)[0]
        mine = [row for row in rows if row["name"] == name]
        cells = re.findall(r'<td class="q\d[^"]*" data-v="([^"]*)"', line)
        assert cells == [figure(float(row["psi"]), "psi") for row in mine if int(row["n"]) >= 100]
    auc = charts(shown("outcomes", service))["AUC over time with its interval"]
    drawn = [value for line in auc["series"] for value in line["values"] if value is not None]
    step = {"step": "3600", "from": "2026-11-27T20:00Z", "to": "2026-11-28T20:00Z", "service": service}
    measured = csv.DictReader(io.StringIO(console.get("/data/outcome/auc.csv", params=step).text))
    assert set(drawn) == {float(f"{float(row['auc']):.6g}") for row in measured}


def test_each_task_has_its_own_pictures(shown):
    names = {service: [name for panel in PANELS for name in charts(shown(panel, service))] for service in SERVICES}
    assert "AUC over time with its interval" in names[FLIGHTS.service]
    assert "Accuracy, and F1 over all classes over time" in names[PARCELS.service]
    assert "Mean error by predicted value" in names[ARRIVALS.service]
    matrix = shown("mistakes", PARCELS.service)
    assert re.findall(r'<th scope="row">(\w+)</th>', matrix) == ["letter", "box", "pallet"]
    assert "gives no quantiles" in shown("mistakes", ARRIVALS.service)
    (release,) = charts(shown("latency", FLIGHTS.service))["Latency over time"]["marks"]
    assert release["label"] == "v8"


def test_what_needs_somebody_is_a_line_for_each_cause(console):
    html = console.get("/panel/needs").text
    assert html.count("<article") == 2
    assert "with drift/features delay_3h" in words(html)


def test_an_alert_says_how_many_false_alarms_are_to_be_expected_of_its_bound(console):
    html = console.get("/panel/alert", params={"alert": f"{DRIFTED.key}-1"}).text
    assert re.search(r"False alarms\s+at most 0\.72 a month: where nothing changes", words(html))


def test_an_estimate_stands_beside_what_came_true_and_says_when_it_cannot_be_trusted(shown):
    for of, figures in ((FLIGHTS, "AUC is probably 0.64"), (ARRIVALS, "Mean absolute error is probably 2.60")):
        html = shown("foreseen", of.service)
        (drawn,) = charts(html).values()
        assert {line["label"] for line in drawn["series"]} == {"estimate", "came true"}
        assert figures in words(html)
        assert "10 of 10 intervals held what came true" in words(html)
    html = shown("foreseen", PARCELS.service)
    assert "It cannot be trusted: estimates before it were too high by 0.1 on average" in words(html)
    (drawn,) = charts(html).values()
    assert {line["label"] for line in drawn["series"]} == {"estimate that cannot be trusted", "came true"}


def test_a_filter_that_a_panel_does_not_obey_is_told(shown, service):
    assert "Not split by" not in shown("latency", service, tenant="atlas")
    assert "Not split by tenant" in shown("cost", service, tenant="atlas")
    whole, part = (
        charts(shown("latency", service, **query))["Predictions a second over time"]["series"][0]["values"]
        for query in ({}, {"tenant": "atlas"})
    )
    assert sum(filter(None, part)) < sum(filter(None, whole)) / 2


def test_an_input_opens_with_its_histogram_and_a_word_with_its_shares(console, service):
    drill = {"service": service, "feature": "delay_3h", "at": "2026-11-28T18:00Z"}
    html = console.get("/panel/drill", params=drill).text
    assert set(charts(html)) >= {"delay_3h: histogram of the window beside the baseline"}
    assert "PSI" in words(html)
    word = console.get("/panel/drill", params={**drill, "feature": "channel", "monitor": "drift/categories"}).text
    assert re.search(r'class="pairs".*app.*mail', word, re.DOTALL)
    none = console.get("/panel/drill", params={**drill, "feature": "nobody"}).text
    assert "No values in this window" in none


def test_the_map_says_how_important_an_input_is_and_what_moves_by_nature(console, shown, service):
    html = shown("drift", service)
    assert "90.0 % of the model's importance" in words(html).replace(numbers.THIN, " ")
    assert re.search(r'data-f="hour".*?>hour</a><span class="tag">calendar</span>', html)
    assert re.findall(r'<tr data-f="(\w+)"', html)[:2] == ["delay_3h", "late_24h"]  # as important as they are
    drill = console.get("/panel/drill", params={"service": service, "feature": "delay_3h", "at": "2026-11-28T18:00Z"})
    assert ", view delays, 60.0 % of importance" in words(drill.text).replace(numbers.THIN, " ")
    assert "moves with the calendar" not in drill.text


def test_an_alert_is_told_beside_what_happened_to_its_service(console):
    said = words(console.get("/panel/timeline", params={"alert": f"{DRIFTED.key}-1"}).text)
    deeds = ("acknowledged by ada@desk", "promotion by hybrid", "promoted by ada@desk")
    happened = ("release v8", "pending", "firing", *deeds)
    places = [said.index(one) for one in happened]
    assert places == sorted(places), said


def test_where_incidents_come_from_is_ranked_and_can_be_taken_along(console):
    said = words(console.get("/panel/ranking").text).replace(numbers.THIN, " ")
    assert "Most from drift of flight-delay: 4 h in 1 incident, 50.0 % of all" in said
    assert said.index("drift inputs and scores") < said.index("outcome what the model is worth") < said.index("health")
    rows = list(csv.DictReader(io.StringIO(console.get("/data/alerts/ranking.csv").text)))
    assert [(row["of_service"], row["component"], float(row["minutes"])) for row in rows] == [
        (FLIGHTS.service, "drift", 240),
        (FLIGHTS.service, "outcome", 180),
        (ARRIVALS.service, "health", 60),
    ]
    assert "nothing fired" in words(console.get("/panel/ranking", params=NOTHING).text)


def test_a_service_page_says_when_nothing_was_scored_and_where_it_was(console, service):
    page = console.get(f"/s/{service}", params=NOTHING).text
    assert "scored nothing in this window" in page
    assert "Show that day" in page
    there = console.get(f"/s/{service}").text
    assert all(f'hx-get="/panel/{panel}?' in there for panel in PANELS)
    assert 'data-param="version"' in there


DRAWN = {  # what each kind of a monitor of the project is drawn as
    "lines": '<weir-chart kind="lines"',
    "histograms": '<weir-chart kind="histograms"',
    "points": '<weir-chart kind="points"',
    "heat": '<table class="heat"',
    "strips": 'class="strip held-to"',
    "waterfall": '<ul class="fall"',
    "tiles": '<ul class="tiles"',
    "table": "<table",
}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_monitor_of_the_project_appears_by_itself(console, recorded, service, kind):
    folder = recorded.paths.monitors_dir
    folder.mkdir(exist_ok=True)
    text = HEADER.format(name=f"late_{kind}", subject="variant", page="> 0.6").replace("panel: lines", f"panel: {kind}")
    file = folder / f"late_{kind}.sql"
    file.write_text(text + SHARE)
    try:
        for one in monitors.looked(recorded)[1]:
            pytest.fail(f"{one} is no monitor")
        until(
            lambda: f'hx-get="/panel/own/late_{kind}?' in console.get(f"/s/{service}").text,
            WAIT_S,
            "the panel to appear",
        )
        html = console.get(f"/panel/own/late_{kind}", params={"service": service}).text
        assert "How is it?" in html
        assert DRAWN[kind] in html
    finally:
        file.unlink()


def test_a_service_is_as_fast_on_its_own_page_as_on_the_overview(shown, service):
    """Also where the last window is not over: what is still to come is no time without predictions."""
    rate = re.search(r'data-k="Rate">([^<]+)<', shown("services", service, range="30d"))[1]
    assert f'<span class="s">{rate} on average<' in shown("tiles", service, range="30d")


def test_error_budgets_are_those_of_the_status(recorded, tmp_path, service):
    (tmp_path / "slos").mkdir()
    said = f"title: t\nservice: {service}\nobjective: 50%\nwindow: 1d\nmonitor: health/errors\ngood: 1 - value\n"
    (tmp_path / "slos" / "loose.yaml").write_text(said)
    settings = recorded.having(slos_dir=tmp_path / "slos")
    left = budgets.look(connect(settings.recording), settings, NOW).left[service]
    shown = services.build(site(settings).asker, View.of({}, NOW)).context["services"]
    assert {one.name: one.budget for one in shown} == {**dict.fromkeys(SERVICES), service: left}


def test_a_page_does_not_wait_for_what_others_show(recorded):
    """Its frame is there while as many panels as may ask at a time wait for their answers."""
    here, answered, asking = site(recorded), Event(), Semaphore(0)

    def wait(_client):
        asking.release()
        assert answered.wait(WAIT_S)

    try:
        with ThreadPoolExecutor(CLIENTS + 1) as people:
            waiting = [people.submit(here.asker.ask, wait) for _ in range(CLIENTS + 1)]
            for _ in range(CLIENTS):
                assert asking.acquire(timeout=WAIT_S)
            frame = here.frames.look()
            assert not any(one.done() for one in waiting)
            answered.set()
        assert frame.away is None
        assert set(SERVICES) <= set(frame.services)
    finally:
        answered.set()
        here.asker.close()


ALERT = f"{DRIFTED.key}-1"
ELSEWHERE = ("balance", "needs", "services", "traffic", "ledger", "letters", "alerts", "alert", "causes", "timeline")


@pytest.mark.parametrize("panel", [*ELSEWHERE, "calls", "released"])
def test_behind_every_panel_of_other_pages_are_its_sql_its_rows_and_a_file(console, shown, panel):
    query = {"alert": ALERT} if panel in ("alert", "causes", "timeline") else {}
    html = shown(panel, FLIGHTS.service if panel == "released" else "", **query)
    assert panel == "timeline" or re.search(r'<p class="verdict">.*\w', html)
    name, asked = ROWS.search(html).groups()
    page = console.get(f"/rows/{name}?{unescape(asked)}")
    assert page.status_code == 200
    assert "SELECT" in page.text
    assert 'class="error"' not in page.text
    rows = list(csv.DictReader(io.StringIO(console.get(f"/data/{name}.csv?{unescape(asked)}").text)))
    assert rows
    assert f'<h2 id="h-rows">{len(rows)} rows</h2>' in page.text


def test_what_no_panel_reads_is_not_shown_by_its_name(console):
    for name in ("measurements/latest", "gate/batches", "../monitors/drift/features", "parts/outcome_rows"):
        assert console.get(f"/rows/{name}").status_code == 404
        assert console.get(f"/data/{name}.csv").status_code == 404


def test_traffic_of_all_services_is_hatched_and_marked_where_it_is_so(shown):
    rate = charts(shown("traffic", ""))["Predictions a second, by service"]
    assert {line["label"] for line in rate["series"]} == set(SERVICES)
    assert rate["from"] == rate["t"][0]
    assert rate["held"][0][1] == rate["to"]
    assert [mark["label"] for mark in rate["marks"]] == ["flight-delay v8"]


def test_a_release_is_marked_in_the_map_and_on_every_line_over_time(shown, service):
    drift = shown("drift", service)
    assert '<b aria-hidden="true">v8</b>' in drift
    assert len(re.findall(r'<td class="[^"]* r"', drift)) == drift.count('<tr data-f="')
    over = {**charts(drift), **charts(shown("score", service)), **charts(shown("latency", service))}
    for name, drawn in over.items():
        if "t" in drawn:
            assert [mark["label"] for mark in drawn["marks"]] == ["v8"], name
            assert drawn["held"], name


def test_tiles_carry_a_state_their_course_and_what_is_on_its_way(shown, service):
    html = shown("tiles", service)
    tiles = dict(re.findall(r'<span class="k">([^<]+)</span><span class="v">(.*?)</span><span class="s">', html))
    assert 'class="state alarm"' in tiles["AUC, latest mature"]
    assert 'class="state alarm"' in tiles["Inputs moved"]
    assert 'class="held"' in html
    assert "Look at 3 of 8" in words(html)


def test_cost_says_what_it_earned_and_how_much_of_the_budget_is_spent(shown, service):
    said = words(shown("cost", service))
    assert re.search(r"Value per dollar \$[\d\s]+", said)
    assert "Budget, this month 61.0" in said


def test_speed_draws_its_stages_and_names_the_one_that_takes_most(shown, service):
    html = shown("latency", service)
    assert re.search(r"A request spends [\d.]+\s% of its time in wait", words(html))
    assert html.count("<li><span>") == 6


def test_an_alert_names_what_is_grouped_with_it(shown):
    assert "Grouped with it outcome/auc" in words(shown("alert", "", alert=ALERT))


def test_a_further_question_is_asked_only_where_there_is_reason(console, shown):
    assert "dead letters" in shown("errors", FLIGHTS.service)
    (drawn,) = charts(shown("decisions", FLIGHTS.service)).values()
    assert [value for value in drawn["series"][0]["values"] if value is not None] == [0.7, 0.6]
    value = shown("value", FLIGHTS.service)
    assert "$2.00" in words(value)
    name, asked = ROWS.search(value).groups()
    (stored,) = csv.DictReader(io.StringIO(console.get(f"/data/{name}.csv?{unescape(asked)}").text))
    assert (stored["monitor"], stored["values"]) == ("outcome/value", "[2.5, 2.0]")
    for panel, name in (("golden", FLIGHTS.service), ("views", FLIGHTS.service), ("decisions", ARRIVALS.service)):
        assert shown(panel, name).strip() == ""
