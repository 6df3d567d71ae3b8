"""Toolchains in an environment of their own, and the models that they exported there.

Both are made when a test first asks, under .weir/toolchains/, once for each content of the lock and the exporting code.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from weir.settings import ROOT

HERE = Path(__file__).parent
LOCK, EXPORT, PYTORCH = HERE / "requirements.lock", HERE / "export", HERE / "pytorch"
HOME = ROOT / ".weir" / "toolchains"
MODULES = ("scikit", "boosted")
WITHIN_S = 600.0
SAID_CHARS = 400


class Unavailable(Exception):
    """Why the toolchains cannot be had here."""


@cache
def exported() -> Path:
    """A folder with a folder for each case; see export/cases.py. Raises Unavailable."""
    code = [path for path in sorted(EXPORT.glob("*.py")) if path.stem != "pytorch"]
    content = b"".join(path.read_bytes() for path in (LOCK, *code)) + sys.version.encode()
    cases = HOME / "cases" / hashlib.sha256(content).hexdigest()[:16]
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several runs of the tests one makes it
        if not cases.exists():
            _export(_environment(), cases)
    return cases


def _environment() -> Path:
    """Its Python."""
    home = HOME / "environment"
    ready, wanted = home / ".ready", hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    python = home / "bin" / "python"
    if not ready.exists() or ready.read_text() != wanted:
        uv = Path(sys.prefix) / "bin" / "uv"
        shutil.rmtree(home, ignore_errors=True)
        _run([uv, "venv", "-q", "-p", sys.executable, home])
        _run([uv, "pip", "install", "-q", "--python", python, "--require-hashes", "--no-deps", "-r", LOCK])
        ready.write_text(wanted)
    return python


def _export(python: Path, into: Path) -> None:
    shutil.rmtree(into.parent, ignore_errors=True)  # those of other versions too
    draft = into.parent / "draft"
    _run([python, "-W", "ignore", EXPORT, draft, *MODULES])
    draft.rename(into)


def _run(command: list[object]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Unavailable(" ".join(done.stderr.split())[-SAID_CHARS:])
