"""What is rejected, and why: dead letters by reason, their share, and golden requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from weir.core import numbers
from weir.monitor import words
from weir.monitor.held import stands
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict


def reasons(rows: Sequence[Row], scene: Scene) -> Verdict:
    """How many were rejected, and for what most. Counts: `health/errors` holds their share to a bound."""
    if not rows:
        return Verdict(State.UNKNOWN, words.nothing(scene))
    by: dict[str, int] = defaultdict(int)
    for row in rows:
        by[row.subject] += row.n
    total = sum(by.values())
    subject, most = max(by.items(), key=lambda item: (item[1], item[0]))
    stage, reason = subject.split("/", 1)
    newest = max((row for row in rows if row.subject == subject), key=lambda row: row.begin)
    said = str(newest.details.get("example") or "")
    last = f" The newest of {words.at(newest.begin)} says: {said}" if said else ""
    what = "It was" if total == 1 else f"{numbers.whole(most)} of them were" if len(by) > 1 else "All were"
    head = f"{words.many(total, 'request')} {'was' if total == 1 else 'were'} rejected."
    return Verdict(State.UNKNOWN, f"{head} {what} {reason.replace('_', ' ')}, in {stage}.{last}")


def share(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Which share was rejected in all, and in the newest window against its bound."""
    counted = [row for row in rows if scene.is_complete(row)]
    n, rejected = sum(row.n for row in counted), sum(row.details["rejected"] for row in counted)
    if not n:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    of, part = words.many(n, "request"), numbers.share(rejected / n)
    whole = f"{numbers.whole(rejected)} of {of} {words.were(rejected)} rejected, {part}"
    held = stands(rows, scene)
    if not held or held[0].bound is None:
        return Verdict(State.UNKNOWN, f"{whole}.")
    first, bound = held[0], words.bound(held[0].bound, scene)
    if first.since is None:
        broke = f", but for {words.many(first.broke, 'window')}" if first.broke else ""
        return Verdict(State.OK, f"{whole}: within the bound of {bound}{broke}.")
    now = numbers.share(first.newest.value)
    return Verdict(
        first.state, f"{now} are rejected, above the bound of {bound} since {words.at(first.since)}. {whole}."
    )


def golden(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Whether requests whose answer is known were answered so."""
    n, wrong = sum(row.n for row in rows), [row for row in rows if row.value]
    if not n:
        return Verdict(State.UNKNOWN, words.nothing(scene))
    if not wrong:
        return Verdict(
            State.OK,
            f"All {words.many(n, 'golden request')} were answered as expected."
            if n > 1
            else "The golden request was answered as expected.",
        )
    count = round(sum(row.value or 0 for row in wrong))
    example = wrong[-1].details.get("example") or ""
    last = f" One of them: {example}." if example else ""
    head = f"{numbers.whole(count)} of {words.many(n, 'golden request')} {words.were(count)} answered wrongly"
    return Verdict(State.ALARM, f"{head}, the first in the window of {words.at(wrong[0].begin)}.{last}")
