"""`weir learners replay` of a month: the learner is proven better than a poor champion, whose drift is found."""

import json
from datetime import UTC, datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner
from weir.core.errors import Refused
from weir.edges.clickhouse import results
from weir.edges.clickhouse.client import connect
from weir.operations import training_rows

from tests.command_line import cli
from tests.console.filled import BUNDLE
from tests.databases import migrated

SERVICE, DAYS, A_DAY = "meter-fault", 26, 200
FILE = f"""
service: {SERVICE}
model: [river.preprocessing.StandardScaler, river.linear_model.LogisticRegression]
learning_rate: 0.05
guards: {{window: 200}}
compare: {{warm_up: 200, wait_h: 6}}
"""
VALUE = "multiIf(decision = 'broken' AND label = 'fine', -5, decision = 'fine' AND label = 'broken', -20, 0)"
# The champion knows nothing. Load decides whether a meter is broken; from the 17th day on most of them are.
OF = """
    toInt64(1772323200000 + number * intDiv(86400000, {a_day:UInt32})) AS ms, leftPad(lower(hex(ms)), 12, '0') AS hexed,
    toUUID(concat(substring(hexed, 1, 8), '-', substring(hexed, 9, 4), '-7000-8000-', leftPad(hex(number), 12, '0')))
        AS id,
    (cityHash64(number, 'load') % 1000) / 100 - 5 AS load, (cityHash64(number, 'luck') % 1009) / 1009 AS luck,
    luck < 1 / (1 + exp(-load - if(number >= 16 * {a_day:UInt32}, 3, 0))) AS broken
"""
PREDICTIONS = f"""
    INSERT INTO predictions (prediction_id, request_id, service, model, version, digest, variant, tenant, score,
                             decision, event_time, scored_at, source_log, source_topic, source_partition,
                             source_offset, batch_id, features)
    WITH {OF}
    SELECT id, toString(number), {{service:String}}, 'm', '1', 'd', 'champion', ['north', 'south'][1 + number % 2],
           0.45 + (cityHash64(number, 'score') % 100) / 1000, 'fine', fromUnixTimestamp64Milli(ms, 'UTC'),
           fromUnixTimestamp64Milli(ms + 5, 'UTC'), 'log', 'r', 0, number, 0, map('load', toFloat32(load))
    FROM numbers({{count:UInt64}})
"""
OUTCOMES = f"""
    INSERT INTO outcomes (service, prediction_id, label, revision, occurred_at, received_at, log_id, log_topic,
                          log_partition, log_offset)
    WITH {OF}, fromUnixTimestamp64Milli(ms + 60000 * (20 + number % 300), 'UTC') AS at
    SELECT {{service:String}}, id, if(broken, 'broken', 'fine'), 1, at, at, 'log', 'o', 0, number
    FROM numbers({{count:UInt64}})
"""


@pytest.fixture(scope="module")
def recorded(databases):
    """Settings of a database with the month."""
    with migrated(databases) as settings:
        client = connect(settings.recording)
        results.make(client, {SERVICE: VALUE})
        asked = {
            "service": SERVICE,
            "task": "binary",
            "classes": ["fine", "broken"],
            "inputs": ["load"],
            "digest": "d",
            "known": "",
        }
        asked |= {"version": "1", "at": "2026-03-01 00:00:00", "a_day": A_DAY, "count": DAYS * A_DAY}
        for sql in (BUNDLE, PREDICTIONS, OUTCOMES):
            client.command(sql, parameters=asked)
        yield settings


@pytest.fixture(scope="module")
def weir(recorded, tmp_path_factory):
    """Run `weir learners replay`; its output."""
    learners = tmp_path_factory.mktemp("learners")
    (learners / "load.yaml").write_text(FILE)
    services = tmp_path_factory.mktemp("services")
    (services / SERVICE).mkdir()
    spec = services / SERVICE / "service.yaml"
    variables = {
        "WEIR_CLICKHOUSE_URL": recorded.recording.clickhouse_url,
        "WEIR_CLICKHOUSE_DATABASE": recorded.recording.clickhouse_database,
        "WEIR_LEARNERS_DIR": str(learners),
        "WEIR_SERVICES_DIR": str(services),
        "COLUMNS": "200",
    }

    def run(*options, value=VALUE):
        spec.write_text(f'value: "{value}"')
        done = CliRunner().invoke(cli, ["learners", "replay", "load", *options], env=variables, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    return run


def at(day, hour=0):
    return int(datetime(2026, 3, day, hour, tzinfo=UTC).timestamp() * 1000)


def test_a_learner_that_is_better_is_proposed_with_its_evidence(weir):
    said = json.loads(weir("--to", "2026-03-27", "--json"))
    of = said["comparison"]
    assert (of["word"], of["why"]) == ("promote", [])
    assert (of["begin_ms"], of["end_ms"], of["days"]) == (at(3), at(26), 23)  # one is warming up, and one is not closed
    assert of["requests"] == 23 * A_DAY
    first = of["figures"][0]
    assert (first["figure"], first["against"], first["verdict"]) == ("log_loss", "champion", "better")
    assert 0 < first["low"] < first["better_by"] < first["high"]
    by = {row["who"]: row["log_loss"] for row in said["rows"] if row["month"] == "all"}
    assert first["better_by"] == pytest.approx(by["champion"] - by["learner"], abs=0.05)
    assert of["since_ms"] == at(23, 6)  # the 20th day was closed
    assert {(one["figure"], one["against"]) for one in of["figures"]} == {
        ("log_loss", "champion"),
        ("brier", "champion"),
        ("auc", "champion"),
        ("log_loss", "no change"),
        ("log_loss", "last class"),
        ("value", "champion"),
    }
    assert said["late"] == 0
    assert said["proposal"]["proposed_by"] == "learners/load"
    assert (said["proposal"]["begin"], said["proposal"]["end"]) == (at(3), at(23, 6))


def test_what_comes_true_otherwise_than_the_champion_expects_is_found(weir):
    whole = json.loads(weir("--to", "2026-03-27", "--json"))
    said = whole["alarms"]
    (drift, *_) = said["drifts"]
    (asked, *_) = whole["retraining"]
    assert drift["at_ms"] < asked["at"] <= drift["at_ms"] + 30 * 3_600_000  # the next closing of a day
    known = json.loads(asked["parameters"])
    assert (known["from"], known["known_until"]) == (at(1), asked["at"])
    assert known["outcomes"] == A_DAY * (known["to"] - known["from"]) // 86_400_000
    assert at(17) < drift["at_ms"] < at(24)
    assert at(14) <= drift["begin_ms"] <= at(18)
    assert drift["residual"] > 0.1
    out = weir("--to", "2026-03-27")
    assert f"{drift['name']}: what comes true has been +0." in out
    assert f": train {SERVICE} on " in out
    assert "promote since 2026-03-23" in out
    before = json.loads(weir("--to", "2026-03-16", "--json"))
    assert before["alarms"]["drifts"] == []
    assert (before["comparison"]["word"], before["proposal"]) == ("undecided", None)
    assert before["comparison"]["why"] == ["12 days are closed, of 20 before the first look"]


def test_the_value_of_its_decisions_is_compared_by_the_formula_of_the_service(weir):
    """The champion's are what was recorded: all fine. The bundle calls what is at least 0.4 likely broken."""
    of = {one["figure"]: one for one in json.loads(weir("--to", "2026-03-27", "--json"))["comparison"]["figures"]}
    value = of["value"]
    assert (value["verdict"], value["days"]) == ("better", 23)
    # Of about six in ten that are broken each costs 20; hardly one in six of the learner's decisions is wrong.
    assert 8 < value["better_by"] < 14
    said = json.loads(weir("--to", "2026-03-10", "--json", value="if(score > 0.5, 1, 0)"))
    assert said["unvalued"] == "values are not compared: the formula names the score, and not the decision alone"
    assert "the formula names the score" in weir("--to", "2026-03-10", value="if(score > 0.5, 1, 0)")
    assert "value" not in {one["figure"] for one in said["comparison"]["figures"]}


SERVED = f"""
service: {SERVICE}
name: meters
version: "1"
owner: ada
model: model.txt
golden: rows.parquet
baseline: rows.parquet
card: card.md
signature:
  task: binary
  threshold: 0.4
  classes: [fine, broken]
  inputs: [{{name: load, source: request, ref: load}}]
"""
OWN = """
import lightgbm, numpy, pickle

def fit(features, labels, weights):
    assert features.column_names == ["load"] and len(labels) == len(weights)
    x = features.column("load").to_numpy()[:, None]
    options = {"objective": "binary", "verbosity": -1, "num_leaves": 3}
    return lightgbm.train(options, lightgbm.Dataset(x, labels), 5).model_to_string().encode()

def pickled(features, labels, weights):
    return pickle.dumps(features)
"""


@pytest.fixture
def train(recorded, tmp_path, monkeypatch):
    """Run `weir train` in a project whose champion knows little; its output."""
    service = tmp_path / "services" / SERVICE
    service.mkdir(parents=True)
    (tmp_path / "weir.yaml").write_text("")
    (tmp_path / "own_training.py").write_text(OWN)
    (service / "service.yaml").write_text(SERVED)
    (tmp_path / "learners").mkdir()
    (tmp_path / "learners" / "load.yaml").write_text(FILE)
    (tmp_path / "prices.yaml").write_text("currency: EUR\nprices: {cpu_second: [{from: 2026-01-01, price: 0.00002}]}\n")
    (service / "card.md").write_text("# Meters")
    chance = np.random.default_rng(1)
    x, y = chance.normal(size=500), chance.integers(0, 2, 500)
    options = {"objective": "binary", "verbosity": -1}
    champion = lgb.train(options, lgb.Dataset(x[:, None], y, feature_name=["load"]), 3)
    (service / "model.txt").write_text(champion.model_to_string())
    scores = champion.predict(x[:, None].astype(np.float32)).astype(np.float32)
    labels = np.array(["fine", "broken"])[y]
    pq.write_table(pa.table({"load": x, "score": scores, "label": labels}), service / "rows.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIR_CLICKHOUSE_URL", recorded.recording.clickhouse_url)
    monkeypatch.setenv("WEIR_CLICKHOUSE_DATABASE", recorded.recording.clickhouse_database)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words):
        done = CliRunner().invoke(cli, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    run("bundle", "build", SERVICE)
    return run


def test_a_request_for_training_becomes_a_bundle_that_is_compared_with_the_champion(weir, train, recorded):
    """By the rows that were known then; the newest quarter of the days is held out. No pickle is taken."""
    replayed = json.loads(weir("--to", "2026-03-27", "--json"))
    asked = replayed["retraining"][0]
    client = connect(recorded.recording)
    times = {name: datetime.fromtimestamp(asked[name] / 1000, UTC) for name in ("begin", "end", "at")}
    row = asked | times
    client.insert("actions", [list(row.values())], list(row))
    which, said = asked["action_id"][:8], json.loads(asked["parameters"])
    done = json.loads(train("train", "--from", which, "--json"))
    days = (said["to"] - said["from"]) // 86_400_000
    assert (done["asked"], done["found"], done["by"]) == (said["outcomes"], days * A_DAY, "LightGBM")
    assert done["found"] == done["asked"]
    assert done["trained_on"] + done["early"] + done["held"] == done["found"]
    assert (done["days"], done["held"]) == (round(days / 4), round(days / 4) * A_DAY)
    assert 0 < done["early"] < 0.3 * A_DAY  # of the evening before
    by = {one["who"]: one for one in done["rows"]}
    assert by["learner"]["auc"] > 0.8 > by["champion"]["auc"]
    assert done["comparison"]["days"] == done["days"]
    # It has not seen the change, which the held days are behind: its chances are worse, and that is what is said.
    assert by["learner"]["log_loss"] > by["champion"]["log_loss"]
    off = done["comparison"]["figures"][0]["better_by"]
    assert off == pytest.approx(by["champion"]["log_loss"] - by["learner"]["log_loss"], rel=1e-6)
    made = json.loads(train("bundle", "inspect", done["digest"], "--json"))
    newest = json.loads(train("bundle", "inspect", SERVICE, "--json"))
    assert newest["digest"] != done["digest"]  # nobody has named it
    assert made["version"].startswith(f"1-{which}-")
    assert f"{done['trained_on']} outcomes known until 2026-03-" in json.dumps(made)
    Path("asked.json").write_text(json.dumps(replayed | {"retraining": [asked]}))
    out = train("train", "--from", "asked.json", "--with", "own_training:fit")  # what a replay asked for, too
    assert "trained by own_training:fit" in out
    assert f"the record has {done['found']:,}" in out
    with pytest.raises(Refused, match="the function gave a pickle"):
        train("train", "--from", which, "--with", "own_training:pickled")
    with pytest.raises(Refused, match="there is no function own_training:none"):
        train("train", "--from", which, "--with", "own_training:none")
    with pytest.raises(Refused, match="there is no action ffffffff"):
        train("train", "--from", "ffffffff")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read"),
        ("[]", "not what a replay wrote"),
        ('{"retraining": []}', "asked for no training"),
        ('{"retraining": [{}]}', "none for training"),
        ('{"retraining": [7]}', "none for training"),
    ],
)
def test_a_file_that_asks_for_no_training_is_refused(content, why, tmp_path):
    path = tmp_path / "asked.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Refused, match=why):
        training_rows.request(None, str(path))


def test_strategies_are_walked_forward_beside_each_other(weir, train):
    """Each on the same requests, the champion and the learner with the figures that a replay has of those."""
    done = json.loads(train("strategy", SERVICE, "--to", "2026-03-28", "--every", "5d", "--json"))
    ways = {one["name"]: one for one in done["ways"]}
    assert set(ways) == {"as it is", "full retraining", "fine-tuning", "online: load"}
    assert (done["figure"], done["days"], done["requests"]) == ("log_loss", 21, 21 * A_DAY)
    stale = [ways[name]["stale_days"] for name in ("online: load", "full retraining", "as it is")]
    assert stale == sorted(stale)
    assert stale[0] < 0.1
    assert stale[1] == pytest.approx(2.5, abs=0.1)  # half of what lies between two trainings
    assert ways["as it is"]["cpu_s"] == 0 < ways["full retraining"]["cost"] < 1
    assert done["currency"] == "EUR"
    first = done["ways"][0]
    assert first["better_by"] == 0
    assert [one["loss"] for one in done["ways"]] == sorted(one["loss"] for one in done["ways"])
    worst = done["ways"][-1]
    assert worst["better_by"] == pytest.approx(first["loss"] - worst["loss"])
    assert worst["low"] < worst["better_by"] < worst["high"]
    said = json.loads(weir("--to", "2026-03-27", "--json"))["comparison"]["figures"][0]
    apart = ways["as it is"]["loss"] - ways["online: load"]["loss"]
    assert apart == pytest.approx(said["better_by"], rel=0.25)  # of other days
    out = train("strategy", SERVICE, "--to", "2026-03-28", "--every", "5d")
    assert done["verdict"] in " ".join(out.split())
    short = train("strategy", SERVICE, "--to", "2026-03-12", "--every", "5d")
    assert "too few to tell them apart" in short
    with pytest.raises(Refused, match="2,245,968 trainings of each strategy are more than 400"):
        train("strategy", SERVICE, "--to", "2026-03-28", "--every", "1s")
    with pytest.raises(Refused, match="too few for one training"):
        train("strategy", SERVICE, "--to", "2026-03-03")
