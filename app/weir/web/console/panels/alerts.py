"""What needs somebody, and what did: alerts by state, those of one cause together, each with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from weir.monitor.verdict import State, Verdict
from weir.web.console import words
from weir.web.console.about import About, Evidence, alerts, measured, tried
from weir.web.console.asking import Asker
from weir.web.console.panel import Panel
from weir.web.console.told import behind
from weir.web.console.view import View

QUESTION: Final = "What needs you, and what did?"
GROUPS: Final = (("firing", "Firing"), ("pending", "Pending"), ("resolved", "Resolved"))
MOST: Final = 40  # of a state; the others are in `weir alerts list --all`
MOST_ASKED: Final = 24  # whose evidence is asked again
WINDOWS: Final = 48  # of a line without axes


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found = [one for one in alerts(asker, view.service) if view.state in ("", one.state)]
    groups = [(name, together([one for one in found if one.state == state])) for state, name in GROUPS]
    shown = [one for _, group in groups for one in group[:MOST]]
    return Panel(
        name="alerts",
        question=QUESTION,
        verdict=verdict(found),
        template="alerts.html",
        context={
            "groups": [(name, group[:MOST], len(group)) for name, group in groups if group],
            "lines": lines(asker, shown[:MOST_ASKED], view),
            "values": {one.id: measured(asker, one) for one in shown},
            "now": view.now,
            "slim": False,
        },
        monitor="alerts/list",
        note="Each line is asked again from its monitor now. Shaded: while the alert was; dashed: its limit."
        if shown
        else "",
    )


def verdict(found: Sequence[About]) -> Verdict:
    """How many fire, of how many causes."""
    firing = [one for one in found if one.state == "firing"]
    pending = sum(one.state == "pending" for one in found)
    if not firing:
        waits = f" {pending} {'is' if pending == 1 else 'are'} pending." if pending else ""
        return Verdict(State.LOOK if pending else State.OK, f"Nothing fires.{waits}")
    of = len(causes(firing))
    few = f"{len(firing)} {'alert fires' if len(firing) == 1 else 'alerts fire'}"
    return Verdict(State.ALARM, f"{few}, of {of} {'cause' if of == 1 else 'causes'}.")


def lines(asker: Asker, found: Sequence[About], view: View) -> dict[str, str]:
    """A sparkline for each alert, by id; without axes. Raises Unavailable."""
    asked = asker.all(*(partial(tried, asker, one, view.now, WINDOWS) for one in found))
    late = behind(asker, view) if found else {}
    return {one.id: line(one, each, late.get(one.service)) for one, each in zip(found, asked, strict=True)}


def line(one: About, found: Evidence | None, complete_to: datetime | None = None) -> str:
    """One of them; empty where nothing is known. complete_to: of its service, where something is late."""
    if found is None:
        return words.spark(())
    held = None
    if complete_to is not None and complete_to < found.end:
        held = max(0.0, (complete_to - found.begin) / (found.end - found.begin))
    bound, zero = found.bound, found.monitor.unit.value not in ("auc",)
    return words.spark(
        found.values,
        rule=bound.bound if bound else None,
        low=0.0 if zero else None,
        window=found.part(one),
        tone="alarm" if one.state == "firing" else "quiet",
        held=held,
    )


def causes(found: Sequence[About]) -> list[list[About]]:
    """Those of one service and cause, at the place of the first of them; one without a cause is alone."""
    groups: dict[tuple[str, str], list[About]] = {}
    for one in found:
        groups.setdefault((one.service, one.cause or one.id), []).append(one)
    return list(groups.values())


def together(found: Sequence[About]) -> list[About]:
    """Those of one cause beside each other."""
    return [one for group in causes(found) for one in group]
