"""Figures from cells are those of the join, whatever came late, twice, corrected or withdrawn after the count."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.edges.clickhouse import monitors, outcome_cells, results, sql_files
from weir.monitor.segment import Segment
from weir.monitor.spec import Asked
from weir.recording import tables

from tests.databases import migrated, put
from tests.doubles import records
from tests.sql.test_joined import OF_CLASSES, close, figures
from tests.sql.test_outcome_monitors import DAY, DAY_S, FILES, connect, said
from tests.sql.test_outcomes import replaced
from tests.sql.test_reports import LOG, OUTCOMES

EVERY_S, N = 150, 450  # 19 hours from noon on
WINDOWS = {"begin": DAY, "end": DAY + timedelta(days=2), "step_s": DAY_S}
READING = sorted(name for name, one in FILES.items() if "outcome_kept" in one.sql)
MEANT = {Task.BINARY: said(), Task.MULTICLASS: OF_CLASSES, Task.REGRESSION: said(Task.REGRESSION)}
SEGMENTS = {
    Task.BINARY: Segment(),
    Task.MULTICLASS: Segment(variant="champion"),
    Task.REGRESSION: Segment(tenant="t1"),
}
NAMES = np.array(["a", "b", "c"])


@pytest.fixture(scope="module")
def client(databases):
    with migrated(databases) as of:
        yield connect(of.recording)


@pytest.fixture
def recorded(client):
    """Predictions and outcomes of a task, the outcomes by the id of the prediction; some are early, some never come."""
    for table in ("predictions", "outcomes", "outcome_changes", "outcome_kept", "bundles"):
        client.command(f"TRUNCATE TABLE {table}")
    results.make(client, {records.SERVICE: ""})
    chance = np.random.default_rng(7)

    def record(task):
        shares = chance.dirichlet((3, 2, 1), N).astype(np.float32)
        scores = shares.max(1) if task is Task.MULTICLASS else chance.random(N).astype(np.float32)
        if task is Task.REGRESSION:
            scores = (scores - 0.5) * 40
        scores[chance.random(N) < 0.02] = np.nan
        came(client, task, chance, range(0, N, 3))
        predict(client, task, scores, shares, range(N))
        came(client, task, chance, [i for i in range(N) if i % 3 and i % 7])
        return scores, shares, chance

    return record


def predict(client, task, scores, shares, places):
    at = [EVERY_S * place for place in places]
    rows = replaced(
        records.predictions(0, at),
        score=np.asarray(scores, np.float32)[list(places)],
        decision=[decided(task, scores[place], shares[place]) for place in places],
        variant=["challenger" if place % 4 == 1 else "champion" for place in places],
        tenant=[f"t{place % 3}" for place in places],
    )
    table = tables.predictions(rows, LOG, np.array(at), records.names)
    if task is Task.MULTICLASS:
        pairs = [list(zip(NAMES, map(float, shares[place]), strict=True)) for place in places]
        column = pa.array(pairs, pa.map_(pa.string(), pa.float32()))
        table = table.set_column(table.schema.get_field_index("outputs"), "outputs", column)
    put(client, "predictions", table)


def decided(task, score, shares):
    if task is Task.MULTICLASS:
        return str(NAMES[shares.argmax()])
    return "positive" if score >= 0.5 else "negative"


def came(client, task, chance, places, **columns):
    """Outcomes at random; received up to 30 hours after the prediction."""
    places = list(places)
    words = NAMES if task is Task.MULTICLASS else np.array(["0", "1"])
    ids = [records.prediction_id(0, EVERY_S * place) for place in places]
    rows = records.outcomes(ids, [0.0] * len(places), chance.normal(0, 9, len(places)).tolist(), **columns)
    rows = replaced(rows, label=words[chance.integers(0, len(words), len(places))].tolist())
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(len(places)), records.BASE_MS + 40_000_000))


def kept(client):
    """How many hours are read from cells of delays, which every task has."""
    bound = {"service": records.SERVICE, "from": WINDOWS["begin"], "to": WINDOWS["end"], "step": DAY_S}
    sql = sql_files.whole("SELECT count() FROM <kept_hours: of = outcome_delays>")
    return client.query(sql, parameters=bound, settings={"session_timezone": "UTC"}).result_rows[0][0]


def compare(client, task, **changed):
    """Each monitor as it is, and with no hour kept: the join alone, which other tests hold to the whole truth."""
    asked = Asked(service=records.SERVICE, **(WINDOWS | changed))
    mine = [FILES[name] for name in READING if task in FILES[name].tasks]
    found = {one.name: monitors.run(client, one, asked, MEANT[task]) for one in mine}
    rows = client.query("SELECT * FROM outcome_kept")
    client.command("TRUNCATE TABLE outcome_kept")
    for one in mine:
        joined = monitors.run(client, one, asked, MEANT[task])
        assert len(joined) > 0, one.name
        if one.name == "outcome/auc":
            assert [row.n for row in found[one.name]] == [row.n for row in joined]
            for mine_, exact in zip(found[one.name], joined, strict=True):
                assert abs(mine_.value - exact.value) <= mine_.details["off_by"] < 0.1
                assert exact.details["off_by"] == 0
        else:
            assert close(told(found[one.name]), told(joined)), one.name
    client.insert("outcome_kept", rows.result_rows, column_names=rows.column_names)


def told(rows):
    """Figures, without quantiles of delays, which are sketches."""
    return {
        key: tuple(part for part in parts if not str(part).startswith("('delay_p"))
        for key, parts in figures(rows).items()
    }


@pytest.mark.parametrize("task", list(Task))
def test_cells_are_never_another_truth(client, recorded, monkeypatch, task):
    scores, shares, chance = recorded(task)
    assert outcome_cells.keep(client, records.SERVICE, task) == 0, "what has changed a moment ago is left alone"
    assert outcome_cells.keep(client, records.SERVICE, task, quiet_s=0) == kept(client) == 19
    compare(client, task)
    came(client, task, chance, [40, 41, 42], revision=1)  # corrected, one hour
    came(client, task, chance, [100, 100, 100])  # conflicting
    came(client, task, chance, [160], withdrawn=True, revision=2)
    came(client, task, chance, [220], revision=-1)  # late, and older than what is known
    with monkeypatch.context() as killed:
        killed.setattr(outcome_cells, "KEEP", "SELECT throwIf(1) FORMAT Null")
        with pytest.raises(Refused):
            outcome_cells.keep(client, records.SERVICE, task, quiet_s=0)
    assert kept(client) == 15, "what was counted and not told to be whole counts for nothing"
    compare(client, task, segment=SEGMENTS[task], begin=DAY + timedelta(hours=14.4))

    assert outcome_cells.keep(client, records.SERVICE, task, quiet_s=0) == 4
    predict(client, task, scores, shares, [8, 9])  # the same requests, scored again: one hour
    assert kept(client) == 18
    rows = records.outcomes(["nobody's"], [1.0], by="request_id")
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(1), 0))
    assert kept(client) == 0, "whose it is, and of which hour, is not known"


def test_counts_that_were_replaced_go_in_the_end(client, recorded, monkeypatch):
    """Of hours with a score of two classes that is no chance there are none: it ranks as it is."""
    recorded(Task.BINARY)
    predict(client, Task.BINARY, [2.5] * N, [[0]] * N, [449])
    monkeypatch.setattr(outcome_cells, "READ_S", 0)
    monkeypatch.setattr(outcome_cells, "MANY", 1)
    for label in ("0", "1"):
        rows = replaced(records.outcomes([records.prediction_id(0, 0)], [1.0]), label=[label])
        put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(1), 0))
        outcome_cells.keep(client, records.SERVICE, Task.BINARY, quiet_s=0)
    made = "SELECT uniqExact(made) FROM outcome_scores WHERE service = {service:String} AND hour = {hour:DateTime}"
    asked = {"service": records.SERVICE, "hour": DAY + timedelta(hours=12)}
    assert client.query(made, parameters=asked).result_rows[0][0] > 1
    outcome_cells.keep(client, records.SERVICE, Task.BINARY, quiet_s=0)
    assert client.query(made, parameters=asked).result_rows[0][0] == 1
    assert kept(client) == 18


def test_a_quiet_service_with_a_long_past_is_counted_and_counted_anew(client, recorded, monkeypatch):
    """More hours than the address of a request has room for; what a bundle says of itself makes all of them old."""
    recorded(Task.BINARY)
    sql = """
        INSERT INTO predictions (prediction_id, request_id, service, model, version, digest, variant, score, decision,
                                 event_time, scored_at, source_log, source_offset, log_id, log_offset)
        SELECT generateUUIDv7(), toString(number), {service:String}, 'm', '1', 'd', 'champion', 0.5, 'yes',
               toDateTime64('2020-01-01 00:10:00', 3, 'UTC') + toIntervalHour(number),
               toDateTime64('2026-01-01 00:10:00', 3, 'UTC'), 'quiet', number, 'quiet', number
        FROM numbers(1300)
    """
    once = {"insert_deduplication_token": "quiet", "max_partitions_per_insert_block": 0}
    client.command(sql, parameters={"service": records.SERVICE}, settings=once)
    assert outcome_cells.keep(client, records.SERVICE, Task.BINARY, quiet_s=0) == 1319
    client.command(
        "INSERT INTO bundles (digest, service, task, classes) VALUES ('d', {service:String}, 'binary', ['no', 'yes'])",
        parameters={"service": records.SERVICE},
        settings={"insert_deduplication_token": "quiet"},
    )
    assert outcome_cells.keep(client, records.SERVICE, Task.BINARY, quiet_s=0) == 1319
    monkeypatch.setattr(outcome_cells, "READ_S", 0)
    outcome_cells.keep(client, records.SERVICE, Task.BINARY, quiet_s=0)
    left = "SELECT uniqExact(made) FROM outcome_delays WHERE service = {service:String} GROUP BY hour"
    rows = client.query(left, parameters={"service": records.SERVICE}).result_rows
    assert (len(rows), set(rows)) == (1319, {(1,)})
