"""Files of business systems become outcomes: what a cell may say, and what is told of one that says none."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.operations import outcome_files, outcome_labels
from weir.operations.outcome_files import Columns, Form
from weir.operations.outcome_labels import Labels
from weir.settings import load

from tests.bundles import tiny_bundle
from tests.command_line import cli
from tests.ports import free_port

NOW_MS = 1_790_000_000_000


def read(content, form, columns=Columns({})):  # noqa: B008 - it is frozen
    return outcome_files.outcomes(outcome_files.read(content, form), "fraud", columns, NOW_MS)


def expected(**fields):
    empty = dict.fromkeys(("prediction_id", "request_id", "label", "observed"))
    return empty | {
        "service": "fraud",
        "attributes": {},
        "revision": 0,
        "withdrawn": False,
        "occurred_at": NOW_MS,
    } | fields  # fmt: skip


def test_a_line_that_contradicts_another_one_says_which_counts():
    found = read(b"request_id,label,revision\na,1,0\na,1,0\na,0,0\na,0,1\nb,0,0\n", Form.CSV)
    assert list(found.outcomes) == [2, 3, 5, 6]
    assert found.faults == {4: "line 2 says another outcome of it: give `revision` or `occurred_at`"}


def test_a_csv_column_of_whole_numbers_is_one_whatever_a_frame_made_of_it():
    found = read(b"request_id,label,revision\n12.0,1.0,1.0\n,0.0,\n7,,0.0\n", Form.CSV)
    assert found.outcomes[2] == expected(request_id="12", label="1", revision=1)
    assert found.outcomes[4]["request_id"] == "7"
    words = read(b"request_id,label\n12.0,1\n12.1,0\n", Form.CSV)
    assert [one["request_id"] for one in words.outcomes.values()] == ["12.0", "12.1"]
    kept = io.BytesIO()
    pq.write_table(pa.table({"request_id": ["12.0", "13.0"], "label": [1.0, None]}), kept)
    assert [one["request_id"] for one in read(kept.getvalue(), Form.PARQUET).outcomes.values()] == ["12.0", "13.0"]


@pytest.mark.parametrize("cell", ["9007199254740992.0", "1.2345678901234568e+17", "-9007199254740992.0"])
def test_a_whole_number_that_lost_digits_as_a_float_is_told_from_one_that_was_none(cell):
    found = read(f"request_id,label\n{cell},1\n,0\n".encode(), Form.CSV)
    assert f"request_id has lost digits as a number: {float(cell)!r}" in found.faults[2]
    kept = read(b"request_id,label\n9007199254740993,1\n", Form.CSV)
    assert kept.outcomes[2]["request_id"] == "9007199254740993"


def test_three_forms_say_the_same():
    rows = [
        {"request_id": "t-1", "label": "1", "refund": 12.5, "occurred_at": "2026-11-24T10:00:00+01:00", "shop": "a"},
        {"request_id": "t-2", "label": "0", "refund": None, "occurred_at": "2026-11-24 09:00", "shop": "b"},
    ]
    heading = "request_id,label,refund,occurred_at,shop"
    text = "\n".join([heading, *(",".join("" if cell is None else str(cell) for cell in row.values()) for row in rows)])
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    lines = "\n".join(map(json.dumps, rows))
    at = int(datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp() * 1000)
    said = [
        expected(request_id="t-1", label="1", attributes={"refund": 12.5}, occurred_at=at),
        expected(request_id="t-2", label="0", occurred_at=at),
    ]
    for content, form, first in (
        (text.encode("utf-8-sig"), Form.CSV, 2),
        (lines.encode(), Form.JSON, 1),
        (parquet.getvalue(), Form.PARQUET, 1),
    ):
        assert outcome_files.form_of(Path("-"), content) is form
        found = read(content, form)
        assert list(found.outcomes.values()) == said
        assert list(found.outcomes) == [first, first + 1]
        assert (found.faults, found.attributes, found.left_out) == ({}, ("refund",), ("shop",))


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"request_id": 17, "label": 1}, {"request_id": "17", "label": "1"}),
        ({"request_id": 17.0, "label": 0.0}, {"request_id": "17", "label": "0"}),
        ({"request_id": "17.0", "label": 1.0}, {"request_id": "17.0", "label": "1"}),
        ({"request_id": 2**53 + 1, "label": 1}, {"request_id": "9007199254740993", "label": "1"}),
        ({"request_id": 2.0**53 - 1, "label": 1}, {"request_id": "9007199254740991", "label": "1"}),
        ({"prediction_id": "x", "label": True}, {"prediction_id": "x", "label": "1"}),
        ({"request_id": "a", "label": "very_late"}, {"request_id": "a", "label": "very_late"}),
        ({"request_id": "a", "observed": "1e3"}, {"request_id": "a", "observed": 1000.0}),
        ({"request_id": "a", "observed": float("nan"), "label": ""}, {"request_id": "a"}),
        ({"request_id": "a", "withdrawn": "TRUE"}, {"request_id": "a", "withdrawn": True}),
        ({"request_id": "a", "revision": "2"}, {"request_id": "a", "revision": 2}),
        ({"request_id": "a", "withdrawn": 0, "revision": 3.0}, {"request_id": "a", "revision": 3}),
        ({"request_id": "a", "revision": 2**62 + 1}, {"request_id": "a", "revision": 2**62 + 1}),
        ({"request_id": "a", "attributes": {"kept": "5"}}, {"request_id": "a", "attributes": {"kept": 5.0}}),
        ({"request_id": "a", "occurred_at": "1790000000001"}, {"request_id": "a", "occurred_at": 1_790_000_000_001}),
        ({"request_id": "a", "occurred_at": "1969-12-31T23:59:59.5"}, {"request_id": "a", "occurred_at": -500}),
        ({"service": "fraud", "request_id": "a"}, {"request_id": "a"}),
    ],
)  # fmt: skip
def test_what_a_cell_may_say(row, fields):
    found = read(json.dumps(row).encode(), Form.JSON)
    assert (found.faults, found.outcomes) == ({}, {1: expected(**fields)})


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"service": "other", "request_id": "a"}, "service is other, not fraud"),
        ({"observed": "much"}, "observed is no number: 'much'"),
        ({"observed": "inf"}, "observed is no number"),
        ({"revision": 1.5}, "revision is no whole number: 1.5"),
        ({"withdrawn": "maybe"}, "withdrawn is neither true nor false: 'maybe'"),
        ({"occurred_at": "yesterday"}, "occurred_at is neither milliseconds nor ISO 8601"),
        ({"occurred_at": 1_790_000_000}, "occurred_at is in 1970: write milliseconds"),
        ({"label": ["a"]}, "label is no text"),
        ({"request_id": 9007199254740993.0}, "request_id has lost digits as a number: 9007199254740992.0"),
        ({"request_id": 1.2e18}, "request_id has lost digits as a number: 1.2e+18: write it as text"),
        ({"attributes": 3}, "attributes is no object"),
        ({"attributes": {"a": None}}, "a is no number"),
        ([1], "no JSON object"),
    ],
)
def test_what_no_cell_can_say_is_told_with_its_line(row, why):
    content = b"\n" + json.dumps(row).encode() + b"\n{\n"
    found = read(content, Form.JSON)
    assert why in found.faults[2]
    assert "no JSON" in found.faults[3]
    assert found.outcomes == {}


def test_lines_of_csv_are_counted_as_an_editor_does():
    found = read(b'request_id,note,label\na,"two\nlines",1\n\nb,x\nc,y,0\n', Form.CSV)
    assert found.faults == {5: "2 values under 3 headings"}
    assert list(found.outcomes) == [3, 6]  # where a line ends


@pytest.mark.parametrize(
    ("content", "said", "remedy"),
    [
        (b"tx,label\n1,1\n", "neither prediction_id nor request_id is given: .* tx, label", "request_id=tx"),
        (b"label\n1\n", "neither prediction_id nor request_id is given: .* label", "request_id=COLUMN"),
        (b"request_id,chargeback\n1,yes\n", "neither label nor .*: .* request_id, chargeback", "label=chargeback"),
    ],
)
def test_a_file_that_lacks_a_column_is_told_with_those_it_has(content, said, remedy):
    with pytest.raises(Refused, match=said) as refused:
        read(content, Form.CSV)
    assert f"--column {remedy}" in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "label", "why"),
    [
        (
            Labels(Task.MULTICLASS, ("billing", "support")),
            "sales",
            "'sales' is no class .*: there are billing, support$",
        ),
        (Labels(Task.BINARY, ("ok", "fraud", "0", "1")), "positive", "there are ok, fraud, 0, 1$"),
        (Labels(Task.MULTICLASS, tuple(map(str, range(1500)))), "x", "18, 19 and 1,480 more$"),
        (Labels(Task.REGRESSION, ()), "high", "predicts numbers: say them as `observed`"),
    ],
)
def test_a_label_that_is_no_class_is_told_with_the_classes(labels, label, why):
    fine = labels.words[0] if labels.words else None
    rows = {2: expected(label=label), 3: expected(label=fine), 4: expected(label=label, withdrawn=True)}
    faults = labels.faults(rows)
    assert list(faults) == [2]
    assert re.search(why, faults[2])


def test_columns_are_named_and_amounts_chosen():
    content = b"tx_id,chargeback,kept,customer,note\n1,1,5,77,x\n2,0,,78,y\n"
    found = read(content, Form.CSV, Columns({"tx_id": "request_id", "chargeback": "label"}))
    assert (found.attributes, found.left_out) == (("kept", "customer"), ("note",))
    found = read(content, Form.CSV, Columns({"tx_id": "request_id", "chargeback": "label"}, ("kept",)))
    assert (found.attributes, found.left_out) == (("kept",), ("customer", "note"))
    assert found.outcomes[2] == expected(request_id="1", label="1", attributes={"kept": 5.0})
    found = read(content, Form.CSV, Columns({"tx_id": "request_id"}, ("note",)))
    assert found.faults == {2: "note is no number: 'x'", 3: "note is no number: 'y'"}
    with pytest.raises(Refused, match=r"there is no column txid, keptt.*there are tx_id, chargeback"):
        read(content, Form.CSV, Columns({"txid": "request_id"}, ("keptt",)))


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (b"\xff\xfe", Form.CSV, "the file is not UTF-8: line 1 .*save it as UTF-8"),
        ("request_id,label\na,K\xf6ln\n".encode("latin-1"), Form.CSV, "line 2 has .*save it as UTF-8"),
        (b"request_id;label\na;1\n", Form.CSV, "the separator of the file is ;.*write a comma"),
        (b"a,a\n1,2\n", Form.CSV, "two columns have one name"),
        (b"PAR1", Form.PARQUET, "no parquet"),
    ],
)
def test_a_file_of_another_form_is_refused(content, form, why):
    with pytest.raises(Refused, match=why):
        read(content, form)
    with pytest.raises(Refused, match=r"rows.xlsx is no .csv"):
        outcome_files.form_of(Path("rows.xlsx"), content)


def test_a_file_that_cannot_be_read_is_told_whether_or_not_a_broker_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIR_BROKERS", f"127.0.0.1:{free_port()}")
    (tmp_path / "outcomes.csv").write_bytes("request_id,label\na,K\xf6ln\n".encode("latin-1"))
    refused = CliRunner().invoke(cli, ["outcomes", "send", "fraud", str(tmp_path / "outcomes.csv")]).exception
    assert isinstance(refused, Refused)
    assert "save it as UTF-8" in str(refused)


def test_a_line_of_json_that_is_no_utf_8_is_told_with_what_to_do():
    found = read(
        b'{"request_id": "a", "label": "1"}\n' + '{"request_id": "b", "label": "K\xf6ln"}'.encode("latin-1"), Form.JSON
    )
    assert list(found.outcomes) == [1]
    assert "save the file as UTF-8" in found.faults[2]


def test_without_clickhouse_the_bundles_of_the_project_say_the_classes(tmp_path):
    bundle = tiny_bundle(tmp_path, service="fraud")
    away = f"http://127.0.0.1:{free_port()}"
    settings = load(clickhouse_url=away, bundles_dir=bundle.parent)
    assert outcome_labels.known(settings, "fraud") == Labels(Task.BINARY, ("negative", "positive", "0", "1"))
    assert outcome_labels.known(settings, "another") is None
