"""What a scorer reads by: its bundle, whatever is registered under the subject of its requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from weir.agents.scorer.resources import open_output, open_scorer
from weir.core.batch import ClosedBy, MicroBatch
from weir.core.chunk import Chunk, Partition
from weir.core.contract import Contract
from weir.core.errors import Refused
from weir.core.rejects import Reason
from weir.edges.schemas.registry import Registry
from weir.scoring.batches import ScoredBatch
from weir.settings import Settings, load
from weir.wire import request_contract
from weir.wire.encode import Encoder

from tests import examples
from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, tiny_bundle
from tests.contract.test_registry import Server

Edit = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(examples.SCHEMAS, tmp_path_factory.mktemp("registry") / "state")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Settings:
    """Of a service of its own, with a bundle, and nothing registered."""
    name = f"tiny-{uuid4().hex[:6]}"
    bundle = tiny_bundle(tmp_path, service=name)
    return load(home=tmp_path, registry_url=server.url, service=name, bundle=str(bundle))


def without(*names: str) -> Edit:
    return lambda fields: [field for field in fields if field["name"] not in names]


def retyped(name: str, declared: object) -> Edit:
    return lambda fields: [
        {"name": name, "type": declared, "default": None} if field["name"] == name else field for field in fields
    ]


def version(settings: Settings, edit: Edit = list, subject: str = "") -> Contract:
    """Registers the service's contract, edited, as a producer's serializer would; by default where it belongs."""
    text = request_contract.build(settings.scoring.service, SIGNATURE)
    raw = json.loads(text)
    changed = json.dumps({**raw, "fields": edit(raw["fields"])})
    subject = subject or f"{settings.kafka.names.requests(settings.scoring.service)}-value"
    registry = Registry(settings.registry)
    return Contract(subject, 0, changed, registry.register(subject, changed))


def scored(settings: Settings, values: list[bytes]) -> ScoredBatch:
    scorer, _ = open_scorer(settings)
    column = pa.array(values, pa.large_binary())
    chunk = Chunk(Partition("t", 0), 0, len(values) - 1, column, column, np.arange(len(values)), 0, 0, 0.0)
    return scorer.score(MicroBatch((chunk,), ClosedBy.ROWS, 0.0), tick=lambda: 0.0)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (without("amount"), "field amount is not in it"),
        (without("customer"), "field customer is not in it"),
        (without("event_time"), "field event_time is not in it"),
        (without("tenant", "team"), "field tenant is not in it, field team is not in it"),
        (retyped("amount", ["null", "string"]), "in it, not float"),
        (retyped("shop", ["null", "string"]), "in it, not long"),
        (retyped("items", ["null", "double"]), "in it, not long"),
        (retyped("gift", ["null", {"type": "array", "items": "boolean"}]), "in it, not boolean"),
    ],
)
def test_a_bundle_that_asks_for_what_no_version_offers_is_refused(settings: Settings, edit: Edit, says: str) -> None:
    contract = version(settings, edit)
    with pytest.raises(Refused) as refused:
        open_scorer(settings)
    assert says in str(refused.value)
    assert f"{contract.subject} version 1" in str(refused.value)
    assert "bundle tiny-logistic 1 (" in str(refused.value)


@pytest.mark.parametrize(
    "declared",
    [["null", "double"], "float", ["float", "null"], ["null", "int"]],
)
def test_a_type_that_can_be_read_as_the_bundles_is_none_to_refuse(settings: Settings, declared: object) -> None:
    version(settings, retyped("amount", declared) if isinstance(declared, list) and declared[0] == "null" else list)
    open_scorer(settings)


EXTRA = {
    "tags": {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
    "note": {"name": "note", "type": ["null", "string"], "default": None},
}


def test_versions_that_others_register_change_nothing_but_their_own_records(settings: Settings) -> None:
    """Poorer and richer ones: each record is read by its own, and what it does not say is missing."""
    own = version(settings)
    rows = tiny.rows(6)
    before = scored(settings, Encoder(own).encode(rows))
    poorer = version(settings, without("amount", "tenant"))
    richer = version(settings, lambda fields: [EXTRA["note"], *fields])
    nested = version(settings, lambda fields: [*fields, EXTRA["tags"]])
    assert len({own.schema_id, poorer.schema_id, richer.schema_id, nested.schema_id}) == 4
    after = scored(settings, Encoder(own).encode(rows))
    for batch in (before, after):
        (part,) = batch.parts
        assert part.rows.columns.to_pylist() == [
            {**row, "amount": pytest.approx(row["amount"])} for row in rows.to_pylist()
        ]
    np.testing.assert_array_equal(before.parts[0].rows.outputs, after.parts[0].rows.outputs)

    plain = Encoder(own).encode(rows)
    note = Encoder(richer).encode(rows.append_column("note", pa.array(["x"] * 6)))
    few = Encoder(poorer).encode(rows)
    header, body = Encoder(Contract("n", 0, own.schema, nested.schema_id)).encode(rows), b"\x02\x02a\x00"
    several = [plain[0], note[1], few[2], header[3] + body, plain[4], note[5]]
    mixed = scored(settings, several)
    assert mixed.rejects.record.tolist() == [2]
    assert mixed.rejects.reason == (Reason.MISSING,)
    assert mixed.rejects.detail == ("amount",)
    (part,) = mixed.parts
    np.testing.assert_array_equal(part.rows.outputs, before.parts[0].rows.outputs[[0, 1, 3, 4, 5]])


def test_what_is_written_is_written_by_the_committed_contract(settings: Settings) -> None:
    """Somebody registers a version of the predictions with a field that no scorer knows."""
    version(settings)
    _, opened = open_scorer(settings)
    subject = "weir.predictions-value"
    registry = Registry(settings.registry)
    ours = registry.contract(subject)
    raw = json.loads(ours.schema)
    registry.register(subject, json.dumps({**raw, "fields": [*raw["fields"], EXTRA["note"]]}))
    assert registry.contract(subject).schema_id != ours.schema_id
    output = open_output(settings, opened)
    assert output.encode_predictions.__self__.contract.schema_id == ours.schema_id


def test_a_number_may_be_written_as_double_and_a_category_as_enum(settings: Settings) -> None:
    own = version(settings)
    rows = tiny.rows(5)
    channels = {"type": "enum", "name": "Channel", "symbols": ["shop", "web", "app"]}
    generated = version(
        settings,
        lambda fields: retyped("channel", ["null", channels])(retyped("amount", ["null", "double"])(fields)),
        subject="generated-value",
    )
    doubles = rows.set_column(rows.schema.names.index("amount"), "amount", rows.column("amount").cast(pa.float64()))
    index = {"type": "long"}
    raw = json.loads(generated.schema)
    as_longs = [{**field, "type": ["null", index]} if field["name"] == "channel" else field for field in raw["fields"]]
    encoder = Encoder(Contract("g", 0, json.dumps({**raw, "fields": as_longs}), generated.schema_id))
    symbols = pa.array([channels["symbols"].index(name) for name in rows.column("channel").to_pylist()])
    values = encoder.encode(doubles.set_column(rows.schema.names.index("channel"), "channel", symbols))
    mine, theirs = scored(settings, Encoder(own).encode(rows)), scored(settings, values)
    assert not len(theirs.rejects)
    np.testing.assert_array_equal(mine.parts[0].rows.matrix, theirs.parts[0].rows.matrix)
