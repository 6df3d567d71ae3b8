"""What the local schema registry knows: subjects, versions, ids and compatibility, over files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
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


class Incompatible(Exception):
    """A schema breaks the versions before it; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a subject: its number from 1, its schema's id and text."""

    number: int
    schema_id: int
    text: str


@dataclass
class _Subject:
    level: str = ""
    versions: list[Version] = field(default_factory=list)


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
                self._enter(subject_of(topic.name), _checked(text, str(schema_folder.folder_of(schemas, topic.record))))
        for path in sorted(self._state.glob("*.json")):
            self._load(path)

    @property
    def subjects(self) -> list[str]:
        """Names, sorted."""
        return sorted(name for name, subject in self._subjects.items() if subject.versions)

    def versions(self, subject: str) -> list[Version]:
        """Versions of a subject, oldest first; none when there is no such subject."""
        found = self._subjects.get(subject)
        return list(found.versions) if found else []

    def text(self, schema_id: int) -> str | None:
        """Schema of an id."""
        return self._texts.get(schema_id)

    def find(self, subject: str, text: str) -> Version | None:
        """The version of a subject that says the same. Raises ValueError when the text is no schema."""
        wanted = _canonical(text)
        return next((version for version in self.versions(subject) if _canonical(version.text) == wanted), None)

    def level(self, subject: str = "") -> str:
        """Compatibility level of a subject; of the registry when it has none of its own."""
        found = self._subjects.get(subject)
        registry = self._subjects.get("")
        return (found.level if found else "") or (registry.level if registry else "") or DEFAULT_LEVEL

    def set_level(self, subject: str, level: str) -> None:
        """Set it, for the registry when `subject` is empty. Raises ValueError for a word that is no level."""
        if not _READS.fullmatch(level):
            raise ValueError(f"{level} is not a compatibility level")
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
        """Add a version, or find the one that says the same. Raises ValueError; Incompatible."""
        _check_name(subject)
        known = self.find(subject, text)
        if known:
            return known
        faults = self.faults(subject, text)
        if faults:
            raise Incompatible(f"{subject}, {self.level(subject)}: {'; '.join(faults)}")
        version = self._enter(subject, text)
        self._save(subject)
        return version

    def _enter(self, subject: str, text: str) -> Version:
        known = self.find(subject, text)
        if known:
            return known
        versions = self._subjects.setdefault(subject, _Subject()).versions
        version = Version(len(versions) + 1, self._id(text), text)
        versions.append(version)
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
        subject = unquote(path.stem)
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            level, texts = str(raw["level"]), [str(text) for text in raw["versions"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(
                f"not a subject of the local registry: {error}", where=str(path), remedy="remove the file"
            ) from error
        self._subjects.setdefault(subject, _Subject()).level = level
        for text in texts:
            self._enter(subject, _checked(text, str(path)))

    def _save(self, subject: str) -> None:
        """Write a subject whole, by replacing its file, so that a crash leaves the old one or the new one."""
        kept = self._subjects[subject]
        path = self._state / f"{quote(subject, safe='')}.json"
        draft = path.with_suffix(".draft")
        texts = [version.text for version in kept.versions]
        draft.write_text(json.dumps({"level": kept.level, "versions": texts}), encoding="utf-8")
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
