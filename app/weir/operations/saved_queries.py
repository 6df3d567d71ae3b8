"""Queries that a project keeps, a file each in its folder queries/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from weir.core.errors import Refused
from weir.settings import Settings

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(/[a-z0-9][a-z0-9_-]{0,63})?")
LONGEST: Final = 16_384  # characters of a statement
CAN: Final = "small letters, digits, _ and -, and at most one / for a folder"


def names(settings: Settings) -> list[str]:
    """All of them, sorted; a file whose name could not be given here is not among them."""
    folder = settings.paths.queries_dir
    found = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.sql"))
    return sorted(name for name in found if NAME.fullmatch(name))


def text(settings: Settings, name: str) -> str:
    """What one says. Raises Refused where there is none of this name."""
    path = _path(settings, name)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        known = ", ".join(names(settings)) or "none yet"
        raise Refused(f"there is no saved query {name}", remedy=f"there are {known}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"this saved query cannot be read: {error}", where=str(path), remedy="write it anew") from error


def save(settings: Settings, name: str, sql: str) -> Path:
    """Keep a statement under a name; its file. Raises Refused for a name that cannot be or is taken."""
    path, said = _path(settings, name), sql.replace("\r\n", "\n").strip()
    if not said or len(said) > LONGEST:
        raise Refused(
            "there is no statement to keep" if not said else "the statement is too long to keep", remedy="write one"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{said}\n")
    except FileExistsError as error:
        remedy = f"give another name, or change {path} itself"
        raise Refused(f"there is a saved query {name}", where=str(path), remedy=remedy) from error
    except OSError as error:
        raise Refused(
            f"the query cannot be saved: {error.strerror}", where=str(path), remedy="make room there"
        ) from error
    return path


def _path(settings: Settings, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise Refused(f"{name!r} cannot name a query", remedy=f"write {CAN}")
    return settings.paths.queries_dir / f"{name}.sql"
