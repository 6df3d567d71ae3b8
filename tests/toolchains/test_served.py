"""A model of each task and of text, from four toolchains, asked through a real scorer."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from weir.core.bundle import RELATIVE
from weir.core.signature import Signature
from weir.edges.embedded.stack import Stack
from weir.operations.trial import envelope

from tests.service_under_test import Service
from tests.toolchains.case import build
from tests.toolchains.test_exports import ABSOLUTE
from tests.waiting import START_S, until

CASES = ("xgboost-binary", "catboost-many", "lightgbm-regression-text", "sklearn-texts-groups")


@pytest.mark.parametrize("name", CASES)
def test_a_scorer_gives_the_scores_of_the_library(name: str, cases: Path, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    settings = stack.settings.having(bundles_dir=tmp_path / "bundles", schemas_dir=tmp_path / "schemas")
    opened, table, wanted = build(cases / name, tmp_path, settings, f"served-{uuid4().hex[:6]}")
    bundle, signature = opened.bundle, opened.bundle.signature
    service = Service(stack, tmp_path, bundle.service, lambda folder, name: opened.path, signature)
    values = service.encoder.encode(requests(signature, table))
    with service.worker():
        for partition in range(4):
            service.send(partition, list(values[partition::4]))
        until(service.all_answered, START_S, "every request answered")
    assert (len(service.predictions), service.dead_letters) == (table.num_rows, [])
    rows = sorted(service.predictions, key=lambda row: int(row["request_id"].removeprefix("trial-")))
    found = np.array([np.frombuffer(row["outputs"], "<f4") if signature.outputs else [row["score"]] for row in rows])
    difference = np.abs(found - wanted)
    assert (difference <= np.maximum(ABSOLUTE, RELATIVE * np.abs(wanted))).all(), difference.max()
    if signature.outputs:
        assert [row["decision"] for row in rows] == [signature.classes[at] for at in wanted.argmax(axis=1)]


def requests(signature: Signature, table: pa.Table) -> pa.RecordBatch:
    """Each row as a request, in order."""
    columns = {name: table[name].combine_chunks() for name in signature.names}
    return pa.RecordBatch.from_pydict(envelope(signature, table.num_rows) | columns)
