"""How much is asked, and how fast it is answered: latency, its stages, the share within a limit, the rate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from weir.core import numbers
from weir.monitor import words
from weir.monitor.held import runs, stands
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict


def latency(rows: Sequence[Row], scene: Scene) -> Verdict:
    """What half and 99 of 100 answers take, in how many windows the bound broke, and the slowest window."""
    counted = [row for row in rows if scene.counts(row)]
    if not counted:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    last, slowest = counted[-1], max(counted, key=lambda row: row.value or 0)
    half, most = _ms(last.details["p50_ms"]), _ms(last.value)
    usually = f"In the newest window half of the answers took {half}, 99 of 100 at most {most}."
    worst = f" The slowest window was {words.at(slowest.begin)}, with {_ms(slowest.value)}." if len(counted) > 1 else ""
    level = scene.monitor.page or scene.monitor.warn
    if level is None:
        return Verdict(State.UNKNOWN, f"{usually}{worst}")
    held = stands(rows, scene)[0]
    broke = sum(level.crossed(row.value) for row in counted)
    bound = words.bound(level, scene)
    if not broke:
        return Verdict(State.OK, f"p99 kept its bound of {bound} in {words.every(len(counted), 'window')}.{worst}")
    state = held.state if held.since is not None else State.LOOK
    return Verdict(
        state, f"p99 was above its bound of {bound} in {broke} of {words.many(len(counted), 'window')}. {usually}"
    )


def stages(rows: Sequence[Row], scene: Scene) -> Verdict:
    """In which stages a request spends its time. Held to no bound."""
    spent: dict[str, float] = defaultdict(float)
    weight: dict[str, int] = defaultdict(int)
    for row in rows:
        if scene.is_complete(row) and row.details.get("share") is not None:
            spent[row.subject] += row.details["share"] * row.n
            weight[row.subject] += row.n
    total = sum(spent.values())
    if not total:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    first, *others = sorted(spent, key=lambda stage: -spent[stage])
    said = f"A request spends {numbers.share(spent[first] / total)} of its time in {first}"
    if others:
        said += f", {numbers.share(spent[others[0]] / total)} in {others[0]}"
    slow = max((row for row in rows if row.subject == first), key=lambda row: row.value or 0)
    return Verdict(State.UNKNOWN, f"{said}. {first} took up to {_ms(slow.value)} (p99, {words.at(slow.begin)}).")


def within(rows: Sequence[Row], scene: Scene) -> Verdict:
    """The least limits within which 99 of 100 and nearly all answers are. Held to no bound."""
    by: dict[float, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        if scene.is_complete(row):
            good, n = by[float(row.subject)]
            by[float(row.subject)] = (good + row.details["good"], n + row.n)
    shares = [(limit, good / n) for limit, (good, n) in sorted(by.items()) if n]
    if not shares:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    shown = [one for one in shares if one[1] >= 0.99][:2] or shares[-1:]
    said = ", ".join(f"{numbers.share(share)} take at most {_ms(limit)}" for limit, share in shown)
    return Verdict(State.UNKNOWN, f"Of the answers {said}.")


def rate(rows: Sequence[Row], scene: Scene) -> Verdict:
    """How much is asked on average, and at most. Held to no bound."""
    found = runs(rows, scene).get("", [])
    if not found:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    seconds = max((scene.end - scene.begin).total_seconds(), 1)
    most = max(found, key=lambda row: row.value or 0)
    mean = numbers.figure(sum(row.n for row in found) / seconds, "rate")
    windows = round(seconds / scene.step_s)
    silent = windows - len(found)
    gap = f" In {silent} of {words.many(windows, 'window')} nothing was asked." if silent > 0 else ""
    return Verdict(
        State.UNKNOWN, f"{mean} on average, at most {words.figure(most.value, scene)} ({words.at(most.begin)}).{gap}"
    )


def _ms(value: float | None) -> str:
    return numbers.figure(value, "ms")
