"""`weir settings`: what this command line would run with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from weir import project
from weir.cli.output import AsJson, Column, Wide, say, show
from weir.settings import GROUPS, Settings, load, sources, variable_of

HIDDEN = "(hidden)"
_SIGN_IN = re.compile(r"(?<=://)[^/@]*@")  # of a URL

COLUMNS = (
    Column("variable", "variable", name=True),
    Column("value", "value"),
    Column("from", "source"),
    Column("what it means", "what", wide=True),
)


def settings(wide: Wide = False, as_json: AsJson = False) -> None:
    """Show every setting with its value and where the value comes from; secrets are hidden."""
    show(rows(load()), COLUMNS, as_json=as_json, wide=wide)
    if not as_json:
        folder = project.found()
        say(f"project: {folder}" if folder else f"no project: no {project.FILE} here or in a folder above")


def rows(found: Settings) -> list[dict[str, Any]]:
    """A row for each setting: variable, value without secrets, source ("default", "environment", a file), what."""
    origins = sources(found)
    return [
        {
            "variable": variable_of(field),
            "value": shown(getattr(getattr(found, group), field)),
            "source": origins[field],
            "what": info.description,
        }
        for group, kind in GROUPS.items()
        for field, info in kind.model_fields.items()
    ]


def shown(value: Any) -> Any:
    """A value as it may be seen: no secret, and no password in a URL.

    >>> shown("redis://:guess@store:6379/0")
    'redis://(hidden)@store:6379/0'
    """
    match value:
        case SecretStr():
            return HIDDEN if value.get_secret_value() else ""
        case Path():
            return str(value)
        case str():
            return _SIGN_IN.sub(f"{HIDDEN}@", value)
    return value
