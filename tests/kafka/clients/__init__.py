"""Clients that nobody here wrote, and where their libraries come from: modules of npm and of Go, fetched once."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "weir-tests"
FETCH_WITHIN_S = 240
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


@cache
def _fetched(folder: Path, command: tuple[str, ...], done: str) -> str:
    """Why what the command fetches into the folder cannot be had; "" when it is there."""
    if (folder / done).exists():
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_WITHIN_S)
    except (subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return f"{' '.join(command[:2])}: {str(said).strip()[-300:]}"
    return ""


def node_modules() -> Path:
    """A folder with kafkajs and what goes with it; skips the test, with the reason, where that cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node with npm")
    folder = CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", folder)
    if why := _fetched(
        folder,
        ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"),
        "node_modules/kafkajs-snappy/package.json",
    ):
        pytest.skip(why)
    return folder


@cache
def _built(name: str) -> tuple[Path, str]:
    program = CACHE / "go" / name
    sources = CACHE / "go-src" / name
    if GO is None:
        return program, "no go"
    shutil.copytree(HERE / name, sources, dirs_exist_ok=True)
    command = (GO, "build", "-mod=mod", "-o", str(program), ".")
    return program, _fetched(sources, command, "never")


def go_program(name: str) -> Path:
    """The program of the folder `name`, built; skips the test, with the reason, where Go or its modules are missing."""
    program, why = _built(name)
    if why:
        pytest.skip(why)
    return program
