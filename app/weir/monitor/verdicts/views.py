"""Feature views: whether what the model reads is there, and fresh."""

from __future__ import annotations

from collections.abc import Sequence

from weir.core import numbers
from weir.monitor import words
from weir.monitor.held import stands
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict


def say(rows: Sequence[Row], scene: Scene) -> Verdict:
    """How many views are late or lack values, since when, and the worst."""
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    late = [one for one in held if one.since is not None]
    if not late:
        worst = held[0].newest
        head = f"{words.all_of(len(held), 'view')} {words.be(len(held))} fresh"
        part = numbers.share(worst.value)
        return Verdict(State.OK, f"{head}. Most that was too old or missing: {part}, of {worst.subject}.")
    first, begun = late[0], min(one.away for one in late if one.away)
    assert first.bound
    part, allowed = numbers.share(first.newest.value), words.bound(first.bound, scene)
    head = f"{len(late)} of {words.many(len(held), 'view')} {words.be(len(late))} not fresh since {words.at(begun)}"
    return Verdict(
        first.state, f"{head}: of {first.newest.subject} {part} was too old or missing, {allowed} is allowed."
    )
