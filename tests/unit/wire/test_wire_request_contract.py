"""The request contract is what the signature asks for, and the committed one is not stale."""

import json

import pytest
from weir.core.signature import Dtype, Input, JoinKey, Signature, Source
from weir.wire import shape
from weir.wire.request_contract import ENVELOPE, build

from tests import examples


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
        join_keys=(JoinKey(name="user", dtype="INT64"), JoinKey(name="kind")),
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
        (Signature(inputs=(asked("deadline"),)), "name of an envelope field"),
        (Signature(inputs=(asked("k"),), join_keys=(JoinKey(name="k"),)), "asked for as string and as float"),
        (Signature(inputs=(), join_keys=(JoinKey(name="k", dtype="DOUBLE"),)), "dtype DOUBLE"),
        (Signature(inputs=(asked("not-a-name"),)), "not-a-name"),
    ],
)
def test_a_signature_without_a_contract_is_an_error(signature, says):
    with pytest.raises(ValueError, match=says):
        build("s", signature)


def test_the_committed_contract_is_the_signatures():
    from weir.demo.signature import SERVICE, SIGNATURE

    generated = build(SERVICE, SIGNATURE)
    committed = examples.contract(f"requests.{SERVICE}")
    assert committed.schema == generated, (
        f"schemas/requests.{SERVICE}/v{committed.version}.avsc is stale; if it was never registered replace it, "
        f"else add v{committed.version + 1}.avsc with:\n{generated}"
    )
