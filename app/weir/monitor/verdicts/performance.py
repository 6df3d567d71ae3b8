"""How good the answers were: figures of outcomes, the newest mature window against those before it.

Where a header sets bounds they say what is bad. Where it says which way is worse (`usual`), a figure is held to its own
windows of the time that is asked about: by chance as `weir.monitor.usual` has it, or, of fewer windows than that
needs, by whether the intervals part. An alert decides over all windows and may know more.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from weir.core import numbers
from weir.monitor import usual, words
from weir.monitor.held import Held, runs, stands
from weir.monitor.spec import Row
from weir.monitor.usual import Way
from weir.monitor.verdict import Scene, State, Verdict

CHANCE: Final = 0.01
NAMES: Final[Mapping[str, str]] = {
    "auc": "AUC",
    "f1": "F1",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "bias": "bias",
    "r2": "R²",
    "slope": "slope",
    "intercept": "intercept",
    "mean_value": "value of a prediction",
    "covered": "coverage",
}


@dataclass(frozen=True, slots=True)
class Course:
    """A subject's newest figure, and the windows before it. worse: it is beyond what they and chance explain."""

    newest: Row
    before: Sequence[Row]
    worse: bool


def say(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Whether it got worse, from what to what, and which windows do not count yet."""
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    young = _young(rows, held, scene)
    if broken := [one for one in held if one.since is not None]:
        return Verdict(broken[0].state, _broken(broken[0], scene) + young)
    found = runs(rows, scene)
    courses = [_course(found[one.newest.subject], scene) for one in held]
    if worse := [one for one in courses if one.worse]:
        return Verdict(State.LOOK, f"{_worse(worse, scene)}{young}")
    compared = any(one.before for one in courses) and (scene.monitor.usual or held[0].bound)
    return Verdict(State.OK if compared else State.UNKNOWN, f"{_steady(courses, scene)}{young}")


def name(subject: str, scene: Scene) -> str:
    """What a figure is called in a sentence."""
    column = subject if scene.monitor.subject == ("figure",) else scene.monitor.value
    named = NAMES.get(column) or column.replace("_", " ")
    return f"{named} of {subject}" if subject and column != subject else named


def _course(run: Sequence[Row], scene: Scene) -> Course:
    last, before = run[-1], run[:-1]
    way = scene.monitor.usual.get(last.subject) or scene.monitor.usual.get("")
    return Course(last, before, bool(before) and way is not None and _is_worse(last, before, way))


def _is_worse(last: Row, before: Sequence[Row], way: Way) -> bool:
    history = [row.value for row in before if row.value is not None]
    assert last.value is not None
    if len(history) >= usual.NEEDED:
        return usual.p_value(way, last.value, history, last.low, last.high) <= CHANCE
    bounds = [(row.low, row.high) for row in (last, *before)]
    if any(low is None or high is None for low, high in bounds):
        return False
    low, high = bounds[0]
    under = all(high < other for other, _ in bounds[1:])  # type: ignore[operator]
    over = all(low > other for _, other in bounds[1:])  # type: ignore[operator]
    return (under and way is not Way.RISES) or (over and way is not Way.FALLS)


def _broken(one: Held, scene: Scene) -> str:
    assert one.bound
    value, bound = words.figure(one.newest.value, scene), words.bound(one.bound, scene)
    side, since = words.beyond(one.bound), words.at(one.since)
    return f"{words.begun(name(one.newest.subject, scene))} is {value}, {side} its bound of {bound} since {since}."


def _worse(worse: Sequence[Course], scene: Scene) -> str:
    first = worse[0]
    old = statistics.fmean(row.value for row in first.before if row.value is not None)
    called = words.begun(name(first.newest.subject, scene))
    sentence = f"{called} went from {words.figure(old, scene)} to {words.figure(first.newest.value, scene)}"
    others = [name(one.newest.subject, scene) for one in worse[1:]]
    more = f" So did {words.listed(others)}." if others else ""
    return f"{sentence}, more than chance explains.{more}"


def _steady(courses: Sequence[Course], scene: Scene) -> str:
    said = [f"{name(one.newest.subject, scene)} {words.figure(one.newest.value, scene)}" for one in courses[:4]]
    first = courses[0]
    if len(courses) > 4:
        said.append(f"{len(courses) - 4} more")
    figures = words.begun(", ".join(said))
    if first.before:
        return f"{figures}: as in {words.the_before(len(first.before))}."
    of = f", of {words.many(first.newest.n, 'outcome')}" if scene.monitor.maturity else ""
    return f"{figures}{_between(first.newest, scene)}{of}. There is no window before it to compare with."


def _between(row: Row, scene: Scene) -> str:
    if row.low is None or row.high is None or scene.monitor.subject:
        return ""
    return f" ({words.figure(row.low, scene)} to {words.figure(row.high, scene)})"


def _young(rows: Sequence[Row], held: Sequence[Held], scene: Scene) -> str:
    """From when on windows do not count yet, because outcomes of theirs are still to come."""
    last = held[0].newest.begin
    young = [row.begin for row in rows if row.begin > last and not scene.is_mature(row)]
    return f" Windows from {numbers.time(min(young))} on are still maturing." if young else ""
