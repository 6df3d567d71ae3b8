"""What monitors of a round share: predictions joined with outcomes once, with the figures that the view gives."""

import math
from datetime import timedelta

import numpy as np
import pytest
from weir.core.signature import Task
from weir.edges.clickhouse import monitors, results
from weir.edges.clickhouse.client import connect
from weir.edges.clickhouse.joined import Joined, joining, shares
from weir.monitor.spec import Asked

from tests.doubles import monitoring, records
from tests.doubles.monitoring import NOON, MemoryBooks, predict, worker
from tests.sql.test_outcome_monitors import DAY, DAY_S, FILES, N, recorded, said
from tests.sql.test_reports import WORTH

OF_CLASSES = said(Task.MULTICLASS, ("a", "b", "c"))
KPI = """SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin, variant,
       avg(score) AS value, count() AS rows
FROM {results:Identifier}
WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
GROUP BY begin, variant
"""


def figures(rows):
    return {(row.begin, row.subject): (row.value, row.n, row.low, row.high, *row.details.items()) for row in rows}


def close(one, other):
    """Whether figures are the same, in whatever order floats were added up."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and one.keys() == other.keys():
        return all(close(one[name], other[name]) for name in one)
    if isinstance(one, tuple) and len(one) == len(other):
        return all(map(close, one, other))
    return one == other


def recorded_of(client, task, chance):
    scores, words = chance.random(N).astype(np.float32), np.array(["0", "1"])
    if task is Task.BINARY:
        recorded(client, scores, labels=words[(chance.random(N) < scores).astype(int)])
        return said()
    if task is Task.REGRESSION:
        shares_ = np.outer(scores, [0.6, 1.5]).astype(np.float32)
        recorded(
            client, scores, observed=(scores * chance.uniform(0.5, 1.6, N)).tolist(), outputs=(("0.1", "q0.9"), shares_)
        )
        return said(Task.REGRESSION)
    shares_, names = chance.dirichlet((3, 2, 1), N).astype(np.float32), np.array(["a", "b", "c"])
    labels = names[chance.integers(0, 3, N)]
    recorded(client, shares_.max(1), decided=names[shares_.argmax(1)], labels=labels, outputs=(names, shares_))
    return OF_CLASSES


@pytest.mark.parametrize("task", list(Task))
def test_every_figure_is_that_of_the_view(client, task):
    results.make(client, {records.SERVICE: WORTH})
    of = recorded_of(client, task, np.random.default_rng(5))
    asked = Asked(service=records.SERVICE, begin=DAY, end=DAY + timedelta(days=1), step_s=DAY_S // 2)
    mine = [one for one in FILES.values() if task in one.tasks and shares(one)]
    assert len(mine) >= 6
    answers = {}
    with joining(client, "test", records.SERVICE, mine) as joined:
        for one in mine:
            by_table = monitors.run(client, one, asked, of, joined.table(one, asked))
            assert close(figures(by_table), figures(monitors.run(client, one, asked, of))), one.name
            answers[one.name] = by_table
    silent = {name for name, rows in answers.items() if not rows and name.startswith("outcome/")}
    assert silent <= {"outcome/maturity"}, "it waits for windows that are older"


def test_another_time_is_joined_anew_and_what_was_withdrawn_is_gone(client):
    results.make(client, {records.SERVICE: ""})
    recorded(client, np.full(48, 0.75), labels=["1"] * 48)
    mine = [FILES["outcome/log_loss"], FILES["outcome/decisions"]]
    joined = Joined(client, "test", records.SERVICE, mine)
    for begin, n in ((DAY, 24), (DAY + timedelta(hours=12), 24), (DAY - timedelta(hours=12), 0)):
        asked = Asked(service=records.SERVICE, begin=begin, end=begin + timedelta(hours=12), step_s=DAY_S // 2)
        rows = monitors.run(client, mine[0], asked, said(), joined.table(mine[0], asked))
        assert sum(row.n for row in rows) == n
    joined.drop()
    assert Joined(client, "test", records.SERVICE, mine[:1]).table(mine[0], asked) is None, "one alone shares nothing"


@pytest.mark.parametrize(
    ("sql", "may"),
    [
        (KPI, True),
        (KPI.replace(">= {from:DateTime}", ">= {from:DateTime} - 86400"), False),
        (KPI.replace("{from:DateTime}", "{base_from:DateTime} AND event_time >= {from:DateTime}"), False),
        (KPI.replace("avg(score)", "(SELECT max(score) FROM predictions WHERE event_time < {to:DateTime})"), False),
        (KPI.replace("FROM {results:Identifier}", "FROM (SELECT * FROM {results:Identifier})"), False),
        (KPI.replace("{results:Identifier}", "predictions"), False),
        (KPI.replace("avg(score)", "2 * avg(score)"), True),
    ],
)
def test_a_monitor_of_the_project_shares_where_it_asks_about_this_time_alone(settings, sql, may):
    monitoring.monitor(settings.paths.monitors_dir, "one", sql)
    assert shares(monitors.named(settings, "one")) is may


@pytest.fixture
def settings(database, tmp_path):
    return database.having(monitors_dir=tmp_path / "monitors", monitor_late_days=1.0)


def test_a_round_joins_once_for_all_monitors_of_a_time(client, settings):
    names = ("one", "two", "three")
    for name in names:
        monitoring.monitor(settings.paths.monitors_dir, name, KPI)
    results.make(client, {monitoring.SERVICE: ""})
    predict(client, 0, 3599, begin=NOON)
    seen = []

    def connected():
        made = connect(settings.recording)
        for method in ("command", "query_arrow"):
            setattr(made, method, spied(getattr(made, method), seen))
        return made

    books = MemoryBooks()
    worker(settings, books, connect=connected).look()
    view = results.view_of(monitoring.SERVICE)
    assert sum(view in parameters.values() for parameters in seen) == 1, "the view is read once"
    assert len(books.measurements) == len(names) * 2 * 12
    assert {row["n"] for row in books.measurements} == {150}
    left = client.query("SELECT count() FROM system.tables WHERE is_temporary AND name = 'joined'").result_rows
    assert left == [(0,)]


def spied(ask, seen):
    def asked(*words, **named):
        seen.append(named.get("parameters") or {})
        return ask(*words, **named)

    return asked
