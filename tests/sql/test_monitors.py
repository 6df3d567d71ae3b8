"""Monitors are asked in one way: by the server's parameters, over bounded tables, with columns as their headers say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from weir.core.chunk import LogPartition
from weir.core.errors import Refused
from weir.edges.clickhouse import monitors, questions, results, scans
from weir.edges.clickhouse.client import connect
from weir.edges.clickhouse.joined import joining
from weir.monitor.segment import Segment
from weir.monitor.spec import Asked
from weir.recording import tables
from weir.settings import load

from tests.databases import migrated, put
from tests.doubles import records
from tests.unit.monitor.test_header import SQL, read, text

BEGIN = datetime(2013, 7, 1, 12, tzinfo=UTC)  # of records.BASE_MS
LOG = LogPartition("log", "weir.predictions", 0)
HOUR = Asked(service=records.SERVICE, begin=BEGIN, end=BEGIN + timedelta(hours=1), step_s=600)
EARLIER = Asked(service=records.SERVICE, begin=BEGIN - timedelta(hours=1), end=BEGIN, step_s=600)


@pytest.fixture(scope="module")
def recorded(databases):
    """A client of a database with 3,000 predictions, one a second from BEGIN on."""
    with migrated(databases) as settings:
        client = connect(settings.recording)
        fill(client)
        yield client


def fill(client):
    rows = records.predictions(0, list(range(3000)))
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(3000), records.names))
    put(client, "bundles", tables.bundles(records.bundles(), LOG, np.arange(1)))
    results.make(client, {records.SERVICE: ""})


def test_every_monitor_of_weir_is_sound(recorded):
    found = monitors.files(load())
    assert found
    for monitor in found.values():
        monitors.check(recorded, monitor, records.SERVICE)


def test_every_monitor_of_weir_answers_where_nothing_is_recorded(recorded):
    later = replace(HOUR, begin=HOUR.begin + timedelta(days=9), end=HOUR.end + timedelta(days=9))
    for monitor in monitors.files(load()).values():
        monitors.rows(monitor, monitors.table(recorded, monitor, later))


def test_what_needs_more_memory_than_a_statement_may_have_is_refused(recorded):
    auc, loss = (monitors.named(load(), f"outcome/{name}") for name in ("auc", "log_loss"))
    try:
        recorded.params["max_memory_usage"] = "1000000"
        with pytest.raises(Refused, match=r"monitor outcome/auc needs more memory.*a shorter time"):
            monitors.run(recorded, auc, HOUR)
        recorded.params["max_memory_usage"] = "10000"
        shared = joining(recorded, "one", records.SERVICE, [auc, loss])
        with shared as joined, pytest.raises(Refused, match="joining predictions with outcomes needs more memory"):
            joined.table(auc, HOUR)
    finally:
        del recorded.params["max_memory_usage"]


def test_rows_are_figures_by_window(recorded):
    rows = monitors.run(recorded, read(), HOUR)
    assert [(row.begin, row.subject, row.value, row.n) for row in rows] == [
        (BEGIN + timedelta(minutes=10 * place), "", 1.0, 600) for place in range(5)
    ]
    assert rows[0].details == {}
    assert rows[0].low is None


def test_subjects_have_rows_of_their_own_and_other_columns_are_details(recorded):
    sql = SQL.replace("AS n,", "AS n, variant, decision, max(score) AS top,").replace("BY t", "BY t, variant, decision")
    rows = monitors.run(recorded, read(sql, subject="variant decision"), HOUR)
    assert {row.subject for row in rows} == {"champion/positive", "champion/negative"}
    assert rows == sorted(rows, key=lambda row: (row.begin, row.subject))
    assert all(set(row.details) == {"top"} for row in rows)
    with pytest.raises(Refused, match=r"2 rows for champion at 2013-07-01 12:00: GROUP BY window and subject"):
        monitors.run(recorded, read(sql, subject="variant"), HOUR)


def test_a_segment_is_obeyed_or_refused(recorded):
    sql = SQL.replace("GROUP", "AND {tenant:String} IN ('', tenant)\nGROUP")
    by_tenant = read(sql, filters="tenant")
    assert len(monitors.run(recorded, by_tenant, replace(HOUR, segment=Segment(tenant="t")))) == 5
    assert monitors.run(recorded, by_tenant, replace(HOUR, segment=Segment(tenant="another"))) == []
    with pytest.raises(Refused, match=r"does not tell one version from another: leave version= out: it is by tenant"):
        monitors.run(recorded, by_tenant, replace(HOUR, segment=Segment(version="1")))


def test_values_are_bound_and_never_put_into_the_text(recorded):
    hostile = "x' OR 1 --{service:String}\\"
    sql = SQL.replace("GROUP", "AND {tenant:String} IN ('', tenant)\nGROUP")
    asked = replace(HOUR, segment=Segment(tenant=hostile))
    assert monitors.run(recorded, read(sql, filters="tenant"), asked) == []
    assert monitors.run(recorded, read(), replace(HOUR, service=hostile)) == []


def test_a_monitor_may_only_read(recorded):
    when = "WHERE {from:DateTime} < {to:DateTime} - {step:UInt32}"
    sql = f"INSERT INTO dead_letters (service) SELECT {{service:String}} {when}"
    with pytest.raises(Refused, match=r"ClickHouse refuses its SQL: .*readonly"):
        monitors.run(recorded, read(sql), HOUR)


def test_what_the_bundle_means_is_bound(recorded):
    words = "{positive:String} AS word, {threshold:Float64} AS bar"
    meant = f"countIf(has({{flagging:Array(String)}}, decision)) AS flagged, {words}"
    sql = SQL.replace("AS n,", f"AS n, {meant},")
    rows = monitors.run(recorded, read(sql), HOUR)
    assert {row.details["word"] for row in rows} == {"positive"}
    assert rows[0].details["bar"] == 0.5
    assert 0 < rows[0].details["flagged"] < 600


@pytest.mark.parametrize("broken", ["nothing_of_this_name", "count(", "sum(tenant)"])
def test_a_query_that_fails_is_refused_in_clickhouses_words(recorded, broken):
    one = read(SQL.replace("count()", broken))
    for ask in (lambda: monitors.run(recorded, one, HOUR), lambda: monitors.check(recorded, one, records.SERVICE)):
        with pytest.raises(Refused, match="monitor rate cannot be used: ClickHouse refuses its SQL: "):
            ask()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"value": "rate"}, "has no column rate: name one of t, n, per_second as `-- value:`"),
        ({"subject": "feature"}, "has no column feature: name one of t, n, per_second as `-- subject:`"),
        ({"n": "per_second"}, "column per_second, its n, is a Float64: give a whole number"),
        ({"time": "n"}, "column n, its time, is a UInt64: give a DateTime"),
    ],
)
def test_columns_that_the_header_names_are_looked_at(recorded, changed, said):
    with pytest.raises(Refused, match=said):
        monitors.check(recorded, read(**changed), records.SERVICE)


INSIDE = "service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}"
JOINED = "ANY LEFT JOIN (SELECT prediction_id FROM shadows) AS s USING (prediction_id)\nWHERE"
SCANS = {
    "no service": (SQL.replace("service = {", "'' != {"), {"predictions": ("service",)}),
    "any service": (
        SQL.replace("service =", "'' = {service:String} OR service ="),
        {"predictions": ("service", "time")},
    ),
    "perhaps": (SQL.replace("= {service:String}", "IN ('', {service:String}, team)"), {"predictions": ("service",)}),
    "lower": (SQL.replace("service =", "lower(service) ="), {"predictions": ("service",)}),
    "no begin": (SQL.replace(">=", "<="), {"predictions": ("time",)}),
    "another time": (SQL.replace("event_time >=", "recorded_at >="), {"predictions": ("time",)}),
    "beside": (SQL.replace("count()", "count() + (SELECT count() FROM batches)"), {"batches": ("service", "time")}),
    "joined": (SQL.replace("WHERE", JOINED), {"shadows": ("service", "time")}),
    "another time than asked": (
        SQL.replace("event_time >= {from:DateTime}", "event_time >= '2000-01-01' AND {from:DateTime} > 0"),
        {"predictions": ("time",)},
    ),
    "outcomes": (SQL.replace("count()", "count() + (SELECT count() FROM outcomes)"), {"outcomes": ("service",)}),
    "results": (
        SQL.replace("FROM predictions", "FROM results").replace("service = {", "'' != {"),
        {"results": ("service",)},
    ),
}


@pytest.mark.parametrize("how", SCANS)
def test_a_query_that_would_read_a_table_as_a_whole_is_refused(recorded, how):
    sql, lacking = SCANS[how]
    one = read(sql)
    bound, others = (monitors.parameters(recorded, one, asked) for asked in (HOUR, EARLIER))
    assert scans.unbounded(recorded, sql, bound, monitors.ASKING, others) == lacking
    with pytest.raises(Refused, match=f"reads all of {next(iter(lacking))}, whatever "):
        monitors.check(recorded, one, records.SERVICE)


OUTSIDE = "SELECT toStartOfHour(event_time) AS t, count() AS n, n / {step:UInt32} AS per_second FROM"
BOUNDED = {
    "plain": SQL,
    "by hours": SQL.replace("event_time >=", "toStartOfHour(event_time) >="),
    "turned round": SQL.replace("event_time >= {from:DateTime}", "{from:DateTime} <= event_time"),
    "between": SQL.replace("event_time >= {from:DateTime} AND event_time <", "event_time BETWEEN {from:DateTime} AND"),
    "around": f"{OUTSIDE} (SELECT service, event_time FROM predictions) WHERE {INSIDE} GROUP BY t",
    "named": f"WITH rows AS (SELECT * FROM predictions WHERE {INSIDE}) {OUTSIDE} rows GROUP BY t",
    "the service's view": SQL.replace("FROM predictions", "FROM {results:Identifier}"),
    "a small table beside": SQL.replace("count()", "count() + (SELECT 0 * count() FROM bundles)"),
}


@pytest.mark.parametrize(
    ("read_from", "said"),
    [
        ("numbers(1000000000000)", "numbers"),
        ("system.numbers", "system.numbers"),
        ("merge(currentDatabase(), 'predictions')", "merge"),
        ("generateRandom('number UInt64')", "generateRandom"),
    ],
)
def test_what_is_no_table_of_the_record_is_not_read(recorded, read_from, said):
    beside = SQL.replace("WHERE", f"CROSS JOIN (SELECT 1 AS x FROM {read_from} LIMIT 1) AS s\nWHERE")
    with pytest.raises(Refused, match=f"reads {said}.*no table and no view of this database"):
        monitors.check(recorded, read(beside), records.SERVICE)


def test_what_takes_long_only_to_look_at_is_refused(recorded, monkeypatch):
    monkeypatch.setattr(monitors, "LOOK_S", 1)
    beside = SQL.replace("count()", "count() + (SELECT max(number) FROM numbers(1000000000000))")
    with pytest.raises(Refused, match="a query in the place of a value takes longer than 1 s"):
        monitors.check(recorded, read(beside), records.SERVICE)


def test_values_that_the_statement_itself_says_are_let_through(recorded):
    beside = SQL.replace("count()", "count() + (SELECT count() FROM values('x UInt8', 1, 2))")
    monitors.check(recorded, read(beside), records.SERVICE)


@pytest.mark.parametrize("how", BOUNDED)
def test_a_query_of_a_service_and_a_time_is_let_through(recorded, how):
    monitors.check(recorded, read(BOUNDED[how]), records.SERVICE)


def test_files_of_weir_and_of_the_project_are_one_list(tmp_path):
    (tmp_path / "kpi").mkdir()
    own = {"name": "kpi/rate", "owner": "team-a", "target": "> 0", "slo": "fast"}
    (tmp_path / "kpi" / "rate.sql").write_text(text(**own))
    settings = load(monitors_dir=tmp_path)
    found = monitors.files(settings)
    assert found["kpi/rate"].own
    assert found["kpi/rate"].is_kpi
    taken = next(name for name, one in found.items() if not one.own)
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / f"{taken}.sql").write_text(text(name=taken))
    (tmp_path / "broken.sql").write_text(text(name="broken", unit="furlongs"))
    found, refused = monitors.looked(settings)
    assert "kpi/rate" in found
    assert len(refused) == 2
    with pytest.raises(Refused, match=f"there are two monitors {taken}"):
        raise refused[tmp_path / f"{taken}.sql"]
    with pytest.raises(Refused, match="unit: furlongs"):
        monitors.named(settings, "broken")
    with pytest.raises(Refused, match="there is no monitor kpi/rat: did you mean kpi/rate"):
        monitors.named(settings, "kpi/rat")


def test_weir_query_asks_monitors_too(recorded, tmp_path):
    (tmp_path / "rate.sql").write_text(text())
    settings = load(monitors_dir=tmp_path)
    assert "rate" in {row["name"] for row in questions.brought(settings)}
    given = {"service": records.SERVICE, "from": "2013-07-01T12:00", "to": "2013-07-01T13:00", "step": "600"}
    assert len(questions.named(recorded, "rate", given, 10, settings).rows) == 5
    with pytest.raises(Refused, match="about one service: give --param service=NAME"):
        questions.named(recorded, "rate", {}, 10, settings)
