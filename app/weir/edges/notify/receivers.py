"""Receivers of alerts, as the file WEIR_NOTIFY_FILE names them: who is told what, where, with which secret.

    receivers:
      - name: payments-pager
        kind: pagerduty              # log, webhook, alertmanager, slack or pagerduty
        owners: [payments]           # of alerts; * for any characters; by default every owner
        severities: [page]           # by default page and ticket
        key_from: env:PAGERDUTY_KEY  # routing key; of a webhook the bearer token
      - name: channel
        kind: slack
        url_from: file:/run/secrets/slack_url   # an address that is itself a secret

A secret stands in no such file: `env:NAME` or `file:PATH` says where it is. Nobody is spoken to but who stands here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weir.core.errors import Refused
from weir.monitor.alert import Severity

PAGERDUTY: Final = "https://events.pagerduty.com/v2/enqueue"


class Kind(StrEnum):
    """How a receiver is spoken to."""

    LOG = "log"
    WEBHOOK = "webhook"
    ALERTMANAGER = "alertmanager"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One of them. url, key: secrets, not in its text; empty where the kind needs none. owners: patterns."""

    name: str
    kind: Kind
    url: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    owners: tuple[str, ...] = ("*",)
    severities: tuple[Severity, ...] = tuple(Severity)

    def hears(self, owner: str, severity: Severity) -> bool:
        """Whether it is told of an alert."""
        return severity in self.severities and any(fnmatchcase(owner, pattern) for pattern in self.owners)


LOG: Final = Receiver(name="log", kind=Kind.LOG)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    kind: Kind
    url: str = ""
    url_from: str = ""
    key_from: str = ""
    owners: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = tuple(Severity)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    receivers: tuple[_Entry, ...]


def read(path: Path, environment: Mapping[str, str] = os.environ) -> tuple[Receiver, ...]:
    """The receivers of a file; where there is no such file, the log alone. Raises Refused naming what is wrong."""
    if not path.exists():
        return (LOG,)
    try:
        said = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        what = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, what["loc"]))
        raise Refused(
            f"receivers cannot be read: {f'{where}: ' if where else ''}{what['msg']}",
            where=str(path),
            remedy="write receivers: a list of name, kind, and url or url_from",
        ) from error
    names = [entry.name for entry in said.receivers]
    if doubled := next((name for name in names if names.count(name) > 1), ""):
        raise Refused(f"there are two receivers {doubled}", where=str(path), remedy="give each a name of its own")
    return tuple(_receiver(entry, str(path), environment) for entry in said.receivers)


def _receiver(entry: _Entry, where: str, environment: Mapping[str, str]) -> Receiver:
    url = entry.url or (_secret(entry.url_from, where, environment) if entry.url_from else "")
    if not url and entry.kind is Kind.PAGERDUTY:
        url = PAGERDUTY
    key = _secret(entry.key_from, where, environment) if entry.key_from else ""
    if entry.kind is not Kind.LOG:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            what = f"receiver {entry.name} has no address that alerts can be sent to"
            raise Refused(
                what, where=where, remedy="give url or url_from an http:// or https:// address without a user"
            )
    if entry.kind is Kind.PAGERDUTY and not key:
        what = f"receiver {entry.name} has no routing key"
        raise Refused(what, where=where, remedy="say where it is: key_from: env:NAME or file:PATH")
    return Receiver(
        name=entry.name,
        kind=entry.kind,
        url=url,
        key=key,
        owners=entry.owners,
        severities=entry.severities,
    )


def _secret(source: str, where: str, environment: Mapping[str, str]) -> str:
    kind, _, place = source.partition(":")
    try:
        if kind == "env":
            found = environment[place]
        elif kind == "file":
            found = Path(place).read_text(encoding="utf-8")
        else:
            raise Refused(f"{kind} is no place of a secret", where=where, remedy="write env:NAME or file:PATH")
    except (KeyError, OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"there is no secret at {source}", where=where, remedy="put it there, or name another place"
        ) from error
    if not found.strip():
        raise Refused(f"the secret at {source} is empty", where=where, remedy="put it there, or name another place")
    return found.strip()
