"""How right it probably is while nobody knows: the newest estimate, its doubts, and how those before it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from weir.core import numbers
from weir.core.signature import Task
from weir.monitor import words
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict
from weir.monitor.verdicts.performance import NAMES

# the figure that a task is told by
FIRST: Final[Mapping[Task | None, str]] = {Task.BINARY: "auc", Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}
SHARES: Final = ("accuracy", "f1")


def say(rows: Sequence[Row], scene: Scene) -> Verdict:
    """What is estimated of the newest window, or why that cannot be trusted; and whether what came true was as said."""
    mine = of_first(rows, scene)
    said = [row for row in mine if row.details.get("estimate") is not None]
    if not said:
        doubts = str(mine[-1].details.get("doubts") or "") if mine else ""
        return Verdict(State.UNKNOWN, f"There is no estimate yet{f': {doubts}' if doubts else ''}.")
    last = said[-1]
    known = [row for row in said if row.details.get("realised") is not None]
    if last.value is None:
        why = last.details.get("doubts") or "its past is too short"
        return Verdict(State.UNKNOWN, f"It cannot be trusted: {why}. {_before(known, last.subject)}".rstrip())
    held = not known or not _outside(known[-1])
    probably = f"{words.begun(name(last.subject))} is probably {figure(last.value, last.subject)}{_between(last)}"
    told = f"{probably} in the window from {words.at(last.begin)}, of which {_share(last)} is known."
    return Verdict(State.OK if held else State.LOOK, f"{told} {_before(known, last.subject)}".rstrip())


def of_first(rows: Sequence[Row], scene: Scene) -> list[Row]:
    """Rows of the figure that the task is told by; of the first that there is where it has none."""
    subjects = [row.subject for row in rows]
    first = FIRST.get(scene.task, "")
    return [row for row in rows if row.subject == (first if first in subjects else subjects[0])] if rows else []


def name(subject: str) -> str:
    """What a figure is called in a sentence."""
    return NAMES.get(subject, subject)


def figure(value: float | None, subject: str) -> str:
    """A figure in its unit."""
    return numbers.figure(value, unit(subject))


def unit(subject: str) -> str:
    """Unit of a figure."""
    return "share" if subject in SHARES else "auc" if subject == "auc" else "number"


def _outside(row: Row) -> bool:
    """Whether what came true lies outside the interval of its estimate."""
    real = row.details["realised"]
    return (row.low is not None and real < row.low) or (row.high is not None and real > row.high)


def _before(known: Sequence[Row], subject: str) -> str:
    """How the estimates did whose truth is in."""
    if not known:
        return "Of no window it is known yet what came true."
    last = known[-1]
    real, said = (figure(last.details[one], subject) for one in ("realised", "estimate"))
    judged = [row for row in known if row.low is not None and row.high is not None]
    within = sum(not _outside(row) for row in judged)
    share = f" {within} of {words.many(len(judged), 'interval')} held what came true." if judged else ""
    return f"Of {words.at(last.begin)} {said} was estimated and {real} came true.{share}"


def _between(row: Row) -> str:
    if row.low is None or row.high is None:
        return ""
    return f" ({figure(row.low, row.subject)} to {figure(row.high, row.subject)})"


def _share(row: Row) -> str:
    return numbers.share(float(row.details.get("maturity") or 0.0))
