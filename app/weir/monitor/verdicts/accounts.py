"""Whether every request is accounted for: offsets without an answer, entries that leave some out, and the sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from weir.core import numbers
from weir.monitor import words
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict


def complete(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Which offsets are missing, of which partition and since when; and how far the record is behind."""
    return _offsets(rows, scene, "missing")


def gaps(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Which offsets no entry covers, of which partition and since when."""
    return _offsets(rows, scene, "left out")


def totals(rows: Sequence[Row], scene: Scene) -> Verdict:
    """What was read, and what became of it."""
    read, scored, rejected = (
        sum(part)
        for part in zip(*((row.n, row.details["scored"], row.details["rejected"]) for row in rows), strict=True)
    )
    equation = f"{numbers.whole(read)} read = {numbers.whole(scored)} scored + {numbers.whole(rejected)} rejected"
    off = [row for row in rows if row.value]
    if not off:
        return Verdict(State.OK, f"{equation}.{_behind(scene)}")
    lost = numbers.whole(sum(row.value or 0 for row in off))
    return Verdict(State.ALARM, f"{lost} are neither scored nor rejected, since {words.at(off[0].begin)}: {equation}.")


def _offsets(rows: Sequence[Row], scene: Scene, word: str) -> Verdict:
    whole = [row for row in rows if scene.is_complete(row)]
    behind = _behind(scene)
    if not whole:
        return Verdict(State.UNKNOWN, f"Too early to say.{behind}" if behind else words.early(rows, scene))
    lacking: dict[str, list[Row]] = defaultdict(list)
    for row in whole:
        if row.value:
            lacking[row.subject].append(row)
    if not lacking:
        partitions, n = len({row.subject for row in whole}), sum(row.n for row in whole)
        said = f"Yes, to the offset: {words.many(n, 'request')} of {words.many(partitions, 'partition')}."
        return Verdict(State.LOOK if behind else State.OK, said + behind)
    subject, run = max(lacking.items(), key=lambda item: (sum(row.value or 0 for row in item[1]), item[0]))
    count = round(sum(row.value or 0 for row in run))
    others = f" Offsets of {words.many(len(lacking) - 1, 'more partition')} are, too." if len(lacking) > 1 else ""
    head = f"{words.many(count, 'offset')} of {partition(subject)} {words.be(count)} {word}"
    return Verdict(State.ALARM, f"{head} since {words.at(run[0].begin)}.{others}{behind}")


def partition(subject: str) -> str:
    """topic/partition/log, as people say it."""
    topic, number, *_ = (*subject.split("/"), "")
    return f"{topic}, partition {number}" if number else topic


def _behind(scene: Scene) -> str:
    """How far the record is behind the end of what is asked about, where it is by more than a window."""
    if scene.complete_to is None or scene.complete_to + timedelta(seconds=2 * scene.step_s) > scene.end:
        return ""
    late = numbers.span((scene.end - scene.complete_to).total_seconds())
    return f" The record is complete to {numbers.time(scene.complete_to)}, {late} behind."
