"""Whether requests under one contract can carry what a bundle asks for."""

from __future__ import annotations

from weir.core.errors import Refused
from weir.wire import avro_types, resolve, shape


def disagreements(offered: str, asked: str) -> list[str]:
    """What records of one Avro schema lack of what another one asks for, by field; empty when they lack nothing.

    Stricter than schema resolution, which puts a default in the place of a field: what is never sent is no input.
    """
    try:
        wanted, written = shape.parse(asked), avro_types.parse(offered)
        resolve.check_name(wanted, written)
    except Refused as refusal:
        return [refusal.what]
    types = dict(zip(written.fields, written.of, strict=True))
    found = []
    for field in wanted.fields:
        name = next((name for name in (field.name, *field.aliases) if name in types), None)
        if name is None:
            found.append(f"field {field.name} is not in it")
            continue
        reasons = [resolve.unreadable(field, branch) for branch in types[name].branches if branch.kind != "null"]
        if None not in reasons:
            found.append(f"field {field.name} is {types[name]} in it, not {field.kind}")
    return found
