"""Where an alert most likely comes from, as `weir diagnose` ranks it."""

from __future__ import annotations

import shlex
from typing import Any, Final

from weir.core.errors import Refused
from weir.core.numbers import share
from weir.monitor.diagnosis import Cause, Diagnosis
from weir.monitor.verdict import State, Verdict
from weir.operations import diagnose
from weir.web.console.asking import Asker
from weir.web.console.panel import Panel
from weir.web.console.panels.alert import of
from weir.web.console.view import View

QUESTION: Final = "Where does it come from?"
KEPT_S: Final = 60.0  # it is several questions, and its window does not change any more


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    one = of(asker, view)
    found: Diagnosis | None = None
    refused, commands = "", list[tuple[Cause, str]]()
    about = asker.once(("about", one.id), KEPT_S, lambda: asker.ask(lambda c: diagnose.alert(c, one.id)))
    try:
        change = diagnose.change_of(about)
        found = asker.once(
            ("causes", change), KEPT_S, lambda: asker.ask(lambda client: diagnose.explain(client, change))
        )
        commands = [(cause, _command(cause, change.parameters())) for cause in found.causes]
    except Refused as error:
        refused = error.what
    return Panel(
        name="causes",
        question=QUESTION,
        verdict=verdict(found, refused),
        template="causes.html",
        context={
            "causes": commands,
            "command": shlex.join(["weir", "diagnose", one.id]),
        },
        monitor="diagnose/values",
        note="Compared with the time before it, 24 times as long.",
    )


def verdict(found: Diagnosis | None, refused: str) -> Verdict:
    """What explains most of the change."""
    if found is None:
        return Verdict(State.UNKNOWN, f"Nothing can be compared: {refused}.")
    if not found.causes:
        moved = "What has moved has no cause that can be seen." if found.change else "Nothing has moved beyond chance."
        return Verdict(State.UNKNOWN, moved)
    first = found.causes[0]
    tie = ", as much as others do" if first.tied else ""
    return Verdict(State.LOOK, f"{_of(first)} explains {share(first.share)} of the change{tie}: {first.sentence}.")


def _of(cause: Cause) -> str:
    return f"{cause.name[0].upper()}{cause.name[1:]}{f' of {cause.subject}' if cause.subject else ''}"


def _command(cause: Cause, change: dict[str, Any]) -> str:
    given = {**change, **cause.parameters}
    options = [word for name, value in given.items() for word in ("--param", f"{name}={value}")]
    return shlex.join(["weir", "query", cause.query, *options])
