"""Where a `weir up` on this machine listens, for commands that nobody has told.

It writes that under its home when it is up. A file that a killed one has left behind is told by the lock of that home,
which the system takes back from a process that ends in any way.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FILE: Final = "running.json"
LOCK: Final = "embedded.lock"  # of a home; holds the process that has locked it
ADDRESSES: Final = ("brokers", "registry_url", "clickhouse_url")
FIELDS: Final = (*ADDRESSES, "deployment", "clickhouse_database")  # what is written; no secret is among it


def write(home: Path, settings: Mapping[str, Any]) -> None:
    """Say where this process's stack listens. settings: by field name; only FIELDS are taken."""
    said = {field: str(settings[field]) for field in FIELDS}
    draft = home / f".{FILE}"
    draft.write_text(json.dumps({"process": os.getpid(), "settings": said}, indent=1) + "\n", encoding="utf-8")
    draft.replace(home / FILE)


def remove(home: Path) -> None:
    """Say nothing any more."""
    (home / FILE).unlink(missing_ok=True)


def read(home: Path) -> dict[str, str]:
    """FIELDS of the stack that runs in this home; nothing where none does."""
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
        said = {field: str(found["settings"][field]) for field in FIELDS}
        runs = _holder(home / LOCK) == found["process"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return said if runs else {}


def _holder(lock: Path) -> int:
    """The process that has locked a home. Raises OSError, ValueError where none has."""
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        process = int(os.read(descriptor, 32))
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return process
    finally:
        os.close(descriptor)
    raise ValueError("nobody has locked it")
