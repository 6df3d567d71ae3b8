"""The request contract of a service: made from its bundle, and written beside those that are there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from weir import project
from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.edges.schemas import folder
from weir.settings import Settings
from weir.wire import compatibility, request_contract
from weir.wire.agreement import disagreements


@dataclass(frozen=True, slots=True)
class Draft:
    """The version of a service's contract that a bundle needs.

    path: its file. fields: those that the version before it does not have. exists: it is there already, and has all
    that the bundle asks for.
    """

    record: str
    version: int
    text: str
    path: Path
    fields: tuple[str, ...]
    exists: bool


def draft(settings: Settings, bundle: Bundle) -> Draft:
    """The newest version where it has every field that the bundle asks for, else the next one.

    The next one keeps the fields that were there, so that bundles of both kinds can answer.
    Raises Refused when it could not read what producers of an earlier version wrote.
    """
    record, where, known = _there(settings, bundle)
    wanted = request_contract.build(bundle.service, bundle.signature)
    if known and request_contract.holds(known[-1], wanted):
        return Draft(record, len(known), known[-1], where / f"v{len(known)}.avsc", (), exists=True)
    before = json.loads(known[-1])["fields"] if known else []
    text = request_contract.build(bundle.service, bundle.signature, also=before)
    for number, old in enumerate(known, 1):
        if why := compatibility.incompatibility(reader=text, writer=old):
            changed = "; ".join(said for said in disagreements(old, text) if not said.endswith("is not in it"))
            raise Refused(
                f"contract v{len(known) + 1} of {record} could not read what was written under v{number}: "
                f"{changed or why}",
                where=str(where),
                remedy="a field keeps its type: read the changed one from a field of another name, by `ref`",
            )
    names = {field["name"] for field in before}
    fields = tuple(field["name"] for field in json.loads(text)["fields"] if field["name"] not in names)
    return Draft(record, len(known) + 1, text, where / f"v{len(known) + 1}.avsc", fields, exists=False)


def check(settings: Settings, bundle: Bundle) -> None:
    """Raises Refused, naming the command that writes one, where no contract of the service has what the bundle asks."""
    record, where, known = _there(settings, bundle)
    asked = request_contract.build(bundle.service, bundle.signature)
    lacking = [disagreements(text, asked) for text in known]
    if any(not lacks for lacks in lacking):
        return
    why = f"no version has what it asks for: {'; '.join(lacking[-1])}" if lacking else "there is none"
    raise Refused(
        f"bundle {bundle.name} {bundle.version} needs a contract of its requests, {record}, and {why}",
        where=str(where),
        remedy=f"run `weir bundle contract {bundle.short_digest} --write`, or let WEIR_SCHEMAS_DIR name the project's",
    )


def _there(settings: Settings, bundle: Bundle) -> tuple[str, Path, tuple[str, ...]]:
    """The record of a bundle's requests, its folder, and the versions that are there, oldest first."""
    record = request_contract.record_of(bundle.service)
    where = settings.paths.schemas_dir / record
    return record, where, folder.versions(settings.paths.schemas_dir, record) if any(where.glob("v*.avsc")) else ()


def is_own(settings: Settings) -> bool:
    """Whether the folder of contracts is somebody's who may write there: a project's, or one that was named."""
    return project.found() is not None or "schemas_dir" in settings.paths.model_fields_set


def write(made: Draft) -> None:
    """Write a draft that is not there yet. Raises Refused when its file is, or cannot be written."""
    if made.exists:
        return
    try:
        made.path.parent.mkdir(parents=True, exist_ok=True)
        with made.path.open("x", encoding="utf-8") as file:
            file.write(made.text)
    except OSError as error:
        raise Refused(
            f"contract v{made.version} of {made.record} cannot be written: {error.strerror}",
            where=str(made.path),
            remedy="let WEIR_SCHEMAS_DIR name a folder of your own",
        ) from error
