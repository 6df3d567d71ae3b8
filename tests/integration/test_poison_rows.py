"""Rows that make ONNX Runtime raise, in a real worker: they alone are dead letters, and a broken stream stops it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from weir.core.rejects import Reason, Stage
from weir.edges.bundles.onnx_model import Model
from weir.edges.embedded.stack import Stack
from weir.operations import reevaluate

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, fragile_graph, tiny_bundle, weights_of
from tests.service_under_test import Service
from tests.waiting import START_S, until

pytestmark = pytest.mark.one_broker("kafka")

ITEMS = 1  # the column on which the fragile model depends
POISON = 100  # within the signature's range, and beyond the model's table
PLACES = [0, 77, 200, 201, 511]


def fragile_service(stack: Stack, folder: Path) -> Service:
    service = Service(stack, folder)
    service.bundle = tiny_bundle(
        folder / "fragile", service=service.name, model=fragile_graph(weights_of(SIGNATURE), ITEMS)
    )
    return service


def poisoned(rows: pa.RecordBatch, places: list[int]) -> pa.RecordBatch:
    items = np.array(rows.column("items").to_numpy())
    items[places] = POISON
    return rows.set_column(rows.schema.get_field_index("items"), "items", pa.array(items))


def test_five_poison_rows_in_512_are_dead_letters_and_the_others_keep_their_bits(stack: Stack, tmp_path: Path) -> None:
    service = fragile_service(stack, tmp_path)
    good = tiny.rows(512)
    service.send(1, list(service.encoder.encode(poisoned(good, PLACES))))
    with service.worker() as child:
        until(service.all_answered, START_S, "512 answers")
        log = child.log_tail()
    assert set(service.answered.values()) == {1}
    letters = sorted(service.dead_letters, key=lambda row: row["source_offset"])
    assert [row["source_offset"] for row in letters] == PLACES
    assert {(row["stage"], row["reason"]) for row in letters} == {(Stage.PREDICT, Reason.MODEL_FAILED)}
    assert all("Gather" in row["detail"] for row in letters)
    found = sorted(service.predictions, key=lambda row: row["source_offset"])
    kept = [place for place in range(512) if place not in PLACES]
    assert [row["source_offset"] for row in found] == kept
    direct = Model(service.bundle).run(tiny.matrix(good))[kept, 0]
    np.testing.assert_array_equal(np.array([row["score"] for row in found], np.float32), direct)
    assert "onnxruntime" not in log  # told once, in the dead letters


def test_a_stream_of_poison_stops_the_worker_and_loses_nothing(stack: Stack, tmp_path: Path) -> None:
    service = fragile_service(stack, tmp_path)
    service.send(0, list(service.encoder.encode(tiny.changed(tiny.rows(3000), items=POISON))))
    with service.worker(dead_letter_window=1000, chunk_max_records=512, batch_max_rows=512) as child:
        assert child.wait(START_S) == 78
        assert "WEIR_DEAD_LETTER_LIMIT" in child.log_tail()
    committed = service.committed()[0]
    assert set(service.look().answered) == {(0, offset) for offset in range(committed)}
    assert committed < 3000


def test_letters_that_raise_are_told_one_by_one_however_many_they_are(stack: Stack, tmp_path: Path) -> None:
    service = fragile_service(stack, tmp_path)
    settings = service.settings.having(bundle=str(service.bundle), dead_letter_limit=0.0, batch_max_rows=64)
    places = list(range(20, 180))
    verdicts = reevaluate.by_bundle(settings)(list(service.encoder.encode(poisoned(tiny.rows(200), places))))
    assert [place for place, verdict in enumerate(verdicts) if verdict.startswith("model_failed: ")] == places
    assert [place for place, verdict in enumerate(verdicts) if verdict] == places
