"""The run-book's entries, with an alert's own names in their commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from weir.operations import run_book
from weir.settings import Settings
from weir.web.console.about import About
from weir.web.console.view import View

STEP: Final = re.compile(r"^\d+\. (.*)$", re.MULTILINE)
COMMAND: Final = re.compile(r"`(weir [^`]+)`")


@dataclass(frozen=True, slots=True)
class Entry:
    """What to do. steps: what, and the command for it; "" where it has none. after: what is said below them."""

    name: str
    title: str
    steps: tuple[tuple[str, str], ...]
    after: str


def entry(settings: Settings, one: About, view: View) -> Entry | None:
    """Of an alert; None where it has none, or it is on another machine: in the project of whoever wrote the monitor."""
    path = run_book.place(settings, one.runbook)
    if path is None:
        return None
    text = path.read_text(encoding="utf-8")
    names = {
        "ALERT": one.id,
        "SERVICE": one.service,
        "SUBJECT": one.subject,
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
