"""Bundles by service in a file under home: what earlier commands chose, for later ones."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping

from weir.core.errors import Refused
from weir.settings import Settings


def read(settings: Settings, file: str, written_by: str) -> dict[str, str]:
    """The path of a bundle by service. Raises Refused for a file that says something else than `written_by` wrote."""
    path = settings.paths.home / file
    try:
        return {str(service): str(at) for service, at in json.loads(path.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise Refused(f"it is not what {written_by} wrote there", where=str(path), remedy="delete it") from error


def change(settings: Settings, file: str, written_by: str, to: Callable[[dict[str, str]], Mapping[str, str]]) -> None:
    """Write what `to` makes of what is kept, whole or not at all: one process at a time. Raises Refused, OSError."""
    path = settings.paths.home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        kept = to(read(settings, file, written_by))
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(dict(kept), indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
