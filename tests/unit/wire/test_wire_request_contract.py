"""The request contract is what the signature asks for, and the committed one is not stale."""

import json

import pytest
from weir.core.signature import Dtype, Input, JoinKey, KeyType, Signature, Source
from weir.demo.siblings import SIBLINGS
from weir.demo.signature import SERVICE, SIGNATURE
from weir.wire import shape
from weir.wire.request_contract import ENVELOPE, build, holds

from tests import examples

DEMO = [(SERVICE, SIGNATURE), *((sibling.service, sibling.signature) for sibling in SIBLINGS)]


def asked(name, dtype=Dtype.FLOAT, ref=None, **rest):
    return Input(name=name, source=Source.REQUEST, ref=ref or name, dtype=dtype, **rest)


def fields(text):
    return {field["name"]: field["type"] for field in json.loads(text)["fields"]}


def test_envelope_then_keys_then_inputs_each_field_once():
    signature = Signature(
        inputs=(
            asked("x"),
            asked("n", Dtype.INT),
            asked("ok", Dtype.BOOL),
            asked("kind", Dtype.CATEGORY, categories=("a",)),
            asked("x_again", ref="x"),
            Input(name="f", source=Source.FEATURE, ref="view__f"),
        ),
        join_keys=(JoinKey(name="user", dtype=KeyType.INT64), JoinKey(name="kind")),
    )
    found = fields(build("my-service", signature))
    names = [field["name"] for field in ENVELOPE]
    assert list(found) == [*names, "user", "kind", "x", "n", "ok"]
    assert [found[name] for name in ("user", "kind", "x", "n", "ok")] == [
        ["null", "long"],
        ["null", "string"],
        ["null", "float"],
        ["null", "long"],
        ["null", "boolean"],
    ]
    assert shape.parse(build("my-service", signature)).fullname == "weir.requests.my_service.ScoringRequest"


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        (Signature(inputs=(asked("deadline"),)), "name of a field that every request has"),
        (Signature(inputs=(asked("k"),), join_keys=(JoinKey(name="k"),)), "asked for as string and as float"),
        (Signature(inputs=(asked("not-a-name"),)), "not-a-name"),
    ],
)
def test_a_signature_without_a_contract_is_an_error(signature, says):
    with pytest.raises(ValueError, match=says):
        build("s", signature)


@pytest.mark.parametrize("service", ["Fraud Service!", "", "a.b", "7th", "ümlaut", "x" * 200, "a/b"])
def test_a_service_that_cannot_name_a_topic_is_an_error(service):
    with pytest.raises(ValueError, match="cannot name a topic"):
        build(service, Signature(inputs=(asked("x"),)))


def test_a_contract_that_has_more_fields_holds_one_that_has_fewer():
    few, more = Signature(inputs=(asked("x"),)), Signature(inputs=(asked("x"), asked("n", Dtype.INT)))
    other = Signature(inputs=(asked("x", Dtype.INT),))
    assert holds(build("s", more), build("s", few))
    assert not holds(build("s", few), build("s", more))
    assert not holds(build("s", other), build("s", few))
    kept = build("s", few, also=json.loads(build("s", more))["fields"])
    assert list(fields(kept))[-2:] == ["x", "n"]


@pytest.mark.parametrize(("service", "signature"), DEMO, ids=[service for service, _ in DEMO])
def test_the_committed_contract_is_the_signatures(service, signature):
    generated = build(service, signature)
    committed = examples.contract(f"requests.{service}")
    assert committed.schema == generated, (
        f"schemas/requests.{service}/v{committed.version}.avsc is stale; if it was never registered replace it, "
        f"else add v{committed.version + 1}.avsc with:\n{generated}"
    )
