"""What a redrive would send for each dead letter: the record as it was, or repaired; and what would become of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weir.core.errors import Refused
from weir.edges.clickhouse.dead_letters import Letter
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.operations import reevaluate, text_file
from weir.operations.redrive import Resend
from weir.settings import Settings
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder
from weir.wire.repair import repaired

REPAIR = 'write {"id": "topic/partition/offset@log", "fields": {"name": value}} on each line'


def prepared(
    settings: Settings, chosen: Sequence[Letter], patches: Sequence[str], repairs: Path | None
) -> tuple[list[Resend], list[str]]:
    """What would be sent for each letter, and why it would be rejected again ("": it would be scored).

    settings.bundle: evaluate with it; without one only decode. patches: FIELD=VALUE, for every letter. repairs: a file
    of JSON lines, each for one letter; there it wins over a patch. Raises Refused, Unavailable.
    """
    registry = Registry(settings.registry)
    contract = contract_of(settings, registry, settings.kafka.names.requests(settings.scoring.service))
    decoder, encoder = Decoder(contract, registry.schema_text), Encoder(contract)
    evaluate = reevaluate.by_bundle(settings) if settings.scoring.bundle else reevaluate.by_contract(settings, decoder)
    patch, by_letter = dict(_assignment(text) for text in patches), _repairs(repairs)
    _check_names([patch, *by_letter.values()], decoder.schema.names)
    resends, faults = [], []
    for letter in chosen:
        fields = patch | by_letter.get(letter.id, {})
        value, fault = _repaired(decoder, encoder, letter.value, fields)
        repair = "file" if letter.id in by_letter else "patch" if patch else "none"
        resends.append(Resend(letter, value, repair))
        faults.append(fault)
    verdicts = evaluate([resend.value for resend in resends])
    return resends, [fault or verdict for fault, verdict in zip(faults, verdicts, strict=True)]


def check(patches: Sequence[str], repairs: Path | None) -> None:
    """Raises Refused for a patch or a file of repairs that cannot be read, before anything is asked for."""
    _ = [_assignment(text) for text in patches], _repairs(repairs)


def _check_names(repairs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    if unknown := sorted({name for fields in repairs for name in fields} - set(names)):
        what = f"the contract has no field {', '.join(unknown)}"
        raise Refused(what, remedy=f"name one of {', '.join(names)}")


def _repaired(
    decoder: Decoder, encoder: Encoder, value: bytes | None, fields: Mapping[str, Any]
) -> tuple[bytes | None, str]:
    """The value to send, and what hindered its repair."""
    if not fields:
        return value, ""
    try:
        return repaired(decoder, encoder, value, fields), ""
    except ValueError as error:
        return value, f"not repaired: {error}"


def _assignment(text: str) -> tuple[str, Any]:
    """FIELD=VALUE; a value that is no JSON is text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Refused(f"{text!r} is no patch", remedy="write FIELD=VALUE, as in --patch deadline=null")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _repairs(path: Path | None) -> dict[str, dict[str, Any]]:
    """Letter id -> fields. Raises Refused naming the line that is wrong."""
    try:
        lines = path.read_bytes().split(b"\n") if path else []
    except OSError as error:
        raise Refused(f"the repairs cannot be read: {error}", where=str(path), remedy=REPAIR) from error
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = text_file.record(line)
        if isinstance(entry, str):
            raise Refused(f"line {number} is no repair: {entry}", where=str(path), remedy=REPAIR)
        try:
            found[str(entry["id"])] = dict(entry["fields"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"line {number} is no repair", where=str(path), remedy=REPAIR) from error
    return found
