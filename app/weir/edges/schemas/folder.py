"""The folder schemas/: which topics there are, and the versions of their records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from weir.core.errors import Refused
from weir.core.topics import subject_of

T = TypeVar("T")

SERVICE = "{service}"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # Kafka's rule
_VERSION = re.compile(r"v([1-9]\d*)\.avsc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One declared topic.

    record: the folder of its schemas. retention_hours: -1 keeps records for ever. writers, readers: roles.
    service: whose requests it carries; empty for topics that all services share.
    """

    name: str
    record: str
    partitions: int
    retention_hours: int
    max_message_bytes: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    doc: str
    service: str = ""

    @property
    def subject(self) -> str:
        """The registry's subject of its values."""
        return subject_of(self.name)

    @property
    def config(self) -> dict[str, str]:
        """Topic configuration as Kafka names it."""
        retention_ms = -1 if self.retention_hours < 0 else self.retention_hours * 3_600_000
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }


def topics(folder: Path, services: Iterable[str]) -> tuple[Topic, ...]:
    """The topics that topics.yaml declares, those of requests once per service, in the order of the file.

    Raises Refused when the file is missing or an entry is not a topic, naming it.
    """
    path = folder / "topics.yaml"
    entries = _declared(path, "topics", list)
    found = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise Refused(f"topic {entry} is only a name", where=str(path), remedy="give it the keys of the others")
        for service in services if SERVICE in str(entry.get("name")) else ("",):
            found.append(_topic(entry, service, path))
    return tuple(found)


def groups(folder: Path) -> dict[str, str]:
    """Consumer group by role, `{service}` standing for each service. Raises Refused like `topics`."""
    return {str(role): str(name) for role, name in _declared(folder / "topics.yaml", "groups", dict).items()}


def versions(folder: Path, record: str) -> tuple[str, ...]:
    """Schema texts of a record, oldest first: v1.avsc, v2.avsc, without a hole.

    Raises Refused when there are none, one is missing or a file cannot be read.
    """
    where = folder / record
    numbered = {int(match[1]): path for path in where.glob("v*.avsc") if (match := _VERSION.fullmatch(path.name))}
    if sorted(numbered) != list(range(1, len(numbered) + 1)) or not numbered:
        raise Refused(
            f"record {record} has versions {sorted(numbered)}",
            where=str(where),
            remedy="number them v1.avsc, v2.avsc, ...",
        )
    return tuple(numbered[number].read_text(encoding="utf-8") for number in sorted(numbered))


def services(folder: Path) -> tuple[str, ...]:
    """Scoring services that have a request contract here: the folders requests.<service>."""
    return tuple(sorted(path.name.removeprefix("requests.") for path in folder.glob("requests.*") if path.is_dir()))


def _declared(path: Path, key: str, kind: Callable[[Any], T]) -> T:
    try:
        return kind(yaml.safe_load(path.read_text(encoding="utf-8"))[key])
    except OSError as error:
        raise Refused(
            f"cannot read the list of {key}: {error.strerror}", where=str(path), remedy="set WEIR_SCHEMAS_DIR"
        ) from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"not a list of {key}: {error}", where=str(path), remedy=f"write a list under `{key}:`"
        ) from error


def _topic(entry: dict[str, Any], service: str, path: Path) -> Topic:
    try:
        name = str(entry["name"]).replace(SERVICE, service)
        if not _NAME.fullmatch(name):
            raise ValueError("a name has up to 249 letters, digits, dots, dashes and underscores")
        return Topic(
            name=name,
            record=str(entry["record"]).replace(SERVICE, service),
            partitions=int(entry["partitions"]),
            retention_hours=int(entry["retention_hours"]),
            max_message_bytes=int(entry["max_message_bytes"]),
            writers=tuple(entry["writers"]),
            readers=tuple(entry["readers"]),
            doc=str(entry["doc"]),
            service=service,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"topic {entry.get('name', 'without a name')}: {type(error).__name__} {error}",
            where=str(path),
            remedy="repair the entry",
        ) from error
