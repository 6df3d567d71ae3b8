"""The request contract of a scoring service, generated from the signature of its model."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from weir.core.signature import Dtype, Signature, Source
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

_REQUEST_TYPE: Final = {Dtype.FLOAT: "float", Dtype.INT: "long", Dtype.BOOL: "boolean", Dtype.CATEGORY: "string"}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY_TYPE: Final = {"STRING": "string", "INT64": "long"}


def build(service: str, signature: Signature) -> str:
    """Avro JSON text of a service's record `ScoringRequest`: envelope, join keys, inputs that a request carries.

    Keys and inputs may be null, so that "missing" can be said, and answered with a reason.
    A field that is both a key and an input, or feeds two inputs, stands once.
    Raises ValueError when two uses of a field differ in type, or one takes a name of the envelope or is no Avro name.
    """
    fields: dict[str, dict[str, Any]] = {field["name"]: dict(field) for field in ENVELOPE}
    taken = frozenset(fields)
    asked = [(key.name, _key_type(key.dtype, key.name), key.doc) for key in signature.join_keys]
    asked += [(item.ref, _REQUEST_TYPE[item.dtype], item.doc) for item in signature.of(Source.REQUEST)]
    for name, avro_type, doc in asked:
        if not _NAME.fullmatch(name):
            raise ValueError(f"request field {name} is not a name in Avro: letters, digits and _")
        if name in taken:
            raise ValueError(f"request field {name} has the name of an envelope field")
        declared = fields.setdefault(name, {"name": name, "type": ["null", avro_type], "default": None, "doc": doc})
        if declared["type"] != ["null", avro_type]:
            raise ValueError(f"request field {name} is asked for as {declared['type'][1]} and as {avro_type}")
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


def _key_type(dtype: str, name: str) -> str:
    try:
        return _KEY_TYPE[dtype]
    except KeyError:
        raise ValueError(f"join key {name} has dtype {dtype}, not one of {', '.join(_KEY_TYPE)}") from None


def _text(head: dict[str, str], fields: list[dict[str, Any]]) -> str:
    """JSON with a field a line, as a person reads it and a diff shows it."""
    top = "".join(f"  {json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items())
    return f'{{\n{top}  "fields": [\n' + ",\n".join(f"    {json.dumps(field)}" for field in fields) + "\n  ]\n}\n"
