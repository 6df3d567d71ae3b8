"""What a new user would try against a running stack, as commands to paste; each runs as it stands."""

from __future__ import annotations

import json
import math
import os
import pprint
import shlex
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from weir import project
from weir.core.signature import Dtype, Input, Signature
from weir.edges.schemas import folder as schema_folder
from weir.setting_groups import PROJECT_FOLDERS
from weir.settings import Settings, default_of, variable_of
from weir.wire import request_contract

ADDRESSES = ("brokers", "registry_url", "clickhouse_url", "service")
FOLDERS = ("home", *PROJECT_FOLDERS, "bundles_dir")
NAMES = ("deployment", "clickhouse_database")  # none of all these holds a password
OPTIONAL = {field["name"] for field in request_contract.ENVELOPE if "default" in field}  # whatever the service
PROXIES = ("http_proxy", "https_proxy", "all_proxy")  # read by curl and by Python's clients, also for this machine

A_SERVICE = (
    ("there is no service yet: look into a model and its rows", "weir service add NAME MODEL --sample ROWS"),
    ("prove the model on them; then end this, and start it again: it is served", "weir bundle build NAME"),
)


def commands(settings: Settings, serving: Mapping[str, Signature]) -> list[tuple[str, str]]:
    """Title and shell command of each, with the addresses of `settings`.

    serving: the services that are up, and the signatures of their bundles; the first is shown in a client's own words.
    Raises Refused when it has no contract.
    """
    service, signature = next(iter(serving.items()))
    topic, clickhouse = settings.kafka.names.requests(service), _clickhouse(settings)
    query = "SELECT request_id, score, decision, version, scored_at FROM predictions ORDER BY scored_at DESC LIMIT 5"
    dead = "SELECT reason, count() FROM dead_letters GROUP BY reason"
    direct = _past_proxies()
    python = shlex.join((sys.executable, "-P"))
    producer = _PRODUCE.format(
        topic=topic,
        registry=settings.registry.registry_url,
        brokers=settings.kafka.brokers,
        row=textwrap.indent(
            pprint.pformat(request(settings, service, signature), sort_dicts=False, width=110), "    "
        ).strip(),
    )
    here = exports(settings).removeprefix("export ")
    return [
        *(
            (
                f"three made-up requests to {name}, and their answers",
                f"{here} {direct}{python} -m weir send {name} --sample 3",
            )
            for name in serving
        ),
        (f"a request to {service} by any Kafka client, here Python's", f"{direct}{python} - <<'EOF'\n{producer}EOF"),
        ("its prediction, a second later", f'{clickhouse} --data-binary "{query} FORMAT PrettyCompact"'),
        ("records that were not scored, and why", f'{clickhouse} --data-binary "{dead} FORMAT PrettyCompact"'),
        (
            "is every request accounted for?",
            f"WEIR_CLICKHOUSE_URL={settings.recording.clickhouse_url} {python} -m weir ledger",
        ),
        (
            f"what a request to {service} looks like",
            f"{_curl()} {settings.registry.registry_url}/subjects/{topic}-value/versions/latest/schema",
        ),
    ]


def exports(settings: Settings) -> str:
    """A shell's line under which `weir` finds a running stack: its project, its addresses, and what is no default."""
    values, folder = settings.values(), project.found()
    found = {field: value for field, value in values.items() if field in ADDRESSES}
    found |= {field: value for field, value in values.items() if field in NAMES and value != default_of(field)}
    found |= {
        field: value
        for field, value in values.items()
        if field in FOLDERS and not (folder and value.resolve() == default_of(field).resolve())
    }
    said = {variable_of(field): str(value) for field, value in found.items() if value != ""}
    said |= {project.VARIABLE: str(folder)} if folder else {}
    return f"export {' '.join(f'{name}={shlex.quote(value)}' for name, value in said.items())}"


def request(settings: Settings, service: str, signature: Signature) -> dict[str, Any]:
    """A request that a service scores, by its newest contract, less what names it and its time. Raises Refused."""
    record = request_contract.record_of(service)
    contract = json.loads(schema_folder.versions(settings.paths.schemas_dir, record)[-1])
    inputs = {item.ref: item for item in signature.inputs}
    return {
        field["name"]: _value(field, inputs.get(field["name"]))
        for field in contract["fields"]
        if field["name"] not in ("request_id", "event_time")
    }


def _value(field: dict[str, Any], used: Input | None) -> Any:
    """A value of a contract's field that the model's signature accepts. used: the input that it feeds, if any."""
    if used is not None and used.dtype is Dtype.CATEGORY:
        return used.categories[0]
    if used is not None and used.dtype not in (Dtype.BOOL, Dtype.STRING):
        if used.dtype is Dtype.INT:
            whole = used.low and math.ceil(used.low), used.high and math.floor(used.high)
            return round(_within(*whole))
        return _within(used.low, used.high)
    if field["name"] in OPTIONAL:
        return field.get("default")
    types = field["type"] if isinstance(field["type"], list) else [field["type"]]
    kind = next(name for name in types if name != "null")
    return {"string": "example", "boolean": True}.get(str(kind), 1)


def _within(low: float | None, high: float | None) -> float:
    """A number in the range, inclusive; None is open. 1 or the nearest to it, the middle where both ends are given."""
    if low is not None and high is not None:
        return (low + high) / 2
    return max(1.0, low) if low is not None else min(1.0, high) if high is not None else 1.0


def _clickhouse(settings: Settings) -> str:
    recording = settings.recording
    login = ' -u "default:$WEIR_CLICKHOUSE_PASSWORD"' if recording.clickhouse_password.get_secret_value() else ""
    return f"{_curl()}{login} '{recording.clickhouse_url}/?database={recording.clickhouse_database}'"


def _curl() -> str:
    return "curl -s --noproxy '*'" if _past_proxies() else "curl -s"


def _past_proxies() -> str:
    """What goes before a command that must not take this machine for the world; "" where nobody named a proxy."""
    named = any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES)
    return "no_proxy='*' " if named else ""


_PRODUCE = """import time, uuid
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
topic = "{topic}"
row = {row}
row |= dict(request_id=str(uuid.uuid4()), event_time=int(time.time() * 1000))
encode = AvroSerializer(SchemaRegistryClient(dict(url="{registry}")),
                        conf={{"auto.register.schemas": False, "use.latest.version": True}})
producer = Producer({{"bootstrap.servers": "{brokers}"}})
producer.produce(topic, encode(row, SerializationContext(topic, MessageField.VALUE)))
print("sent", row["request_id"], "unsent:", producer.flush(10))
"""
