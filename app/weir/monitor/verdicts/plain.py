"""Any monitor: its newest figure held to the bounds of its header. For a team's own files, and where no family fits."""

from __future__ import annotations

from collections.abc import Sequence

from weir.monitor import words
from weir.monitor.held import Held, stands
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict


def say(rows: Sequence[Row], scene: Scene) -> Verdict:
    """How many subjects are beyond a bound in their newest window, since when, and the furthest."""
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    if scene.monitor.warn is None and scene.monitor.page is None:
        return Verdict(State.UNKNOWN, _unbounded(held, scene))
    over = [one for one in held if one.state in (State.ALARM, State.LOOK)]
    if not over:
        return Verdict(State.OK, _within(held, scene))
    first = over[0]
    assert first.bound
    assert first.since
    bound = words.bound(first.bound, scene)
    beyond, value = words.beyond(first.bound), words.figure(first.newest.value, scene)
    begun = min(one.since for one in over if one.since)
    if len(held) == 1:
        sentence = f"{value}, {beyond} the bound of {bound} since {words.at(begun)}."
    else:
        verb = "is" if len(over) == 1 else "are"
        sentence = (
            f"{len(over)} of {len(held)} {verb} {beyond} the bound of {bound} since {words.at(begun)}."
            f" {'Largest' if first.bound.rises else 'Smallest'}: {words.name(first.newest)}, {value}."
        )
    return Verdict(first.state, sentence)


def _within(held: Sequence[Held], scene: Scene) -> str:
    first = held[0]
    assert first.bound
    bound = words.bound(first.bound, scene)
    value = words.figure(first.newest.value, scene)
    broke = max(one.broke for one in held)
    before = f" {words.many(broke, 'window')} before it {'was' if broke == 1 else 'were'} not." if broke else ""
    if len(held) == 1:
        return f"{value}, within the bound of {bound}.{before}"
    side = "largest" if first.bound.rises else "smallest"
    return f"All {len(held)} are within the bound of {bound}. The {side}: {words.name(first.newest)}, {value}."


def _unbounded(held: Sequence[Held], scene: Scene) -> str:
    first = held[0]
    value = words.figure(first.newest.value, scene)
    if len(held) == 1:
        return f"{value} in the window that ended {words.ended(first.newest, scene)}. It is held to no bound."
    return f"{len(held)} figures, the largest of {words.name(first.newest)}: {value}. They are held to no bound."
