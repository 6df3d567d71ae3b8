"""As much of JSON Schema as the published schemas of receivers use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

PUBLISHED: Mapping[str, Mapping[str, Any]] = yaml.safe_load(Path(__file__).with_name("schemas.yaml").read_text())
TYPES = {"object": dict, "array": list, "string": str}


def faults(value: Any, schema: Mapping[str, Any], where: str = "$") -> Iterator[str]:
    """What is wrong with a value of JSON."""
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        yield f"{where} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is none of {schema['enum']}"
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", schema.get("maxItems", len(value))):
        yield f"{where} has {len(value)} characters or items"
    if schema.get("format") == "date-time":
        assert datetime.fromisoformat(value).tzinfo, f"{where} has no zone"
    if isinstance(value, dict):
        yield from (f"{where} lacks {name}" for name in schema.get("required", ()) if name not in value)
        known, other = schema.get("properties", {}), schema.get("additionalProperties", {})
        for name, item in value.items():
            if name not in known and other is False:
                yield f"{where} has {name}, which is not published"
            else:
                yield from faults(item, known.get(name, other), f"{where}.{name}") if known.get(name, other) else ()
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from faults(item, schema["items"], f"{where}[{place}]")
