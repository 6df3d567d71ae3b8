"""Services of three tasks in one cluster: from requests by real scorers and a real recorder to rows asked by name."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from weir.core.signature import Band, Dtype, Input, Policy, Signature, Source, Task
from weir.settings import load

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, expected, spoken_graph, tiny_bundle
from tests.waiting import START_S, until

pytestmark = pytest.mark.one_broker("tansu")

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client
    from weir.edges.embedded.stack import Stack

    from tests.service_under_test import Service

ROWS = 400
LENIENT = replace(SIGNATURE, inputs=(*SIGNATURE.inputs[:3], replace(SIGNATURE.inputs[3], on_missing=Policy.USE)))
BANDS = (Band(name="low"), Band(name="middle", start=0.3), Band(name="high", start=0.5))
REMARK = Input(name="remark", source=Source.REQUEST, ref="remark", dtype=Dtype.STRING, on_missing=Policy.USE)
SIGNATURES = {
    "fraud": replace(LENIENT, classes=("genuine", "fraud")),
    "segments": replace(LENIENT, task=Task.MULTICLASS, threshold=None, classes=("sky", "a path, or grass", "Straße")),
    "water-flow": replace(LENIENT, task=Task.REGRESSION, threshold=None, bands=BANDS),
    "remarks": replace(LENIENT, inputs=(*LENIENT.inputs, REMARK)),
    "minutes": replace(LENIENT, task=Task.REGRESSION, threshold=None),
}


@pytest.fixture(scope="module")
def recorded(broker: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """What ClickHouse holds of each service: offset, score, decision, outputs, texts, in the order of requests."""
    from weir.edges.clickhouse import ledger, migrations
    from weir.edges.clickhouse.client import connect
    from weir.edges.embedded.stack import Stack

    home = tmp_path_factory.mktemp("tasks")
    with Stack(load(home=home / "home", bundles_dir=home / "none", **broker)) as stack:
        services = {name: service(stack, home, name, signature) for name, signature in SIGNATURES.items()}
        migrations.apply(stack.settings.recording)
        client = connect(stack.settings.recording)
        stack.spawn(["worker", "recorder"], "recorder")
        for one in services.values():
            one.spawn()
            one.send(0, list(one.encoder.encode(requests(one.signature))))
        until(lambda: complete(stack, client, len(services)), 2 * START_S, "every request recorded")
        until(lambda: ledger.read(client).complete, START_S, "a complete ledger")
        until(lambda: unnamed(client) == 0, START_S, "names for what was recorded before its bundle was known")
        wanted = sorted(map(described, SIGNATURES.items()), key=str)
        until(lambda: bundles_of(client) == wanted, START_S, "what every bundle is")
        return {name: rows_of(client, name) for name in SIGNATURES}


def service(stack: Stack, home: Path, name: str, signature: Signature) -> Service:
    from tests.service_under_test import Service

    def bundle(folder: Path, service_name: str) -> Path:
        model = spoken_graph(signature) if signature.strings else None
        return tiny_bundle(folder, signature, service=service_name, model=model)

    return Service(stack, home / name, name=name, bundle_of=bundle, signature=signature)


def requests(signature: Signature = LENIENT) -> pa.RecordBatch:
    """Some of them with a word that no model knows, or with none; with a remark for a model that reads it."""
    rows = tiny.rows(ROWS)
    odd = {1: "Fax ✆", 2: None}
    words = [odd.get(i % 20, word) for i, word in enumerate(channels(rows))]
    rows = rows.set_column(rows.schema.get_field_index("channel"), "channel", pa.array(words, pa.string()))
    return rows.append_column("remark", pa.array(remarks(), pa.string())) if signature.strings else rows


def remarks() -> list[str | None]:
    """A word of which the model makes something, no word, and words of which each is there once."""
    return ["red" if i % 3 == 0 else None if i % 3 == 1 else f"Größe {i}" for i in range(ROWS)]


def channels(rows: pa.RecordBatch) -> list[str | None]:
    found: list[str | None] = rows.column("channel").to_pylist()
    return found


def complete(stack: Stack, client: Client, services: int) -> bool:
    stack.check()
    return client.query("SELECT count() FROM predictions").first_row == (services * ROWS,)


def unnamed(client: Client) -> int:
    """Predictions whose features have no names yet."""
    return int(client.query("SELECT countIf(notEmpty(packed)) FROM predictions").first_row[0])


def bundles_of(client: Client) -> list[tuple[Any, ...]]:
    asked = "SELECT service, task, classes, decisions, cuts, threshold FROM bundles FINAL"
    return sorted(client.query(asked).result_rows, key=str)


def described(service: tuple[str, Signature]) -> tuple[Any, ...]:
    name, signature = service
    threshold = 0.5 if signature.task is Task.BINARY else None
    decisions = [word for word in signature.decisions if word]
    return name, str(signature.task), list(signature.labels), decisions, list(signature.cuts), threshold


def rows_of(client: Client, name: str) -> list[tuple[Any, ...]]:
    asked = (
        "SELECT source_offset, score, decision, outputs, texts FROM predictions WHERE service = {name:String} "
        "ORDER BY source_offset"
    )
    found: list[tuple[Any, ...]] = list(client.query(asked, parameters={"name": name}).result_rows)
    return found


def matrix() -> np.ndarray:
    """What the models got: a word that is not known is missing."""
    rows = requests()
    known = partial(_code, SIGNATURE.inputs[3].categories)
    made = tiny.matrix(tiny.rows(ROWS))
    made[:, 3] = [known(word) for word in channels(rows)]
    return made


def _code(categories: tuple[str, ...], word: str | None) -> float:
    return float(categories.index(word)) if word in categories else np.nan


@pytest.mark.parametrize("name", SIGNATURES)
def test_scores_and_decisions_are_the_models_own(name: str, recorded: dict[str, list[tuple[Any, ...]]]) -> None:
    signature, rows = SIGNATURES[name], recorded[name]
    wanted = expected(matrix(), LENIENT if signature.strings else signature)
    if signature.strings:
        odds = wanted / (1 - wanted) * np.where([word == "red" for word in remarks()], np.e, 1)
        wanted = odds / (1 + odds)
    assert [row[0] for row in rows] == list(range(ROWS))
    if signature.task is Task.MULTICLASS:
        assert [row[2] for row in rows] == [signature.classes[i] for i in wanted.argmax(axis=1)]
        wanted = wanted.max(axis=1)
    else:
        above = [sum(np.float32(row[1]) >= np.float32(cut) for cut in signature.cuts) for row in rows]
        assert [row[2] for row in rows] == [signature.decisions[count] for count in above]
    np.testing.assert_allclose([row[1] for row in rows], wanted, atol=1e-6)
    assert len({row[2] for row in rows}) > 1 or signature.decisions == ("",)


def test_all_outputs_can_be_asked_by_class(recorded: dict[str, list[tuple[Any, ...]]]) -> None:
    signature = SIGNATURES["segments"]
    outputs = [row[3] for row in recorded["segments"]]
    assert {tuple(row) for row in outputs} == {signature.classes}
    found = np.array([list(row.values()) for row in outputs])
    np.testing.assert_allclose(found, expected(matrix(), signature), atol=1e-6)
    assert {len(row[3]) for name in SIGNATURES if name != "segments" for row in recorded[name]} == {0}


@pytest.mark.parametrize("name", SIGNATURES)
def test_words_are_as_they_were_written(name: str, recorded: dict[str, list[tuple[Any, ...]]]) -> None:
    said = {"channel": channels(requests())} | ({"remark": remarks()} if SIGNATURES[name].strings else {})
    wanted = [{key: words[i] for key, words in said.items() if words[i] is not None} for i in range(ROWS)]
    assert [row[4] for row in recorded[name]] == wanted
    assert "Fax ✆" in {row.get("channel") for row in wanted}
