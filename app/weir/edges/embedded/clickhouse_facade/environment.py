"""The process's environment, emptied: whoever gets the engine to read it finds nothing there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from weir.edges.embedded.clickhouse_facade.users import PASSWORD_VARIABLE, READER_PASSWORD_VARIABLE

OPTION = "--secrets-fd"
_KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV")
_KEPT_PREFIXES = ("LC_", "PYTHON", "LD_LIBRARY_", "DYLD_")


def shed(environment: Mapping[str, str]) -> None:
    """Start this program again, as the same process, with what it needs to run and nothing else.

    Taking a variable away is not enough: the system goes on showing the environment that a process began with. The
    passwords travel through a pipe. Does not return.
    """
    reading, writing = os.pipe()
    secrets = {name: environment.get(name, "") for name in (PASSWORD_VARIABLE, READER_PASSWORD_VARIABLE)}
    with os.fdopen(writing, "w") as pipe:
        json.dump(secrets, pipe)  # a few hundred bytes: a pipe holds them
    os.set_inheritable(reading, True)
    kept = {name: value for name, value in environment.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:], OPTION, str(reading)], kept)


def secrets(descriptor: int) -> dict[str, str]:
    """What `shed` put into the pipe, which is closed then."""
    with os.fdopen(descriptor) as pipe:
        return {str(name): str(value) for name, value in json.load(pipe).items()}
