"""`weir learners replay` on a recorded day of three services: it says what a plain loop over the record says."""

import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import numpy as np
import onnxruntime
import pytest
from river import linear_model, naive_bayes, optim, preprocessing
from typer.testing import CliRunner
from weir.agents.learner import files as learners
from weir.agents.learner import made
from weir.core.errors import Refused
from weir.edges.clickhouse import learning
from weir.edges.clickhouse.client import connect
from weir.operations import learner_replay

from tests.command_line import cli
from tests.console.filled import ARRIVALS, FLIGHTS, PARCELS

TIME = ("--from", "2026-11-28T10:00", "--to", "2026-11-28T12:00")
LINEAR = """
service: {service}
model: [river.preprocessing.StandardScaler, river.linear_model.{kind}]
learning_rate: 0.01
guards: {{window: 50}}
"""
FILES = {
    "late": LINEAR.format(service=FLIGHTS.service, kind="LogisticRegression"),
    "hybrid": LINEAR.format(service=FLIGHTS.service, kind="LogisticRegression") + "champion: true\nfeatures: [wind]\n",
    "kind": f"service: {PARCELS.service}\nmodel: river.naive_bayes.GaussianNB\n",
    "tree": f"""
service: {FLIGHTS.service}
model: {{river.tree.HoeffdingTreeClassifier: {{leaf_prediction: mc, grace_period: 20}}}}
features: [wind]
guards: {{window: 50}}
""",
    "minutes": LINEAR.format(service=ARRIVALS.service, kind="LinearRegression"),
    "strict": LINEAR.format(service=ARRIVALS.service, kind="LinearRegression").replace(
        "window: 50", "window: 50, weight: 0.001"
    ),
}
RECORD = """
    SELECT toUnixTimestamp64Milli(event_time), toUnixTimestamp64Milli(received_at), toString(prediction_id), features,
           label, observed, score, outputs
    FROM {view:Identifier}
    WHERE has_outcome AND event_time >= '2026-11-28 10:00:00' AND event_time < '2026-11-28 12:00:00'
    ORDER BY event_time, prediction_id
"""
END_MS = 1_795_867_200_000


@pytest.fixture(scope="module")
def project(day, tmp_path_factory):
    """Settings of the day, in a project with these learners."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "weir.yaml").write_text("")
    (folder / "learners").mkdir()
    for name, text in FILES.items():
        (folder / "learners" / f"{name}.yaml").write_text(text)
    return day.having(learners_dir=folder / "learners")


@pytest.fixture
def weir(project):
    """Run `weir learners replay`; its status and output."""
    variables = {
        "WEIR_CLICKHOUSE_URL": project.recording.clickhouse_url,
        "WEIR_CLICKHOUSE_DATABASE": project.recording.clickhouse_database,
        "WEIR_LEARNERS_DIR": str(project.paths.learners_dir),
        "COLUMNS": "200",
    }

    def run(name, *options, time=TIME):
        done = CliRunner().invoke(cli, ["learners", "replay", name, *time, *options], env=variables)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout

    return run


def lived(project, service, model, label):
    """A plain loop: (label, answer, recorded score, outputs) of each request, the answer by what was known before."""
    view = f"results_{service.replace('-', '_')}"
    rows = connect(project.recording).query(RECORD, parameters={"view": view}).result_rows
    events = [(served, 0, id_, i) for i, (served, _, id_, *_) in enumerate(rows)]
    events += [(max(row[0], row[1]), 1, row[2], i) for i, row in enumerate(rows)]
    answers = {}
    for _, learned, _, i in sorted(event for event in events if event[0] < END_MS):
        features = dict(rows[i][3])
        if learned:
            model.learn_one(features, label(rows[i]))
        else:
            answers[i] = (model.predict_one if rows[i][4] is None else model.predict_proba_one)(features)
    return [(label(rows[i]), answer, rows[i][6], rows[i][7]) for i, answer in answers.items()]


def of_all(out):
    rows = json.loads(out)["rows"]
    assert {row["month"] for row in rows} == {"2026-11", "all"}
    return {row["who"]: row for row in rows if row["month"] == "all"}


def test_a_join_that_needs_more_memory_than_a_statement_may_have_is_refused(project):
    client = connect(project.recording)
    client.params["max_memory_usage"] = "10000"
    begin = datetime(2026, 11, 28, 10, tzinfo=UTC)
    asked = learning.Asked(
        service=FLIGHTS.service,
        begin=begin,
        end=begin + timedelta(hours=2),
        inputs=["wind"],
        words=["late"],
        labels=[],
        known="received",
    )
    refused = pytest.raises(Refused, match=r"joining requests with their outcomes needs more memory.*a shorter time")
    with refused, learning.recorded(client, "much", asked):
        pass


def test_a_hoeffding_tree_is_written_as_a_file_and_nothing_else_is(weir, tmp_path):
    path = tmp_path / "tree.onnx"
    status, out = weir("tree", "--tree", str(path))
    assert status == 0
    assert "branches; the file is off by" in out
    session = onnxruntime.InferenceSession(path.read_bytes())
    (said,) = session.run(None, {"x": np.array([[1.0], [np.nan]], np.float32)})
    assert said.shape == (2, 1)
    assert ((said >= 0) & (said <= 1)).all()
    for name, why in (("kind", "GaussianNB is no Hoeffding tree by itself"), ("late", "a linear model is no tree")):
        with pytest.raises(Refused, match=why):
            weir(name, "--tree", str(tmp_path / "none.onnx"))
    assert not (tmp_path / "none.onnx").exists()


def test_two_classes_are_scored_with_what_was_known_before(weir, project):
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.01))
    found = lived(project, FLIGHTS.service, model, lambda row: row[4] == "late")
    status, out = weir("late", "--json")
    rows, said = of_all(out), json.loads(out)
    assert (status, said["compiled"], said["stopped"]) == (0, True, None)
    assert weir("late", "--json", "--known", "occurred") == (status, out)  # those of the day were received then, too
    assert 0 < said["blind"] < 0.2 * len(found)
    y = np.array([true for true, *_ in found], float)
    for who, p in (("learner", [one[True] for _, one, *_ in found]), ("champion", [one[2] for one in found])):
        chances = np.clip(p, 1e-6, 1 - 1e-6)
        loss = -np.log(np.where(y > 0, chances, 1 - chances)).mean()
        assert rows[who]["requests"] == len(found)
        assert rows[who]["log_loss"] == pytest.approx(loss, rel=1e-9)
        assert rows[who]["brier"] == pytest.approx(((np.array(p) - y) ** 2).mean(), rel=1e-9)
    assert rows["champion"]["auc"] > 0.6 > rows["learner"]["auc"]
    assert rows["champion"]["log_loss"] < rows["no change"]["log_loss"] < rows["last class"]["log_loss"]


def test_several_classes_are_scored_beside_the_champion(weir, project):
    found = lived(project, PARCELS.service, naive_bayes.GaussianNB(), lambda row: row[4])
    status, out = weir("kind", "--json")
    rows = of_all(out)
    assert (status, json.loads(out)["compiled"]) == (0, False)
    uniform = dict.fromkeys(PARCELS.classes, 1 / 3)
    own = np.array([(one or uniform).get(true, 0) for true, one, *_ in found])
    assert rows["learner"]["log_loss"] == pytest.approx(-np.log(np.clip(own, 1e-6, 1)).mean(), rel=1e-9)
    champion = [max(outputs, key=outputs.get) == true for true, _, _, outputs in found]
    assert rows["champion"]["accuracy"] == pytest.approx(np.mean(champion))
    assert {"macro_f1", "brier"} < rows["last class"].keys()


def test_numbers_are_scored_beside_the_champion(weir, project):
    model = preprocessing.StandardScaler() | linear_model.LinearRegression(optim.SGD(0.01))
    found = lived(project, ARRIVALS.service, model, lambda row: row[5])
    rows = of_all(weir("minutes", "--json")[1])
    off = np.array([[one - true, score - true] for true, one, score, _ in found])
    for who, column in (("learner", 0), ("champion", 1)):
        assert rows[who]["mae"] == pytest.approx(np.abs(off[:, column]).mean(), rel=1e-9)
        assert rows[who]["rmse"] == pytest.approx(np.sqrt((off[:, column] ** 2).mean()), rel=1e-9)
    assert rows["champion"]["mae"] < rows["no change"]["mae"] < rows["last value"]["mae"]


def test_a_learner_may_know_what_the_champion_said(weir):
    hybrid, plain = (of_all(weir(name, "--json")[1])["learner"] for name in ("hybrid", "late"))
    assert hybrid["auc"] > plain["auc"] + 0.2


def test_the_same_record_gives_the_same_bits_and_a_resumed_replay_goes_on(weir, tmp_path, monkeypatch):
    """Also in pages of another length."""
    from weir.edges.clickhouse import learning

    files = [tmp_path / name for name in ("half", "whole", "again")]
    half = (TIME[0], TIME[1], "--to", "2026-11-28T11:07")
    assert weir("late", "--snapshot", str(files[0]), time=half)[0] == 0
    out = weir("late", "--json", "--snapshot", str(files[1]))[1]
    monkeypatch.setattr(learning, "MOST", 997)
    assert weir("late", "--json", "--snapshot", str(files[2]))[1] == out
    assert files[1].read_bytes() == files[2].read_bytes()
    status, resumed = weir("late", "--json", "--resume", str(files[0]), "--snapshot", str(files[2]))
    assert status == 0
    assert files[1].read_bytes() == files[2].read_bytes() != files[0].read_bytes()
    assert json.loads(resumed)["made_by"] == {}
    with monkeypatch.context() as another:
        another.setattr(made, "version", lambda name: "of another day")
        made_by = json.loads(weir("late", "--json", "--resume", str(files[1]))[1])["made_by"]
    assert made_by == {name: version(name) for name in ("weir", "river")}
    requests = [of_all(one)["learner"]["requests"] for one in (resumed, out)]
    assert 0 < requests[0] < requests[1]
    with pytest.raises(Refused, match="of a learner whose name"):
        weir("hybrid", "--resume", str(files[0]))
    with pytest.raises(Refused, match="kind has no snapshots: GaussianNB can be kept as a pickle only"):
        weir("kind", "--snapshot", str(files[0]))


def test_a_replay_without_an_outcome_in_time_says_what_may_be_wrong(weir):
    """None came within ten minutes."""
    status, out = weir("minutes", time=("--from", "2026-11-28T10:00", "--to", "2026-11-28T10:09"))
    assert status == 0
    assert "no request was served after an outcome was known" in out
    assert "learned 0 outcomes in whole windows of 50" in out


def test_a_guard_that_stops_it_is_said_with_its_evidence(weir):
    status, out = weir("strict")
    assert status == 1
    assert "stopped by guard weight" in out
    assert "limit 0.0096" in out  # a thousandth of the outcomes' standard deviation
    assert "it answers with what it knew after 0 outcomes" in out


def test_what_does_not_fit_the_record_is_refused(project):
    client, learner = connect(project.recording), learners.named(project, "late")
    from dataclasses import replace
    from datetime import UTC, datetime

    of = {"begin": datetime(2026, 11, 28, tzinfo=UTC), "end": datetime(2026, 11, 29, tzinfo=UTC), "known": "received"}
    with pytest.raises(Refused, match=r"learner late does not fit flight-delay: .*no input colour"):
        learner_replay.replay(client, replace(learner, features=("colour",)), **of)
    with pytest.raises(Refused, match="no bundle of nobody has scored yet"):
        learner_replay.replay(client, replace(learner, service="nobody"), **of)
    with pytest.raises(Refused, match="cannot be made: LogisticRegression is no regressor"):
        learner_replay.replay(client, replace(learner, service=ARRIVALS.service), **of)
