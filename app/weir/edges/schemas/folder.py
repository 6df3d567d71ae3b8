"""Topics, consumer groups and record schemas: those that every project has, and those that a project adds.

The package carries its own (GENERIC). A project's folder (WEIR_SCHEMAS_DIR) has the same layout, topics.yaml and
<record>/v<n>.avsc, and adds to them; it may be missing. What it means to replace it names under `replaces:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weir.core.errors import Refused
from weir.core.topics import SERVICE as PART
from weir.core.topics import subject_of

GENERIC: Final = Path(__file__).resolve().parents[2] / "schemas"
DEPLOYMENT, SERVICE, DATABASE = "{deployment}", "{service}", "{database}"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # Kafka's rule
_VERSION = re.compile(r"v([1-9]\d*)\.avsc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One declared topic.

    record: the folder of its schemas. retention_hours: -1 keeps records for ever. writers, readers: roles.
    follows_requests: it has at least as many partitions as any topic of requests.
    compacted: of each key the newest record is kept.
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
    follows_requests: bool = False
    compacted: bool = False
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
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }


class _Entry(BaseModel):
    """A topic as topics.yaml has it."""

    model_config = ConfigDict(extra="forbid")

    name: str
    record: str
    partitions: Annotated[int, Field(ge=1)]
    retention_hours: Annotated[int, Field(ge=-1)]
    max_message_bytes: Annotated[int, Field(ge=1)]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    doc: str
    follows_requests: bool = False
    compacted: bool = False


class _Declared(BaseModel):
    """A topics.yaml. replaces: names of the package's topics, roles and records that this project has its own of."""

    model_config = ConfigDict(extra="forbid")

    groups: dict[str, str] = {}
    topics: tuple[_Entry, ...] = ()
    replaces: tuple[str, ...] = ()


def topics(project: Path, services: Iterable[str], deployment: str) -> tuple[Topic, ...]:
    """A deployment's topics, the package's and the project's: those of requests once per service.

    Raises Refused when an entry is not a topic, or is one of the package's and not named under `replaces:`.
    """
    own = _read(project / "topics.yaml")
    mine, allowed = _named(own.topics, deployment), [_filled(name, deployment) for name in own.replaces]
    entries = _named(_generic().topics, deployment)
    _check_replaced(allowed, [name for name in mine if name in entries], project)
    entries |= mine
    wanted = tuple(services)
    return tuple(
        _topic(entry, service, project / "topics.yaml")
        for entry in entries.values()
        for service in (wanted if SERVICE in entry.name else ("",))
    )


def groups(project: Path, deployment: str, database: str) -> dict[str, str]:
    """Consumer group by role; `{service}` stands for each service, a star at the end for whatever follows.

    Raises Refused like `topics`.
    """
    own, known = _read(project / "topics.yaml"), _generic().groups
    _check_replaced(own.replaces, [role for role in own.groups if role in known], project)
    declared = known | own.groups
    return {role: _filled(name, deployment).replace(DATABASE, database) for role, name in declared.items()}


def versions(project: Path, record: str) -> tuple[str, ...]:
    """Schema texts of a record, oldest first: v1.avsc, v2.avsc, without a hole.

    Raises Refused when there are none, one is missing or a file cannot be read.
    """
    return _versions(folder_of(project, record), record)


def generic(record: str) -> str:
    """Schema text of the newest version of a record that the package carries."""
    return _versions(GENERIC / record, record)[-1]


def folder_of(project: Path, record: str) -> Path:
    """Where the versions of a record are. Raises Refused when the project redefines one without saying so."""
    generic, own = GENERIC / record, project / record
    if own.is_dir() and generic.is_dir():
        _check_replaced(_read(project / "topics.yaml").replaces, [record], project)
        return own
    return generic if generic.is_dir() else own


def services(project: Path) -> tuple[str, ...]:
    """Scoring services that have a request contract here: the folders requests.<service>."""
    return tuple(sorted(path.name.removeprefix("requests.") for path in project.glob("requests.*") if path.is_dir()))


def _versions(where: Path, record: str) -> tuple[str, ...]:
    numbered = {int(match[1]): path for path in where.glob("v*.avsc") if (match := _VERSION.fullmatch(path.name))}
    if sorted(numbered) != list(range(1, len(numbered) + 1)) or not numbered:
        what = f"has versions {', '.join(map(str, sorted(numbered)))}" if numbered else "has no version"
        write = ", or write one by `weir bundle contract BUNDLE --write`" if record.startswith("requests.") else ""
        remedy = f"number them v1.avsc, v2.avsc, ...{write}"
        raise Refused(f"record {record} {what}", where=str(where), remedy=remedy)
    return tuple(numbered[number].read_text(encoding="utf-8") for number in sorted(numbered))


def _named(entries: Iterable[_Entry], deployment: str) -> dict[str, _Entry]:
    named = (entry.model_copy(update={"name": _filled(entry.name, deployment)}) for entry in entries)
    return {entry.name: entry for entry in named}


def _filled(name: str, deployment: str) -> str:
    return name.replace(DEPLOYMENT, deployment)


def _check_replaced(allowed: Iterable[str], redefined: Iterable[str], project: Path) -> None:
    """Raises Refused naming what the project redefines and does not name under `replaces:`."""
    silent = sorted(set(redefined) - set(allowed))
    if silent:
        names = ", ".join(silent)
        raise Refused(
            f"{names}: every project has this from the package already",
            where=str(project),
            remedy=f"remove it there; or, if it is meant to differ, write `replaces: [{names}]` in topics.yaml",
        )


def _generic() -> _Declared:
    return _read(GENERIC / "topics.yaml")


def _read(path: Path) -> _Declared:
    """One file; nothing when it does not exist. Raises Refused naming each entry that cannot be."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _Declared()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"the list of topics cannot be read: {error}", where=str(path), remedy="let this user read it"
        ) from error
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise Refused(f"the list of topics is no YAML: {said}", where=str(path), remedy="mend its syntax") from error
    if not isinstance(found, dict):
        raise Refused(
            "there is no list of topics", where=str(path), remedy="write `topics:` and below it a list of entries"
        )
    try:
        return _Declared.model_validate(found)
    except ValidationError as error:
        said = "; ".join(f"{_place(fault['loc'], found)}: {fault['msg']}" for fault in error.errors(include_url=False))
        raise Refused(
            said, where=str(path), remedy=f"write its entries as those of {GENERIC / 'topics.yaml'}"
        ) from error


def _place(place: tuple[int | str, ...], found: Mapping[str, Any]) -> str:
    """Where in the file a fault is: "topic weir.x, partitions"."""
    match place:
        case ("topics", int(number), *inner):
            entry = found["topics"][number]
            name = entry.get("name", f"number {number + 1}") if isinstance(entry, dict) else entry
            return ", ".join((f"topic {name}", *map(str, inner)))
        case _:
            return ", ".join(map(str, place))


def _topic(entry: _Entry, service: str, path: Path) -> Topic:
    if service and not re.fullmatch(PART, service):
        raise Refused(
            f"requests.{service}: no name of a service",
            where=str(path.parent),
            remedy="take letters, digits, - and _, no digit first",
        )
    name = entry.name.replace(SERVICE, service)
    if not _NAME.fullmatch(name):
        raise Refused(
            f"topic {name}: no name for a topic",
            where=str(path),
            remedy="take up to 249 letters, digits, dots, dashes and underscores",
        )
    return Topic(
        **entry.model_dump() | {"name": name, "record": entry.record.replace(SERVICE, service)}, service=service
    )
