"""How fast the truth arrives: how soon outcomes are known, which are still to come, and which came oddly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from weir.core import numbers
from weir.monitor import usual, words
from weir.monitor.spec import Row
from weir.monitor.usual import Way
from weir.monitor.verdict import Scene, State, Verdict

CHANCE: Final = 0.01
HALF: Final = 0.5
MOST: Final = 0.9


def maturity(rows: Sequence[Row], scene: Scene) -> Verdict:
    """After which age half and nine tenths are known, how many never are, and whether the newest are late."""
    by_age: dict[float, list[Row]] = defaultdict(list)
    for row in rows:
        if row.value is not None and row.n >= scene.monitor.minimum:
            by_age[float(row.details["age_s"])].append(row)
    if not by_age:
        return Verdict(State.UNKNOWN, "Too early to say: no predictions are an hour old.")
    known = {age: _pooled(run) for age, run in sorted(by_age.items())}
    oldest = max(known)
    half, most = (next((age for age, share in known.items() if share >= level), None) for level in (HALF, MOST))
    said = (
        f"Half of the outcomes are known within {numbers.span(half)}"
        if half
        else "Half of the outcomes are not known yet"
    )
    if most:
        said += f", 90{numbers.THIN}% within {numbers.span(most)}"
    said += f"; {numbers.share(1 - known[oldest])} have none after {numbers.span(oldest)}."
    if late := _late(by_age, scene):
        return Verdict(State.LOOK, f"{late} {said}")
    return Verdict(State.OK, said)


def waiting(rows: Sequence[Row], _: Scene) -> Verdict:
    """How many predictions have no outcome, and of how many none is to be expected. Counts: held to no bound."""
    counts = _sums(rows)
    if not counts:
        return Verdict(State.UNKNOWN, "There are no predictions in this time.")
    n = sum({row.begin: row.n for row in rows}.values())
    without = counts.get("waiting", 0)
    if not without:
        return Verdict(State.UNKNOWN, f"All {words.many(n, 'prediction')} have an outcome.")
    overdue = counts.get("overdue", 0)
    tail = f" Of {numbers.whole(overdue)} of them none is to be expected any more." if overdue else ""
    return Verdict(
        State.UNKNOWN, f"{numbers.whole(without)} of {words.many(n, 'prediction')} have no outcome yet.{tail}"
    )


def odd(rows: Sequence[Row], _: Scene) -> Verdict:
    """What is odd about outcomes that came. Counts: held to no bound."""
    counts = _sums(rows)
    if not counts:
        return Verdict(State.UNKNOWN, "No outcomes came in this time.")
    n = sum({row.begin: row.n for row in rows}.values())
    said = [
        f"{numbers.whole(count)} {kind}" for kind, count in sorted(counts.items(), key=lambda item: -item[1]) if count
    ]
    if not said:
        return Verdict(State.UNKNOWN, f"All {words.many(n, 'outcome')} came once, each for a prediction that there is.")
    return Verdict(State.UNKNOWN, f"Of {words.many(n, 'outcome')}: {words.listed(said, 5)}.")


def _pooled(run: Sequence[Row]) -> float:
    return sum((row.value or 0.0) * row.n for row in run) / sum(row.n for row in run)


def _late(by_age: dict[float, list[Row]], scene: Scene) -> str:
    """Of the newest windows, whether one has fewer outcomes by some age than windows before had."""
    if scene.monitor.usual.get("") is not Way.FALLS:
        return ""
    for age, run in sorted(by_age.items()):
        last, history = run[-1], [row.value for row in run[:-1] if row.value is not None]
        if len(history) < usual.NEEDED or last.value is None:
            continue
        if usual.p_value(Way.FALLS, last.value, history[-usual.KEPT :], last.low, last.high) <= CHANCE:
            usually = f"{numbers.share(min(history))} to {numbers.share(max(history))}"
            day, after = numbers.day(last.begin), numbers.span(age)
            return f"Outcomes of {day} are late: {numbers.share(last.value)} known after {after}, usually {usually}."
    return ""


def _sums(rows: Sequence[Row]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row.subject] += round(row.value or 0)
    return found
