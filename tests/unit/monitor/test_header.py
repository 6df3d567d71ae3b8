"""What a monitor's header may say, and what is said of one that is wrong."""

from datetime import UTC, datetime

import pytest
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.monitor import header
from weir.monitor.segment import Segment
from weir.monitor.spec import Asked, Level, Series, Stroke, Unit, coarsest
from weir.monitor.threshold import Threshold

HEADER = {
    "name": "rate",
    "question": "How many come?",
    "title": "Predictions a second",
    "source": "table predictions",
    "tasks": "all",
    "time": "t",
    "value": "per_second",
    "unit": "rate",
    "n": "n",
    "window": "5m",
    "panel": "lines",
}
SQL = """SELECT
    toStartOfInterval(event_time, toIntervalSecond({step:UInt32})) AS t, count() AS n, n / {step:UInt32} AS per_second
FROM predictions
WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
GROUP BY t"""


def text(sql=SQL, **changed):
    said = {key: value for key, value in (HEADER | changed).items() if value is not None}
    return "".join(f"-- {key}: {value}\n" for key, value in said.items()) + f"--\n-- Of all.\n{sql}\n"


def read(sql=SQL, **changed):
    return header.monitor(text(sql, **changed), "rate", "monitors/rate.sql")


def test_a_header_is_read():
    one = read(
        page="> 0.1",
        warn=">= 0",
        minimum="500",
        tasks="binary, regression",
        maturity="0.9",
        subject="a b",
        cadence="2h",
    )
    assert (one.time, one.value, one.n, one.subject) == ("t", "per_second", "n", ("a", "b"))
    assert (one.window_s, one.cadence_s, one.minimum, one.maturity) == (300, 7200, 500, 0.9)
    assert (one.page, one.warn) == (Threshold(">", 0.1), Threshold(">=", 0.0))
    assert one.tasks == (Task.BINARY, Task.REGRESSION)
    assert one.unit is Unit.RATE
    assert one.parameters == {"step": "UInt32", "service": "String", "from": "DateTime", "to": "DateTime"}
    assert not one.is_kpi
    assert not one.on_demand


def test_a_header_says_what_is_drawn_and_what_is_said():
    one = read(series="p99_ms as p99, p95 as the 95th dashed, mean base, n", rule='250 "promise"', verdict="latency")
    assert one.series == (
        Series("p99_ms", "p99"),
        Series("p95", "the 95th", Stroke.DASHED),
        Series("mean", "mean", Stroke.BASE),
        Series("n", "n"),
    )
    assert (one.rule, one.verdict) == (Level(250, "promise"), "latency")
    assert (read().series, read().rule, read().verdict) == ((), None, "")


def test_a_monitor_may_be_asked_only_by_people():
    assert read(cadence="on  demand").on_demand


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"unit": "furlongs"}, r"unit: furlongs.*write one of ms, s, share"),
        ({"page": "0.1"}, r"page: 0.1.*one of > >= < <= and a number"),
        ({"page": "> nan"}, "page: > nan"),
        ({"window": "an hour"}, "window: an hour.*such as 5m"),
        ({"window": "0s"}, "window: 0s"),
        ({"window": "90s"}, "window: 90s.*write whole minutes"),
        ({"window": "400d"}, "window: 400d.*a year at most"),
        ({"cadence": "on request"}, "cadence: on request.*such as 5m"),
        ({"maturity": "90"}, "maturity: 90.*from 0 to 1"),
        ({"minimum": "-3"}, "minimum: -3.*whole number"),
        ({"tasks": "ranking"}, "tasks: ranking.*binary, multiclass, regression"),
        ({"panel": "pie"}, "panel: pie.*lines, fan"),
        ({"baseline": "last week"}, "baseline: last week.*reference"),
        ({"baseline": "frozen"}, "baseline: frozen.*the name that `weir baseline capture` was given"),
        ({"baseline": "frozen season"}, "baseline: frozen season.*the name that"),
        ({"baseline": "season month"}, "baseline: season month.*hour, weekday, hour_of_week"),
        ({"baseline": "reference mine"}, "baseline: reference mine.*write none, reference"),
        ({"baseline": "reference"}, "baseline: reference, and its SQL does not ask for baseline.*{baseline:String}"),
        ({"baseline": "frozen july"}, "baseline: frozen july, and its SQL does not ask for baseline"),
        ({"baseline": "season"}, "baseline: season hour_of_week, and its SQL does not ask for season"),
        ({"filters": "country"}, "filters: country.*version, variant, tenant, team"),
        ({"time": "toDate(t)"}, "time: .*name of a column"),
        ({"question": None}, "does not say question"),
        ({"question": ""}, "does not say question"),
        ({"name": "Rate"}, "its header calls it Rate .*-- name: rate"),
        ({"pages": "> 1"}, "key pages.*did you mean page"),
        ({"verdict": "guess"}, "verdict: guess.*write one of plain, drift"),
        ({"series": "a as A, b +"}, "series: a as A, b \\+.*p99_ms as p99, p95_ms as p95 dashed"),
        ({"series": "a, b, c, d, e, f"}, "at most 5 columns"),
        ({"rule": "promise"}, 'rule: promise.*250 "promise"'),
    ],
)
def test_what_a_header_cannot_say_is_refused_by_its_key(changed, said):
    with pytest.raises(Refused, match=said):
        read(**changed)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "a header and no SQL"),
        ("-- later", "a header and no SQL"),
        (SQL.replace("{from:DateTime}", "now() - 100"), "does not ask for from"),
        (SQL.replace("{from:DateTime}", "{from:String}"), "from is a String.*{from:DateTime}"),
        (SQL + "\nSETTINGS max_execution_time = 0", "its SQL says SETTINGS"),
        (SQL.replace("AS n,", "AS n, '--' AS x,") + " SETTINGS max_execution_time=0", "its SQL says SETTINGS"),
        (SQL.replace("AS n,", 'AS n, 1 AS "--",') + " SETTINGS max_execution_time=0", "its SQL says SETTINGS"),
        (
            SQL.replace("AS n,", "AS n, 'it''s /*' AS x,") + " SETTINGS/*a*/`max_threads`=9 -- */",
            "its SQL says SETTINGS",
        ),
        (SQL + "\n# it's\nSETTINGS max_threads=9 -- '", "its SQL says SETTINGS"),
        (SQL.replace("AS n,", "AS n, $a$'$a$ AS x,") + " SETTINGS max_threads=9 --'", "its SQL says SETTINGS"),
        (SQL + " HAVING n > {least:UInt32}", "nobody knows its parameter least"),
        (SQL.replace("FROM predictions", "FROM {traffic:Identifier}"), "nobody knows its parameter traffic"),
        (SQL + " HAVING {tenants:String} = ''", "tenants.*did you mean tenant"),
        (SQL + " HAVING {tenant:String} = ''", "its SQL takes tenant.*-- filters: tenant"),
    ],
)
def test_what_the_sql_cannot_ask_is_refused(sql, said):
    with pytest.raises(Refused, match=said):
        read(sql)


def test_what_stands_in_strings_and_comments_is_no_setting():
    said = read(SQL.replace("AS n,", "AS n, 'SETTINGS a=1' AS x, /* SETTINGS b=2 */") + " -- SETTINGS c=3")
    assert "SETTINGS a=1" in said.sql


def test_a_filter_that_the_sql_ignores_is_refused():
    with pytest.raises(Refused, match="does not take tenant"):
        read(filters="tenant")


def test_a_key_that_is_there_twice_is_refused():
    with pytest.raises(Refused, match="says unit twice"):
        header.monitor("-- unit: ms\n" + text(), "rate", "monitors/rate.sql")


@pytest.mark.parametrize("lacking", ["owner", "target", "slo"])
def test_a_kpi_has_owner_target_and_slo(lacking):
    said = {"owner": "team-a", "target": ">= 0.9", "slo": "fast"}
    assert read(**said).is_kpi
    with pytest.raises(Refused, match=f"does not say {lacking}: a KPI has"):
        header.monitor(text(**{**said, "name": "kpi/rate", lacking: None}), "kpi/rate", "monitors/kpi/rate.sql")


def test_a_kpi_without_sql_is_refused():
    with pytest.raises(Refused, match="no SQL"):
        read("", owner="team-a", target="> 1", slo="fast")


@pytest.mark.parametrize("text", ["country=de", "version", "version=", "=3", "version=3 tenant=acme"])
def test_a_segment_that_cannot_be_said_is_refused_with_what_can(text):
    with pytest.raises(Refused, match="version=, variant=, tenant=, team="):
        assert Segment.of(text) is None


def test_a_segment_is_read_and_written():
    assert Segment.of(" version=3, tenant = acme ") == Segment(version="3", tenant="acme")
    assert str(Segment.of("tenant=acme,version=3")) == "version=3,tenant=acme"
    assert Segment.of("") == Segment()
    with pytest.raises(Refused, match="tenant is said twice"):
        Segment.of("tenant=a,tenant=b")


TABLES = ("traffic", "traffic_day", "traffic_hour", "results")


@pytest.mark.parametrize(
    ("begin", "end", "step_s", "table"),
    [
        ((0, 0), (23, 0), 3600, "traffic_hour"),
        ((0, 0), (23, 0), 5400, "traffic"),
        ((0, 30), (23, 0), 3600, "traffic"),
        ((0, 0), (23, 1), 7200, "traffic"),
        ((0, 0), (0, 0), 86_400, "traffic_day"),
    ],
)
def test_the_coarsest_table_is_chosen_whose_windows_divide_all_that_is_asked(begin, end, step_s, table):
    day = datetime(2026, 1, 1, tzinfo=UTC)
    since, until = day.replace(hour=begin[0], minute=begin[1]), day.replace(hour=end[0], minute=end[1], day=2)
    assert coarsest("traffic", TABLES, Asked(service="a", begin=since, end=until, step_s=step_s)) == table
