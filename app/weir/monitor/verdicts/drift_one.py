"""One input, the score or the decisions: how far it is from its baseline, and what of it has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from weir.core import numbers
from weir.monitor import words
from weir.monitor.held import stands
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict
from weir.monitor.verdicts.drift import compared

WHOLE: Final = {"drift/score": "What the model says", "drift/decisions": "What is decided"}
LARGE: Final = 0.05  # difference of a share of predictions that is worth a sentence


def say(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Whether the newest window is away from its baseline, since when, and what of it is different."""
    if lacking := compared(rows, scene):
        return Verdict(State.UNKNOWN, lacking)
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    first = held[0]
    figure = f"{words.quantity(scene)} {words.figure(first.newest.value, scene)}"
    what = _different(first.newest.details)
    if first.bound is None:
        return Verdict(State.UNKNOWN, f"{figure} against its baseline{_chance(first.newest)}.{what}")
    bound = words.bound(scene.monitor.warn or first.bound, scene)
    subject = first.newest.subject or WHOLE.get(scene.monitor.name, "It")
    if first.away is None:
        earlier = " It was away earlier." if first.broke else ""
        chance = f" of {numbers.short(first.newest.n)} rows, no more than chance explains" if first.chance else ""
        return Verdict(State.OK, f"{subject} is as in the baseline: {figure}{chance}, tolerance {bound}.{earlier}")
    since = words.at(first.away)
    return Verdict(
        first.state, f"{subject} is away from the baseline since {since}: {figure}, tolerance {bound}.{what}"
    )


def _chance(row: Row) -> str:
    if row.p is None:
        return ""
    return ", more than chance explains" if row.p <= 0.01 else ", no more than chance explains"


def _different(of: Mapping[str, Any]) -> str:
    """What is different, the gravest first: values outside of the baseline's range, what is missing, words, means."""
    outside, before = (of.get("below_rate") or 0) + (of.get("above_rate") or 0), of.get("base_outside_rate") or 0
    if outside - before > LARGE:
        return f" {numbers.share(outside)} of the values lie outside the range of the baseline: another unit or column?"
    missing, base = of.get("missing_rate") or 0, of.get("base_missing_rate") or 0
    if abs(missing - base) > LARGE:
        return f" {numbers.share(missing)} are missing, {numbers.share(base)} in the baseline."
    if (of.get("new_rate") or 0) > LARGE:
        new = words.listed([str(word) for word in of.get("new_words") or ()])
        return f" {numbers.share(of['new_rate'])} have a word that the baseline has not: {new}."
    if cells := of.get("decision") or of.get("cell"):
        return _cells([str(cell).removeprefix("word ") for cell in cells], of["share"], of["base_share"])
    mean, base_mean = of.get("mean"), of.get("base_mean")
    if mean is None or base_mean is None:
        return ""
    return f" Its mean is {numbers.short(mean)}, {numbers.short(base_mean)} in the baseline."


def _cells(cells: Sequence[str], shares: Sequence[float], base: Sequence[float]) -> str:
    """The word, or the decision, whose share differs most."""
    at = max(range(len(cells)), key=lambda place: abs(shares[place] - base[place]))
    return f" {cells[at]}: {numbers.share(shares[at])}, {numbers.share(base[at])} in the baseline."
