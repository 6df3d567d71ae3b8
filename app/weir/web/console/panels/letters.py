"""What was turned away, and why: by service and reason; of one of them the newest letters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from weir.core.numbers import whole
from weir.monitor.verdict import State, Verdict
from weir.web.console.asking import Asker
from weir.web.console.panel import Act, Panel
from weir.web.console.view import View

QUESTION: Final = "What was turned away, and why?"
MOST: Final = 100  # letters of one reason


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    asked = {"service": view.service, "from": view.begin, "to": view.end, "step": view.step_s}
    groups = asker.sql("dead_letters/groups", **asked)
    chosen = [row for row in groups if view.reason in ("", row["reason"])]
    return Panel(
        name="letters",
        question=QUESTION,
        verdict=verdict(chosen),
        template="letters.html",
        context={
            "groups": [{**row, "counts": _counts(row["windows"], view)} for row in chosen],
            "letters": newest(asker, view) if view.service and view.reason else (),
            "most": MOST,
            "quote": _quoted,
        },
        monitor="dead_letters/newest" if view.service and view.reason else "dead_letters/groups",
        acts=(Act("All reasons", f"/dead-letters{view.kept()}"),) if view.reason or view.service else (),
    )


def verdict(groups: list[dict[str, Any]]) -> Verdict:
    """How many, of how many reasons, and how many of them have been sent again."""
    letters = sum(row["letters"] for row in groups)
    if not letters:
        return Verdict(State.OK, "Nothing: every record of this window could be scored.")
    left = letters - sum(row["redriven"] for row in groups)
    most = groups[0]
    kept = "each kept as it was read" if letters > 1 else "kept as it was read"
    some = "record" if letters == 1 else "records"
    open_ = f" {whole(left)} not sent again." if left else " All were sent again or given up."
    return Verdict(
        State.LOOK if left else State.OK,
        f"{whole(letters)} {some}, {kept}; most for {most['reason']}, of {most['service'] or 'the recorder'}.{open_}",
    )


def newest(asker: Asker, view: View) -> list[dict[str, Any]]:
    """Letters of the view's service and reason, the newest first. Raises Unavailable, Refused."""
    asked = {"service": view.service, "reason": view.reason, "from": view.begin, "to": view.end, "limit": MOST}
    return asker.sql("dead_letters/newest", **asked)


def _counts(windows: Any, view: View) -> list[float]:
    by = {int(_seconds(at)): float(count) for at, count in dict(windows).items()}
    return [by.get(at, 0.0) for at in view.times]


def _seconds(at: datetime | float) -> float:
    return at.replace(tzinfo=UTC).timestamp() if isinstance(at, datetime) else at


def _quoted(letter: str) -> str:
    """A letter's id as part of an address."""
    return quote(letter, safe="")
