"""What the local schema registry knows: subjects, versions, ids and compatibility, over files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from weir.core.errors import Refused
from weir.core.topics import subject_of
from weir.edges.schemas import folder as schema_folder
from weir.wire import compatibility

DEFAULT_LEVEL: Final = "BACKWARD_TRANSITIVE"  # consumers are upgraded before producers, and a log holds old records
NAME_BYTES: Final = 240  # of a subject; file systems end at 255, and Kafka's topic names at 249
_READS: Final = re.compile(r"(NONE|(BACKWARD|FORWARD|FULL)(_TRANSITIVE)?)")


MODES: Final = ("READWRITE", "READONLY", "READONLY_OVERRIDE")  # ids are hashes here, so none can be imported


class Incompatible(Exception):
    """A schema breaks the versions before it; the message says which and why."""


class Forbidden(Exception):
    """Nothing may be written here; the message says why."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a subject: its number from 1, its schema's id and text.

    deleted: softly, so that it is listed and compared no more, and its id is still known. declared: by a file of the
    project, which is the only place where it can be taken away.
    """

    number: int
    schema_id: int
    text: str
    deleted: bool = False
    declared: bool = False


@dataclass
class _Subject:
    level: str = ""
    mode: str = ""
    versions: list[Version] = field(default_factory=list)
    last: int = 0  # number given last: one that was deleted is not given again


class Store:
    """Subjects of the declared topics, from `schemas`, and those registered at run time, kept in `state`.

    schemas: the project's folder (weir.edges.schemas.folder); only read. state: directory, made when missing: a JSON
    file a subject. deployment: what the topics' names begin with. An id is a hash of the schema, so it is the same
    after a restart, and on every machine.
    Raises Refused when a file is not what it should be.
    """

    def __init__(self, schemas: Path, state: Path, deployment: str = "weir") -> None:
        self._state = state / "subjects"
        self._state.mkdir(parents=True, exist_ok=True)
        self._subjects: dict[str, _Subject] = {}
        self._texts: dict[int, str] = {}
        for topic in schema_folder.topics(schemas, schema_folder.services(schemas), deployment):
            for text in schema_folder.versions(schemas, topic.record):
                where = str(schema_folder.folder_of(schemas, topic.record))
                self._enter(subject_of(topic.name), _checked(text, where), declared=True)
        for path in sorted(self._state.glob("*.json")):
            self._load(path)

    @property
    def subjects(self) -> list[str]:
        """Names, sorted."""
        return self.names()

    def names(self, *, deleted: bool = False) -> list[str]:
        """Names of subjects, sorted. deleted: also of those that have only deleted versions."""
        return sorted(name for name in self._subjects if self.versions(name, deleted=deleted))

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Versions of a subject, oldest first; none when there is no such subject. deleted: also deleted ones."""
        found = self._subjects.get(subject, _Subject())
        return [version for version in found.versions if deleted or not version.deleted]

    def text(self, schema_id: int) -> str | None:
        """Schema of an id."""
        return self._texts.get(schema_id)

    def find(self, subject: str, text: str, *, deleted: bool = False) -> Version | None:
        """The version of a subject that says the same. Raises ValueError when the text is no schema."""
        wanted = _canonical(text)
        known = self.versions(subject, deleted=deleted)
        return next((version for version in known if _canonical(version.text) == wanted), None)

    def delete(self, subject: str, numbers: Iterable[int]) -> None:
        """Softly: the versions are listed and compared no more. Raises Forbidden."""
        self._check_deletable(subject, numbers)
        kept = self._subjects[subject]
        wanted = set(numbers)
        kept.versions = [replace(it, deleted=True) if it.number in wanted else it for it in kept.versions]
        self._save(subject)

    def forget(self, subject: str, numbers: Iterable[int]) -> None:
        """For good: an id that nobody else has is not known any more. Raises Forbidden."""
        self._check_deletable(subject, numbers)
        kept = self._subjects[subject]
        wanted = set(numbers)
        kept.versions = [it for it in kept.versions if it.number not in wanted]
        if not kept.versions:
            kept.last = 0
        used = {it.schema_id for other in self._subjects.values() for it in other.versions}
        self._texts = {schema_id: text for schema_id, text in self._texts.items() if schema_id in used}
        self._save(subject)

    def _check_deletable(self, subject: str, numbers: Iterable[int]) -> None:
        self._check_writable(subject)
        wanted = set(numbers)
        if any(it.declared for it in self._subjects[subject].versions if it.number in wanted):
            raise Forbidden(f"{subject} is a contract of the project: take its file away and start the registry again")

    def _check_writable(self, subject: str) -> None:
        if self.mode(subject) != MODES[0]:
            raise Forbidden(f"Subject {subject} is in {self.mode(subject)} mode")

    def mode(self, subject: str = "") -> str:
        """READWRITE, or one of MODES that was set for the subject or for the registry."""
        return self.own_mode(subject) or self.own_mode("") or MODES[0]

    def own_mode(self, subject: str) -> str:
        """Mode that was set for this subject (for the registry when it is empty); "" for none."""
        return self._subjects.get(subject, _Subject()).mode

    def set_mode(self, subject: str, mode: str) -> None:
        """Set it, for the registry when `subject` is empty; "" takes it back. Raises ValueError for no mode of here."""
        if mode not in ("", *MODES):
            raise ValueError(f"Invalid mode. Valid values are {', '.join(MODES)}")
        _check_name(subject)
        self._subjects.setdefault(subject, _Subject()).mode = mode
        self._save(subject)

    def own_level(self, subject: str) -> str:
        """Compatibility level that was set for this subject; "" for none."""
        return self._subjects.get(subject, _Subject()).level

    def level(self, subject: str = "") -> str:
        """Compatibility level of a subject; of the registry when it has none of its own."""
        return self.own_level(subject) or self.own_level("") or DEFAULT_LEVEL

    def set_level(self, subject: str, level: str) -> None:
        """Set it, for the registry when `subject` is empty; "" takes it back. Raises ValueError for no level."""
        if level and not _READS.fullmatch(level):
            raise ValueError(
                "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, "
                "forward_transitive, and full_transitive"
            )
        _check_name(subject)
        self._subjects.setdefault(subject, _Subject()).level = level
        self._save(subject)

    def faults(self, subject: str, text: str, against: list[Version] | None = None) -> list[str]:
        """Why a schema may not follow these versions (all of the subject's by default); empty when it may.

        Raises ValueError when the text is no schema.
        """
        _canonical(text)
        level = self.level(subject)
        versions = self.versions(subject) if against is None else against
        if not level.endswith("_TRANSITIVE") and against is None:
            versions = versions[-1:]
        faults = []
        for version in versions if level != "NONE" else []:
            pairs = []
            if not level.startswith("FORWARD"):
                pairs.append((f"cannot read version {version.number}", text, version.text))
            if not level.startswith("BACKWARD"):
                pairs.append((f"version {version.number} cannot read it", version.text, text))
            faults += [
                f"{what}: {why}"
                for what, reader, writer in pairs
                if (why := compatibility.incompatibility(reader, writer))
            ]
        return faults

    def register(self, subject: str, text: str) -> Version:
        """Add a version, or find the one that says the same. Raises ValueError; Incompatible; Forbidden."""
        _check_name(subject)
        known = self.find(subject, text)
        if known:
            return known
        self._check_writable(subject)
        faults = self.faults(subject, text)
        if faults:
            raise Incompatible(
                f'Schema being registered is incompatible with an earlier schema for subject "{subject}", '
                f"{self.level(subject)}: {'; '.join(faults)}"
            )
        version = self._enter(subject, text)
        self._save(subject)
        return version

    def _enter(
        self, subject: str, text: str, *, number: int = 0, deleted: bool = False, declared: bool = False
    ) -> Version:
        """Keep a version, unless there is one that says the same. number: 0 takes the next."""
        known = self.find(subject, text)
        if known:
            return known
        kept = self._subjects.setdefault(subject, _Subject())
        kept.last = number = max(number, kept.last + 1)
        version = Version(number, self._id(text), text, deleted, declared)
        kept.versions.append(version)
        return version

    def _id(self, text: str) -> int:
        """First 31 bits of a hash of the canonical text; the next free number should two schemas ever share them."""
        wanted = _canonical(text)
        schema_id = int.from_bytes(hashlib.sha256(wanted.encode()).digest()[:4], "big") >> 1 or 1
        while schema_id in self._texts and _canonical(self._texts[schema_id]) != wanted:
            schema_id = schema_id % (2**31 - 1) + 1
        self._texts.setdefault(schema_id, text)
        return schema_id

    def _load(self, path: Path) -> None:
        subject = unquote(path.name.removesuffix(".json"))  # the registry as a whole has no name
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            level, mode, last = str(raw["level"]), str(raw["mode"]), int(raw["last"])
            versions = [(int(it["number"]), str(it["schema"]), bool(it["deleted"])) for it in raw["versions"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(
                f"not a subject of the local registry: {error}", where=str(path), remedy="remove the file"
            ) from error
        for number, text, deleted in versions:
            self._enter(subject, _checked(text, str(path)), number=number, deleted=deleted)
        kept = self._subjects.setdefault(subject, _Subject())
        kept.level, kept.mode, kept.last = level, mode, max(kept.last, last)

    def _save(self, subject: str) -> None:
        """Write a subject whole, by replacing its file, so that a crash leaves the old one or the new one."""
        kept = self._subjects[subject]
        path = self._state / f"{quote(subject, safe='')}.json"
        draft = path.with_name(f"{path.name}.draft")
        versions = [{"number": it.number, "schema": it.text, "deleted": it.deleted} for it in kept.versions]
        content = {"level": kept.level, "mode": kept.mode, "last": kept.last, "versions": versions}
        draft.write_text(json.dumps(content), encoding="utf-8")
        os.replace(draft, path)


def _check_name(subject: str) -> None:
    """Raises ValueError when a subject cannot be the name of its file."""
    if len(quote(subject, safe="")) > NAME_BYTES:
        raise ValueError(f"the name of the subject is longer than {NAME_BYTES} bytes as a URL has it")


@lru_cache(maxsize=4096)  # what is asked about comes from outside, and must not pile up
def _canonical(text: str) -> str:
    """The schema without its whitespace and key order. Raises ValueError when it is not an Avro schema."""
    compatibility.parse(text)
    raw = json.loads(text)
    json.dumps(raw, allow_nan=False, ensure_ascii=False).encode()  # else it could not be given back as JSON
    return json.dumps(raw, sort_keys=True, separators=(",", ":"))


def _checked(text: str, where: str) -> str:
    try:
        _canonical(text)
    except ValueError as error:
        raise Refused(str(error), where=where, remedy="repair the schema") from error
    return text
