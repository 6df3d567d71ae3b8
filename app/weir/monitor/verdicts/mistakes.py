"""Where the answers are wrong: which class is taken for which, and at which values a regression is off."""

from __future__ import annotations

from collections.abc import Sequence

from weir.core import numbers
from weir.monitor import words
from weir.monitor.held import newest
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict


def confusion(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Which mistake is the most frequent, of the newest mature window. It is held to no bound."""
    last = newest(rows, scene)
    if not last:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    when = words.at(last[0].begin)
    wrong = [row for row in last if not _same(row)]
    if not wrong:
        return Verdict(State.UNKNOWN, f"Nothing was taken for something else ({when}).")
    worst = max(wrong, key=lambda row: (row.details["times"], row.subject))
    came, decided = _pair(worst)
    times, part = words.many(worst.details["times"], "time"), numbers.share(worst.value)
    of = f"{words.many(worst.n, 'outcome')} of {came}"
    return Verdict(State.UNKNOWN, f"{came} is taken for {decided} most often: {times}, {part} of {of} ({when}).")


def by_value(rows: Sequence[Row], scene: Scene) -> Verdict:
    """At which predicted values it is furthest off to one side, beyond chance, of the newest mature window."""
    last = newest(rows, scene)
    if not last:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    off = [row for row in last if row.low is not None and row.high is not None and not row.low <= 0 <= row.high]
    if not off:
        spans = words.every(len(last), "span")
        return Verdict(State.OK, f"Nowhere beyond chance: in {spans} of scores it is right on average.")
    worst = max(off, key=lambda row: abs(row.value or 0))
    word = "high" if (worst.value or 0) > 0 else "low"
    off_by, of = numbers.short(abs(worst.value or 0)), words.many(len(last), "span")
    head = f"Scores from {_number(worst.subject)} on are too {word} by {off_by} on average"
    return Verdict(State.UNKNOWN, f"{head}, the most of {of} ({words.many(worst.n, 'outcome')}).")


def by_age(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Which age of features costs most beyond the youngest of its view, and chance, of the newest mature window."""
    last = newest(rows, scene)
    if not last:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    dearer = [row for row in last if row.low is not None and row.low > (row.value or 0) - _more(row)]
    of = words.many(len(last), "span")
    if not dearer:
        return Verdict(State.OK, f"No age costs more than the youngest beyond chance, in {of} of ages.")
    worst = max(dearer, key=_more)
    head = f"{worst.subject}: predictions lose {numbers.short(_more(worst))} more than with the youngest"
    return Verdict(State.UNKNOWN, f"{head}, the most of {of} ({words.many(worst.n, 'outcome')}).")


def _more(row: Row) -> float:
    return row.details.get("more") or 0.0


def _pair(row: Row) -> tuple[str, str]:
    """The class that came true, and the one that was decided; names may have a / in them, and then it is guessed."""
    parts = row.subject.split("/")
    middle = max(len(parts) // 2, 1)
    return "/".join(parts[:middle]), "/".join(parts[middle:])


def _same(row: Row) -> bool:
    came, decided = _pair(row)
    return came == decided


def _number(subject: str) -> str:
    try:
        return numbers.short(float(subject))
    except ValueError:
        return subject
