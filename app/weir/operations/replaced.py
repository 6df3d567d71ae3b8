"""The specification of a service that is written anew: what of the old one stays, and what does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from weir.core.errors import Refused
from weir.edges.bundles import text as yaml
from weir.edges.bundles.words import listed_names
from weir.operations import services

OWNED: Final = ("owner", "value")  # keys that belong to the service, whatever its model is


def read(spec: Path) -> dict[str, Any]:
    """A specification as plain values. Raises Refused where it cannot be read."""
    try:
        return yaml.parse(spec.read_bytes())
    except ValueError as error:
        what = f"the service that is to be replaced is not understood: {error}"
        remedy = "correct it, or move its folder away and leave --replace out"
        raise Refused(what, where=str(spec), remedy=remedy) from error


def next_version(old: Mapping[str, Any]) -> str:
    """The version behind that of a specification: its last number and one.

    >>> next_version({"version": "v1.9"}), next_version({"version": "beta"}), next_version({})
    ('v1.10', 'beta-2', '2')
    """
    version = str(old.get("version", ""))
    found = re.fullmatch(r"(.*?)(\d+)", version)
    return f"{found[1]}{int(found[2]) + 1}" if found else f"{version}-2".lstrip("-")


def owned(old: Mapping[str, Any]) -> dict[str, str]:
    """What belongs to the service, as texts; what is none, and no number, is left out.

    >>> owned({"owner": "payments", "value": 5, "tolerance": 0.1}), owned({"value": ["x"], "owner": ""})
    ({'owner': 'payments', 'value': '5'}, {})
    """
    there = {key: old[key] for key in OWNED if isinstance(old.get(key), str | int | float)}
    return {key: str(value) for key, value in there.items() if value != "" and not isinstance(value, bool)}


def carried(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What became of the content of an old specification, in words."""
    if kept := owned(old):
        yield f"carried over: {', '.join(kept)}"
    if gone := lost(old, new):
        yield f"NOT carried over, though the old file differs: {listed_names(gone)}; edit {services.SPEC}"


def lost(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What an old specification says and a new one does not, in words.

    >>> inputs = [{"name": "amount", "low": 0}, {"name": "age"}]
    >>> old = {"tolerance": 0.1, "version": "1", "signature": {"threshold": 0.7, "inputs": inputs}}
    >>> lost(old, {"version": "2", "signature": {"threshold": 0.5, "inputs": [{"name": "amount", "low": -9}]}})
    ['tolerance', 'threshold', 'low of amount', 'input age']
    """
    kept = owned(old).keys() | {"version", "signature"}
    said = [key for key in _differing(old, new) if key not in kept]
    before, after = _mapping(old.get("signature")), _mapping(new.get("signature"))
    return [*said, *(key for key in _differing(before, after) if key != "inputs"), *_inputs(before, after)]


def _inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    known = _named(after)
    for name, item in _named(before).items():
        if name not in known:
            yield f"input {name}"
        elif keys := _differing(item, known[name]):
            yield f"{' and '.join(keys)} of {name}"


def _named(signature: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    items = signature.get("inputs")
    return {str(item.get("name")): item for item in map(_mapping, items if isinstance(items, list) else ())}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [str(key) for key, value in old.items() if key not in new or new[key] != value]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
