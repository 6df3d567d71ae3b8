"""Plain values -> a bundle, or a part of one, whose every value is of its type; and back to bundle.yaml.

Nothing is converted: a number is no text, a text no number. What is wrong is said by the names that the author gave.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from weir.core.bundle import Bundle
from weir.core.errors import shortened
from weir.core.signature import Band, Input, JoinKey, Signature
from weir.edges.bundles import text

T = TypeVar("T")

FORMAT = 3  # of bundle.yaml
SAID_MAX: Final = 20  # faults that one message names
_PARTS: Final = {  # lists whose entries have a name
    "inputs": ("input", Input),
    "join_keys": ("join key", JoinKey),
    "bands": ("band", Band),
}
_WRITTEN: Final = {"start": "from"}  # in a band: a word of Python cannot be a field
_WORDS: Final = {
    "string_type": "is {value}, not text: write it in quotes",
    "float_type": "is {value}, not a number",
    "int_type": "is {value}, not a whole number",
    "bool_type": "is {value}, not true or false",
    "enum": "is {value}, not one of {expected}",
    "tuple_type": "is {value}, not a list",
    "dict_type": "is {value}, not a mapping",
    "dataclass_type": "is {value}, not a mapping",
    "missing": "is missing",
}


def to_manifest(bundle: Bundle, hashes: Mapping[str, str]) -> str:
    """bundle.yaml as text: the bundle without its digest, and the hashes of the files beside it."""
    return text.write({"format": FORMAT, "files": dict(hashes), **to_plain(bundle)})


def to_plain(bundle: Bundle) -> dict[str, Any]:
    """A bundle without its digest as plain values, as in bundle.yaml."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(bundle) | {"signature": bundle.signature.to_dict()})
    del plain["digest"]
    if bundle.learner is None:  # so that the bundles of all other models are what they were
        del plain["learner"]
    return plain


def from_manifest(content: Mapping[str, Any], digest: str) -> Bundle:
    """The inverse of `to_manifest`. Raises ValueError naming the entries that are wrong."""
    if content.get("format") != FORMAT or content["format"] is True:
        raise ValueError(f"it is not of format {FORMAT} but {shortened(str(content.get('format')))}")
    plain = {key: value for key, value in content.items() if key not in ("format", "files")}
    return typed(Bundle, {**plain, "digest": digest})


def typed(kind: type[T], plain: Mapping[str, Any], names: Mapping[str, str] | None = None) -> T:
    """A dataclass of plain values. names: how the author writes a field, where it is not the field's own name.

    Raises ValueError naming the entries that are missing, unknown or of another type.
    """
    written = dict(names or {})
    unknown = list(_unknown(kind, plain, written))
    try:
        # JSON's strict mode takes a list for a tuple and a text for an enumeration, and converts nothing else.
        made = json.dumps(_known(kind, plain, written))
        found: T = TypeAdapter(kind).validate_json(made, strict=True)
    except ValidationError as error:
        faults = [_fault(fault, plain, written) for fault in error.errors(include_url=False)]
        raise ValueError("; ".join(_told([*unknown, *faults]))) from error
    except (TypeError, ValueError, RecursionError) as error:  # what JSON has no form for
        raise ValueError("; ".join(_told([*unknown, text.explain(error)]))) from error
    if unknown:
        raise ValueError("; ".join(_told(unknown)))
    return found


def _told(faults: Sequence[str]) -> list[str]:
    """Each once; "is missing" not of a key of which another fault says that it is meant; no more than SAID_MAX."""
    meant = {fault.rpartition("is ")[2].removesuffix(" meant?") for fault in faults if fault.endswith(" meant?")}
    said = [fault for fault in dict.fromkeys(faults) if not any(fault.endswith(f"{key} is missing") for key in meant)]
    return said if len(said) <= SAID_MAX else [*said[:SAID_MAX], f"and {len(said) - SAID_MAX} more"]


def _known(kind: type[Any], plain: Mapping[Any, Any], written: Mapping[str, str] = _WRITTEN) -> dict[str, Any]:
    """The entries that are fields, by the field, so that they can be looked at although others are unknown."""
    fields = {written.get(field.name, field.name): field.name for field in dataclasses.fields(kind)}
    return {fields[key]: _known_part(key, value) for key, value in plain.items() if key in fields}


def _known_part(key: str, value: Any) -> Any:
    if key == "signature" and isinstance(value, Mapping):
        return _known(Signature, value)
    if key in _PARTS and isinstance(value, list):
        return [_known(_PARTS[key][1], entry) if isinstance(entry, Mapping) else entry for entry in value]
    return value


def _unknown(kind: type[Any], plain: Mapping[Any, Any], written: Mapping[str, str], where: str = "") -> Iterator[str]:
    """Keys that are no fields, with the nearest that is one; in the parts too."""
    known = [written.get(field.name, field.name) for field in dataclasses.fields(kind)]
    for key, value in plain.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f": is {near[0]} meant?" if near else f"; keys are {', '.join(known)}"
            yield f"{where}unknown key {shortened(str(key))}{hint}"
        elif key == "signature" and isinstance(value, Mapping):
            yield from _unknown(Signature, value, {}, "signature: ")
        elif key in _PARTS and isinstance(value, list):
            what, part = _PARTS[key]
            for number, entry in enumerate(value):
                if isinstance(entry, Mapping):
                    yield from _unknown(part, entry, _WRITTEN, f"{_name(what, number, entry)}: ")


def _fault(fault: Mapping[str, Any], plain: Any, written: Mapping[str, str]) -> str:
    """One of pydantic's errors in the author's words."""
    around, here = "", plain
    path: list[str] = []
    for at, step in enumerate(fault["loc"]):
        before = fault["loc"][at - 1] if at else ""
        if isinstance(step, int) and before in _PARTS:
            here = here[step]
            around, path = f"{_name(_PARTS[before][0], step, here)}: ", []
            continue
        path.append((written if not at else _WRITTEN).get(str(step), str(step)))
        inside = (isinstance(here, Mapping) and step in here) or (isinstance(here, list) and isinstance(step, int))
        here = here[step] if inside else None
    key = ".".join(part for part in path if part not in ("signature", *_PARTS)) or ".".join(path)
    if fault["type"] == "value_error":  # said by the value itself, which names itself
        said = str(fault["ctx"]["error"])
        return said if said.startswith(around.rstrip(": ")) else f"{around}{said}"
    context = {"value": shortened(repr(fault.get("input"))), **fault.get("ctx", {})}
    words = _WORDS.get(fault["type"])
    said = words.format(**context) if words else f"is {context['value']}: {fault['msg']}"
    return f"{around}{key} {said}".strip()


def _name(what: str, number: int, entry: Any) -> str:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return f"{what} {shortened(name)}" if isinstance(name, str) and name else f"{what} number {number + 1}"


def _plain(value: Any) -> Any:
    """Tuples and enums as YAML's safe dumper wants them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
