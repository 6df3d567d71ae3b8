"""Inputs, and the probabilities of classes: how many of them are away from their baseline, and which most."""

from __future__ import annotations

from collections.abc import Sequence

from weir.core import numbers
from weir.monitor import words
from weir.monitor.baseline import Against
from weir.monitor.held import Held, stands
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict

AWAY = (State.ALARM, State.LOOK)


def inputs(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Of the inputs of a model."""
    return _say(rows, scene, "input")


def classes(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Of the classes of a model, whose probability moves."""
    return _say(rows, scene, "class", "classes")


def compared(rows: Sequence[Row], scene: Scene) -> str:
    """Why no row can be held to a baseline; '' where one can."""
    if any(row.value is not None for row in rows):
        return ""
    baseline = scene.monitor.baseline
    if baseline.against is Against.REFERENCE:
        return "There is no baseline to compare with: the bundle brings no reference of what is normal."
    if baseline.against is Against.FROZEN:
        return f"There is no baseline to compare with: none of this was captured as {baseline.name}."
    return "There is no baseline to compare with in this time."


def _say(rows: Sequence[Row], scene: Scene, one: str, several: str = "") -> Verdict:
    if lacking := compared(rows, scene):
        return Verdict(State.UNKNOWN, lacking)
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    beyond = [each for each in held if each.state in AWAY]
    away = [each for each in beyond if not scene.cycle(each.newest.subject)]
    if not away:
        return Verdict(State.OK, _quiet(held, scene, one, several) + _by_nature(beyond, scene))
    first, begun = away[0], min(each.away for each in away if each.away)
    of, what = words.many(len(held), one, several), f"{first.newest.subject}, {_figure(first.newest, scene)}"
    head = f"{len(away)} of {of} {words.be(len(away))} away from the baseline since {words.at(begun)}"
    return Verdict(first.state, f"{head}{_weight(away, held, scene)}. Largest: {what}.{_by_nature(beyond, scene)}")


def _by_nature(beyond: Sequence[Held], scene: Scene) -> str:
    """Those that move by nature, in a sentence; empty where none of them is away."""
    named = [f"{each.newest.subject} ({cycle})" for each in beyond if (cycle := scene.cycle(each.newest.subject))]
    return f" Not counted, since it is away by nature: {words.listed(named)}." if named else ""


def _quiet(held: Sequence[Held], scene: Scene, one: str, several: str) -> str:
    broke = sum(bool(each.broke) for each in held if not scene.cycle(each.newest.subject))
    tolerance = f" ({words.quantity(scene)} {words.bound(held[0].bound, scene)})" if held[0].bound else ""
    tolerance += ", or no further than chance explains" if any(each.chance for each in held) else ""
    if len(held) == 1:
        earlier = " It was away earlier." if broke else ""
        return f"Nothing moved: {held[0].newest.subject} is within tolerance{tolerance}.{earlier}"
    earlier = f" {broke} of them {words.were(broke)} away earlier." if broke else ""
    return f"Nothing moved: all {words.many(len(held), one, several)} are within tolerance{tolerance}.{earlier}"


def _weight(away: Sequence[Held], held: Sequence[Held], scene: Scene) -> str:
    """How much of what the model goes by has moved, where that is known."""
    total = sum(scene.weights.get(each.newest.subject, 0.0) for each in held)
    if not total:
        return ""
    moved = sum(scene.weights.get(each.newest.subject, 0.0) for each in away)
    return f", {numbers.share(moved / total)} of the model's importance"


def _figure(row: Row, scene: Scene) -> str:
    return f"{words.quantity(scene)} {words.figure(row.value, scene)}".strip()
