"""The request contract of a scoring service, generated from the signature of its model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from weir.core.signature import Dtype, KeyType, Signature, Source
from weir.core.topics import SERVICE
from weir.wire import compatibility

_MILLIS: Final = {"type": "long", "logicalType": "timestamp-millis"}

# What every service asks, whatever its model.
ENVELOPE: Final[tuple[dict[str, Any], ...]] = (
    {"name": "request_id", "type": "string", "doc": "The caller's name for the request; comes back with the answer."},
    {"name": "event_time", "type": _MILLIS, "doc": "When it was made, by the caller's clock; features are as of then."},
    {"name": "tenant", "type": "string", "default": "", "doc": "On whose behalf; for cost and access."},
    {"name": "team", "type": "string", "default": "", "doc": "Who pays; for cost."},
    {"name": "traceparent", "type": ["null", "string"], "default": None, "doc": "W3C trace context of the caller."},
    {"name": "deadline", "type": ["null", _MILLIS], "default": None, "doc": "After this the answer is of no use."},
)

_REQUEST_TYPE: Final = {
    Dtype.FLOAT: "float",
    Dtype.DOUBLE: "double",
    Dtype.INT: "long",
    Dtype.BOOL: "boolean",
    Dtype.CATEGORY: "string",
    Dtype.STRING: "string",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEY_TYPE: Final = {KeyType.STRING: "string", KeyType.INT64: "long"}


def record_of(service: str) -> str:
    """The folder of a service's contract.

    >>> record_of("fraud")
    'requests.fraud'
    """
    return f"requests.{service}"


def field_name(name: str) -> str:
    """A name as a field of a request may have it: one of Avro's, and none that every request has.

    >>> field_name("sepal length (cm)"), field_name("7th"), field_name("team"), field_name("")
    ('sepal_length__cm_', '_7th', 'team_value', 'input')
    """
    found = re.sub(r"\W", "_", name, flags=re.ASCII) or "input"
    found = f"_{found}" if found[0].isdigit() else found
    return f"{found}_value" if found in {field["name"] for field in ENVELOPE} else found


def build(service: str, signature: Signature, also: Iterable[Mapping[str, Any]] = ()) -> str:
    """Avro JSON text of a service's record `ScoringRequest`: envelope, join keys, inputs that a request carries.

    Keys and inputs may be null, so that "missing" can be said, and answered with a reason.
    A field that is both a key and an input, or feeds two inputs, stands once.
    also: fields that stand behind them where they are not among them, as an earlier version has them.
    Raises ValueError when two uses of a field differ in type, one takes a name of the envelope or is no Avro name, or
    the service cannot be part of a topic's name.
    """
    if not re.fullmatch(SERVICE, service):
        raise ValueError(f"service {service!r} cannot name a topic and a record: use letters, digits, - and _")
    fields: dict[str, dict[str, Any]] = {field["name"]: dict(field) for field in ENVELOPE}
    taken = frozenset(fields)
    asked = [(key.name, _KEY_TYPE[key.dtype], key.doc) for key in signature.join_keys]
    asked += [(item.ref, _REQUEST_TYPE[item.dtype], item.doc) for item in signature.of(Source.REQUEST)]
    for name, avro_type, doc in asked:
        if not _NAME.fullmatch(name):
            raise ValueError(f"request field {name} is not a name in Avro: letters, digits and _")
        if name in taken:
            raise ValueError(f"request field {name} has the name of a field that every request has")
        declared = fields.setdefault(name, {"name": name, "type": ["null", avro_type], "default": None, "doc": doc})
        if declared["type"] != ["null", avro_type]:
            raise ValueError(f"request field {name} is asked for as {declared['type'][1]} and as {avro_type}")
    for field in also:
        fields.setdefault(field["name"], dict(field))
    text = _text(
        {
            "type": "record",
            "name": "ScoringRequest",
            "namespace": f"weir.requests.{service.replace('-', '_')}",
            "doc": f"A request to the scoring service {service}. Generated from the signature of its model.",
        },
        list(fields.values()),
    )
    compatibility.parse(text)
    return text


def holds(contract: str, wanted: str) -> bool:
    """Whether a contract has every field of another, of the same type. Both are Avro JSON texts of flat records."""
    have = {field["name"]: field["type"] for field in json.loads(contract)["fields"]}
    return all(have.get(field["name"]) == field["type"] for field in json.loads(wanted)["fields"])


def _text(head: dict[str, str], fields: list[dict[str, Any]]) -> str:
    """JSON with a field a line, as a person reads it and a diff shows it."""
    top = "".join(f"  {json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items())
    return f'{{\n{top}  "fields": [\n' + ",\n".join(f"    {json.dumps(field)}" for field in fields) + "\n  ]\n}\n"
