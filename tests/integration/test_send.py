"""`weir send`, `weir tail` and `weir query` against a running scorer."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from weir.core.errors import Refused, Unavailable
from weir.core.signature import Task
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack

from tests.bundles import SIGNATURE, tiny_bundle
from tests.command_line import cli
from tests.service_under_test import Service
from tests.waiting import PATIENT, START_S, until

pytestmark = pytest.mark.one_broker("kafka")

ROW = {"customer": "customer-1", "amount": 12.5, "items": 3, "channel": "web"}


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Service:
    migrations.apply(stack.settings.recording)
    return Service(stack, tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def weir(service: Service, monkeypatch: pytest.MonkeyPatch):
    for name, value in (service.stack.environment | {"COLUMNS": "200"}).items():
        monkeypatch.setenv(name, value)

    def command(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin)

    return command


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_requests_without_a_scorer_are_sent_and_not_waited_for_without_end(service, weir):
    done = weir("send", service.name, "-", "--no-wait", "--rate", "50", stdin=lines(*[ROW] * 7))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "7 sent\n")
    gone = weir("send", service.name, "-", "--patience", "1", stdin=lines(ROW))
    assert isinstance(gone.exception, Unavailable)
    assert "1 requests have no answer after 1 s" in str(gone.exception)


def test_every_line_is_answered_or_told(service: Service, weir, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    records = [
        ROW | {"request_id": "good"},
        ROW | {"request_id": "too much", "amount": 5000.0},
        ROW | {"amount": "much"},
        ROW | {"amuont": 1.0},
        ROW | {"request_id": "of 2013", "event_time": "2013-07-01T00:00:00+00:00"},
    ]
    file.write_text("\n" + lines(*records), encoding="utf-8")
    with service.worker():
        done = weir("send", service.name, str(file), *PATIENT, "--json")
        again = weir("send", service.name, str(file), *PATIENT)
    assert done.exit_code == 1
    told = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in told[:2]] == ["line 4", "line 5"]
    assert "amount is no float" in told[0]
    assert "no field amuont" in told[1]
    assert told[2:] == ["3 sent: 2 scored, 1 rejected; 2 lines are no requests"]
    answers = {answer["request_id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert answers.keys() == {"good", "too much", "of 2013"}
    assert answers["too much"]["reason"] == "out_of_range"
    assert (answers["good"]["texts"], answers["good"]["outputs"]) == ({"channel": ROW["channel"]}, {})
    assert answers["good"]["score"] == answers["of 2013"]["score"]
    assert answers["of 2013"]["event_time"].startswith("2013-07-01T00:00:00")
    good = answers["good"]
    text = f"good  {good['score']:.7g}  {good['decision']}  {good['model']} {good['version']}"
    assert text in again.stdout.splitlines()
    assert any(line.startswith("too much  rejected: out_of_range: amount = 5000") for line in again.stdout.splitlines())


def test_an_answer_of_several_classes_names_each(stack: Stack, weir, tmp_path: Path) -> None:
    signature = replace(SIGNATURE, task=Task.MULTICLASS, threshold=None, classes=("early", "on time", "late"))

    def bundle(folder: Path, name: str) -> Path:
        return tiny_bundle(folder, signature, service=name)

    service = Service(stack, tmp_path, bundle_of=bundle, signature=signature)
    with service.worker():
        as_json = weir("send", service.name, "-", *PATIENT, "--json", stdin=lines(ROW))
        as_text = weir("send", service.name, "-", *PATIENT, stdin=lines(ROW | {"request_id": "one"}))
    answer = json.loads(as_json.stdout)
    assert list(answer["outputs"]) == list(signature.classes)
    assert sum(answer["outputs"].values()) == pytest.approx(1, abs=1e-6)
    assert answer["score"] == answer["outputs"][answer["decision"]] == max(answer["outputs"].values())
    each = ", ".join(f"{name} {share:.7g}" for name, share in answer["outputs"].items())
    assert as_text.stdout == f"one  {answer['score']:.7g}  {answer['decision']}  {each}  tiny-logistic 1\n"


@pytest.mark.parametrize(
    ("options", "row", "expected"),
    [((), ROW, "tiny-logistic 1"), (("--dead-letters",), ROW | {"amount": 5000.0}, "out_of_range")],
)
def test_what_scorers_write_is_told_as_it_comes(service: Service, weir, options, row, expected) -> None:
    with service.worker():
        child = service.stack.spawn(["tail", service.name, *options, "--limit", "1"], f"tail-{len(options)}", {})

        def told() -> bool:
            weir("send", service.name, "-", "--no-wait", stdin=lines(row))
            return child.poll() is not None

        try:
            until(told, START_S, "the tail's end", every_s=0.5)
        finally:
            service.stack.forget(child)
    assert child.poll() == 0
    assert expected in child.log_tail()


def test_lines_that_are_no_requests_are_left_out_and_the_others_sent(service: Service, weir, tmp_path: Path) -> None:
    good = json.dumps(ROW).encode()
    bad = [b'{"amo', b"[1]", b"\xff", b"[" * 100_000, b'{"amount": "' + b"x" * (1 << 20) + b'"}']
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\n".join([good, *bad, good]))
    done = weir("send", service.name, str(file), "--no-wait")
    told = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in told[:-1]] == [f"line {number}" for number in range(2, 7)]
    assert told[1:3] == ["line 3: no JSON object", "line 4: not UTF-8: save the file as UTF-8"]
    assert "longer than" in told[4]
    assert told[-1] == "2 sent; 5 lines are no requests"
    assert done.exit_code == 1
    many = weir("send", service.name, "-", "--no-wait", stdin=lines(*[ROW | {"amuont": 1.0}] * 500)).stderr.splitlines()
    assert len(many) == 5
    assert many[3].startswith("497 more lines: the contract has no field amuont")


@pytest.mark.parametrize("arguments", [("send", "nobody", "-"), ("tail", "nobody")])
def test_a_service_that_is_not_there_is_refused_with_those_that_are(service: Service, weir, arguments) -> None:
    refused = weir(*arguments, stdin="").exception
    assert isinstance(refused, Refused)
    assert "there is no service nobody on this cluster: there are " in str(refused)
    assert service.name in str(refused)


def test_answers_are_the_service_s_own_and_as_many_as_requests(service: Service, weir) -> None:
    """Two requests of one name are answered twice; another service's answer to that name is none of them."""
    other = Service(service.stack, service.folder)
    row = lines(ROW | {"request_id": "same"})
    with service.worker(), other.worker():
        alone = weir("send", other.name, "-", "--no-wait", stdin=row)
        done = weir("send", service.name, "-", *PATIENT, "--json", stdin=row + row)
    assert alone.exit_code == done.exit_code == 0
    assert done.stderr == "2 sent: 2 scored, 0 rejected\n"
    assert [json.loads(line)["service"] for line in done.stdout.splitlines()] == [service.name] * 2


def test_a_question_is_answered_as_a_table_as_json_and_as_csv(weir) -> None:
    sql = "SELECT number AS n, 'a,b' AS word, if(n = 1, NULL, n / 3) AS third FROM numbers({count:UInt8})"
    table = weir("query", sql, "--param", "count=3").stdout
    assert "0.6666667" in table
    assert json.loads(weir("query", sql, "--param", "count=2", "--json").stdout) == [
        {"n": 0, "word": "a,b", "third": 0.0},
        {"n": 1, "word": "a,b", "third": None},
    ]
    found = list(csv.DictReader(weir("query", sql, "--param", "count=2", "--csv").stdout.splitlines()))
    assert [row["word"] for row in found] == ["a,b", "a,b"]
    assert "the first 2 rows; more with --limit" in weir("query", sql, "--param", "count=9", "--limit", "2").stdout


def test_values_of_every_type_are_shown_as_clickhouse_has_them(weir) -> None:
    word = "CAST('a', 'Enum8(\\'a\\' = 1)') AS word"
    sql = f"SELECT unhex('ff00') AS bytes, {word}, toIPv4('1.2.3.4') AS ip, toUInt128(5) AS n"
    assert json.loads(weir("query", sql, "--json").stdout) == [{"bytes": "ff00", "word": "a", "ip": "1.2.3.4", "n": 5}]
    unasked = weir("query", "SELECT 1 WHERE 'a' LIKE '50%'", "--param", "x=1").exception
    assert isinstance(unasked, Refused)
    assert "takes no x" in str(unasked)


def test_a_question_cannot_write(service: Service, weir) -> None:
    client = connect(service.settings.recording)
    client.command("CREATE TABLE IF NOT EXISTS kept (n UInt8) ENGINE = MergeTree ORDER BY n")
    for sql in ("INSERT INTO kept SELECT 1", "DROP TABLE kept", "CREATE TABLE other (n UInt8) ENGINE = Memory"):
        assert isinstance(weir("query", sql).exception, Refused), sql
    assert client.query("SELECT count() FROM kept").result_rows == [(0,)]
    assert "mend the SQL" in str(weir("query", "SELECT nothing FROM nowhere").exception)


def test_weir_s_own_questions_are_asked_by_name(service: Service, weir) -> None:
    names, monitors = (
        {one["name"] for one in json.loads(weir(*command, "--json").stdout)}
        for command in (["query"], ["monitors", "list"])
    )
    assert {"outcomes/received", "features/ages"} <= names - monitors
    for name in sorted(names - monitors):
        assert weir("query", name, "--json").exit_code == 0, name
    assert {"health/rate"} <= names & monitors
    assert weir("query", "health/rate", "--param", f"service={service.name}", "--json").exit_code == 0
    refused = weir("query", "features/ages", "--param", "since=1").exception
    assert isinstance(refused, Refused)
    assert "takes no since" in str(refused)
    assert "there is no query outcomes/nothing" in str(weir("query", "outcomes/nothing").exception)
    assert "did you mean outcomes/received?" in str(weir("query", "received").exception)
    assert "SELECT * FROM outcomes_latest" in str(weir("query", "outcomes_latest").exception)
