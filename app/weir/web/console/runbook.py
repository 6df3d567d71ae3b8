"""The run-book's entries, with an alert's own names in their commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from weir.settings import ROOT
from weir.web.console.about import About
from weir.web.console.view import View

FOLDER: Final = ROOT / "infra" / "runbook"
STEP: Final = re.compile(r"^\d+\. (.*)$", re.MULTILINE)
COMMAND: Final = re.compile(r"`(weir [^`]+)`")
NAME: Final = re.compile(r"[a-z-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """What to do. steps: what, and the command for it; "" where it has none. after: what is said below them."""

    name: str
    title: str
    steps: tuple[tuple[str, str], ...]
    after: str


def entry(one: About, view: View) -> Entry | None:
    """Of an alert; None where it has none, or it is not on this machine: it stands in the source tree."""
    path = FOLDER / f"{one.runbook}.md"
    if not NAME.fullmatch(one.runbook) or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    names = {
        "ALERT": one.id,
        "SERVICE": one.service,
        "BEGIN": f"{one.since:%Y-%m-%dT%H:%M}",
        "END": f"{one.until or view.now:%Y-%m-%dT%H:%M}",
    }
    steps = tuple(_step(line, names) for line in STEP.findall(text))
    after = " ".join(STEP.sub("", text.partition("\n")[2]).split())
    return Entry(one.runbook, text.partition("\n")[0].removeprefix("# "), steps, after.replace("`", ""))


def _step(line: str, names: dict[str, str]) -> tuple[str, str]:
    found = COMMAND.search(line)
    if not found:
        return line.replace("`", ""), ""
    command = found[1]
    for name, value in names.items():
        command = re.sub(rf"\b{name}\b", lambda _, said=value: shlex.quote(said), command)
    return line[: found.start()].rstrip(" :").replace("`", ""), command
