"""What learners call for: drift of a champion, its retraining, a promotion; and which promotions were taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from weir.monitor.verdict import State as Health
from weir.monitor.verdict import Verdict
from weir.web.console import learned
from weir.web.console.asking import Asker
from weir.web.console.happened import Event
from weir.web.console.panel import Panel
from weir.web.console.view import View

QUESTION: Final = "What do learners call for?"
MOST: Final = 30  # lines


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    service, name = "", view.learner
    if name:
        found = learned.look(asker)
        state, file = found.states.get(name), found.files.get(name)
        service = state.service if state else file.service if file else ""
    rows = learned.calls(asker, service, name)
    events = [
        Event(
            _utc(row["proposed"]),
            learned.KINDS.get(row["kind"], ""),
            f"{learned.CALLED.get(row['kind'], row['kind'])}, {row['of_service']}",
            learned.sentence(row["sentence"]),
            row["proposed_by"].removeprefix(learned.BY),
        )
        for row in rows[:MOST]
    ]
    return Panel(
        name="calls",
        question=QUESTION,
        verdict=verdict([row["kind"] for row in rows]),
        template="calls.html",
        context={"events": events, "more": len(rows) - len(events)},
        note="A call changes nothing by itself: a person takes it, or a promotion the rule of a file that says "
        "promotion: automatic. That is said here, too.",
        monitor="learners/calls",
        asked={"service": service},
    )


def verdict(kinds: list[str]) -> Verdict:
    """What there is, the newest first."""
    if not kinds:
        return Verdict(Health.OK, "Nothing. No drift, no retraining and no promotion is recorded.")
    counts = {word: sum(kind == each for kind in kinds) for each, word in learned.CALLED.items()}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    lasts = kinds[0] in ("drift", "incident", "retrain", "promote-back")
    return Verdict(Health.LOOK if lasts else Health.OK, f"{said}.")


def _utc(at: datetime | int) -> datetime:
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int) else at.astimezone(UTC)
