"""The examples beside the schemas, as bytes; encoded by fastavro, so that our own encoder is not its own judge."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import fastavro
from weir.core.contract import Contract
from weir.edges.schemas.folder import GENERIC, folder_of
from weir.settings import ROOT
from weir.wire import frame

SCHEMAS = ROOT / "schemas"
RECORDS = tuple(sorted(path.name for folder in (GENERIC, SCHEMAS) for path in folder.iterdir() if path.is_dir()))


def contract(record: str, schema_id: int = 7) -> Contract:
    """The newest version of a record under an id of the test's choice."""
    newest = max(folder_of(SCHEMAS, record).glob("v*.avsc"), key=lambda path: int(path.stem[1:]))
    return Contract(f"test.{record}-value", int(newest.stem[1:]), newest.read_text(encoding="utf-8"), schema_id)


def body(schema: str, row: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), row, strict=True)
    return out.getvalue()


def read(schema: str, data: bytes) -> dict[str, Any]:
    """One row, timestamps as integers. The whole of `data` must be it."""
    plain = json.loads(schema.replace('"logicalType": "timestamp-millis"', '"logicalType": "none"'))
    source = io.BytesIO(data)
    row = fastavro.schemaless_reader(source, fastavro.parse_schema(plain), None)
    assert source.read() == b"", "bytes left over"
    assert isinstance(row, dict)
    return row


@dataclass(frozen=True)
class Good:
    record: str
    name: str
    row: dict[str, Any]
    body: bytes


@dataclass(frozen=True)
class Rejected:
    """`value` is the Kafka value under schema id 7."""

    record: str
    name: str
    stage: str
    reason: str
    value: bytes | None


def good(record: str) -> list[Good]:
    found = []
    for path in sorted((folder_of(SCHEMAS, record) / "examples" / "good").glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        found.append(Good(record, path.stem, _row(record, raw["row"]), bytes.fromhex(raw["body"])))
    return found


def rejected(record: str) -> list[Rejected]:
    found = []
    for path in sorted((folder_of(SCHEMAS, record) / "examples" / "rejected").glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        found.append(Rejected(record, path.stem, raw["stage"], raw["reason"], _value(record, raw)))
    return found


def _value(record: str, raw: dict[str, Any]) -> bytes | None:
    of = contract(record)
    if "whole" in raw:
        return None if raw["whole"] is None else bytes.fromhex(raw["whole"])
    if "body" in raw:
        return frame.header(of.schema_id) + bytes.fromhex(raw["body"])
    row = next(example.row for example in good(record) if example.name == raw["from"])
    changes = {name: _changed(value) for name, value in raw.get("set", {}).items()}
    value = bytearray(frame.header(raw.get("schema_id", of.schema_id)) + body(of.schema, row | changes))
    if raw.get("cut"):
        del value[-raw["cut"] :]
    value += bytes.fromhex(raw.get("append", ""))
    if "overwrite" in raw:
        patch = bytes.fromhex(raw["overwrite"]["with"])
        value[raw["overwrite"]["at"] : raw["overwrite"]["at"] + len(patch)] = patch
    return bytes(value)


def _changed(value: object) -> object:
    if isinstance(value, dict):
        return str(value["repeat"]) * int(value["times"])
    return float("nan") if value == "NaN" else value


def _row(record: str, raw: dict[str, Any]) -> dict[str, Any]:
    binary = {
        field["name"]
        for field in json.loads(contract(record).schema)["fields"]
        if "bytes" in (field["type"] if isinstance(field["type"], list) else [field["type"]])
    }
    return {
        name: bytes.fromhex(value) if name in binary and value is not None else value for name, value in raw.items()
    }
