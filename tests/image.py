"""Images without a container engine: what a Dockerfile copies, put into a folder that stands for the image's root."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tests.waiting import COMMAND_S


@dataclass(frozen=True)
class Image:
    """root: stands for / of the image. python: of its environment. folder: its working directory, under root.

    variables: WEIR_ ones that the Dockerfile sets.
    """

    root: Path
    python: Path
    variables: dict[str, str]
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-P", "-m", "weir", *arguments]

    def process(self, **variables: str) -> dict[str, Any]:
        """Where and under what a process of this image runs; variables: given to the container."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("WEIR_", "PYTHON"))}
        return {"cwd": self.folder, "env": outside | self.variables | variables, "text": True}

    def run(self, *arguments: str, **variables: str) -> str:
        done = subprocess.run(
            self.command(*arguments), **self.process(**variables), capture_output=True, timeout=COMMAND_S, check=False
        )
        assert done.returncode == 0, f"weir {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


def stages(dockerfile: Path) -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage, that of its FROM first; continued lines are one."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.M).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "last"
        if name:
            found.setdefault(name, []).append((word, rest))
    return found


def image(steps: list[tuple[str, str, Path]], root: Path, python: Path) -> Image:
    """What instructions make of an empty root. steps: word, rest, and the folder that is the build's context."""
    variables, folder = {}, root
    for word, rest, context in steps:
        if word == "ENV":
            pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
            variables |= {name: str(root) + value for name, value in pairs.items() if name.startswith("WEIR_")}
        elif word == "WORKDIR":
            folder = root / rest.lstrip("/")
            folder.mkdir(parents=True)
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, to = rest.split()
            for source in sources:
                _copy(context, PurePosixPath(source), root / to.lstrip("/"))
    return Image(root, python, variables, folder)


def _copy(context: Path, source: PurePosixPath, to: Path) -> None:
    """As COPY does: of a folder its content, less what .dockerignore keeps out of the context."""
    for path in sent(context):
        if path.is_relative_to(source):
            into = to / path.relative_to(source)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(context / path, into)


def sent(context: Path) -> Iterator[PurePosixPath]:
    """The files that a build is sent, relative to its context: the last line of .dockerignore that fits one decides."""
    lines = [line for line in (context / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    for path in sorted(context.rglob("*")):
        of = PurePosixPath(path.relative_to(context).as_posix())
        fitting = [line for line in lines if _fits(of, line.lstrip("!"))]
        if path.is_file() and (not fitting or fitting[-1].startswith("!")):
            yield of


def _fits(path: PurePosixPath, pattern: str) -> bool:
    """Whether a pattern fits the path or a folder that it is in."""
    parts = PurePosixPath(pattern.removeprefix("**/")).parts
    starts = range(len(path.parts)) if pattern.startswith("**/") else (0,)
    return any(
        len(path.parts) >= start + len(parts)
        and all(fnmatch.fnmatchcase(*pair) for pair in zip(path.parts[start:], parts, strict=False))
        for start in starts
    )
