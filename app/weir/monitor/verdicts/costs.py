"""What it cost, and where it went: money that adds up, whose it was, and what of it rose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from weir.core import numbers
from weir.monitor import words
from weir.monitor.held import stands
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict

MILLION: Final = 1_000_000
PARTS: Final = ("allocated", "rejected", "unrecorded", "idle")


def conservation(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Whether what was metered is what was allocated and idle, in money where all of it has a price."""
    whole = [row for row in rows if scene.is_complete(row)]
    if not whole:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    state, worst = State.OK, max(whole, key=lambda row: row.value or 0.0)
    for found, bound in ((State.LOOK, scene.monitor.warn), (State.ALARM, scene.monitor.page)):
        state = found if bound is not None and bound.crossed(worst.value) else state
    allowed = f", {words.bound(scene.monitor.page, scene)} allowed" if scene.monitor.page else ""
    off = f"{numbers.share(worst.value)} unexplained at most{allowed}"
    if state is not State.OK:
        part, when = numbers.share(worst.value), words.at(worst.begin)
        off = f"{part} of {worst.subject} unexplained in the window of {when}{allowed}"
    metered = _sum(row.details["metered"] for row in whole)
    if metered is None:
        return Verdict(state, f"Not everything has a price. In what was used, {off}.")
    currency = _currency(whole, scene)
    parts = [(name, _sum(row.details[name] for row in whole) or 0.0) for name in PARTS]
    said = " + ".join(
        f"{numbers.money(amount, currency)} {name}" for name, amount in parts if amount or name == "allocated"
    )
    return Verdict(state, f"{numbers.money(metered, currency)} metered = {said}; {off}.")


def services(rows: Sequence[Row], scene: Scene) -> Verdict:
    """What a million predictions cost, which are the dearest, and what they earned. Held to no bound."""
    priced = [row for row in rows if row.details["cost"] is not None]
    n = sum(row.n for row in priced)
    if not n:
        return Verdict(State.UNKNOWN, "Nothing has a price: the project's prices.yaml says none for this time.")
    currency = _currency(priced, scene)
    cost, value = sum(row.details["cost"] for row in priced), _sum(row.details["value"] for row in priced)
    said = f"{numbers.money(cost / n * MILLION, currency)} a million predictions, of {numbers.short(n)}."
    if value:
        said += f" They earned {numbers.money(value, currency)} so far."
    by = _by(priced)
    if len(by) > 1:
        name, (of, spent) = max(by.items(), key=lambda item: item[1][1] / item[1][0])
        said += f" Dearest: {_named(name)}, {numbers.money(spent / of * MILLION, currency)}."
    return Verdict(State.UNKNOWN, said)


def tenants(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Who bears the most. Held to no bound."""
    return _most(rows, scene, "tenant", "bears")


def components(rows: Sequence[Row], scene: Scene) -> Verdict:
    """What costs the most. Held to no bound."""
    return _most(rows, scene, "component", "is")


def budgets(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Which budget will not last, and how far it reaches."""
    newest = max((row.begin for row in rows), default=None)
    if lacking := [row.subject for row in rows if row.begin == newest and row.value is None]:
        why = "something that was used has no price in prices.yaml, and cost/unpriced says what"
        return Verdict(State.UNKNOWN, f"{words.listed(lacking)} cannot be forecast: {why}.")
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    first = held[0]
    of, currency = first.newest.details, str(first.newest.details["currency"])
    forecast, amount = (numbers.money(of[name], currency) for name in ("forecast", "amount"))
    end = numbers.day(_moment(of["period_end"]))
    if first.since is None:
        verb = "last" if len(held) > 1 else "lasts"
        head = f"{words.all_of(len(held), 'budget')} {verb}"
        return Verdict(State.OK, f"{head}. The furthest: {first.newest.subject}, {forecast} of {amount} by {end}.")
    reaches, since = numbers.share(first.newest.value), words.at(first.since)
    return Verdict(
        first.state, f"{first.newest.subject} reaches {reaches} of {amount}, since {since}: {forecast} by {end}."
    )


def regression(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Whether a prediction is dearer than it was, by how much, and by what."""
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, "Too early to say: it takes three days before a window to compare with.")
    first = held[0]
    rise = numbers.share(abs(first.newest.value or 0))
    way = "more" if (first.newest.value or 0) >= 0 else "less"
    name, by = _named(first.newest.subject), first.newest.details.get("dearest")
    if first.since is None:
        return Verdict(State.OK, f"No: a prediction of {name} costs {rise} {way} than in the 28 days before.")
    what = f" Most of it is {by}." if by else ""
    dearer = f"A prediction of {name} costs {rise} more than in the 28 days before"
    return Verdict(first.state, f"{dearer}, since {words.at(first.since)}.{what}")


def untagged(rows: Sequence[Row], scene: Scene) -> Verdict:
    """How much of the cost names no tenant, or no team."""
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    said = " and ".join(f"{numbers.share(one.newest.value)} of the cost names no {one.newest.subject}" for one in held)
    first = held[0]
    assert first.bound
    bound = words.bound(first.bound, scene)
    tail = (
        f"above the bound of {bound} since {words.at(first.since)}" if first.since else f"within the bound of {bound}"
    )
    return Verdict(first.state, f"{said}: {tail}.")


def unpriced(rows: Sequence[Row], scene: Scene) -> Verdict:
    """What is used of which the price book says no price."""
    held = stands(rows, scene)
    if not held:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    lacking = [one.newest.subject for one in held if one.newest.value]
    if lacking:
        since = f"since {words.at(held[0].since)}" if held[0].since else "now"
        said = f"No: {words.listed(lacking)} {words.be(len(lacking))} used without a price, {since}"
        return Verdict(held[0].state, f"{said}. Amounts of that time, and budgets, are not known.")
    return Verdict(held[0].state, f"Yes. {words.all_of(len(held), 'component')} {words.be(len(held))} priced.")


def _most(rows: Sequence[Row], scene: Scene, thing: str, verb: str) -> Verdict:
    by: dict[str, float] = defaultdict(float)
    for row in rows:
        if row.value is not None:
            by[row.subject] += row.value
    total = sum(by.values())
    if not total:
        return Verdict(State.UNKNOWN, "Nothing has a price: the project's prices.yaml says none for this time.")
    name, most = max(by.items(), key=lambda item: item[1])
    of = f" of {words.many(len(by), thing)}" if len(by) > 1 else ""
    share, amount = numbers.share(most / total), numbers.money(total, _currency(rows, scene))
    called = name or f"no {thing}"
    if not of:
        return Verdict(State.UNKNOWN, f"{called} {verb} all of {amount}.")
    return Verdict(State.UNKNOWN, f"{called} {verb} {share} of {amount}, the most{of}.")


def _sum(amounts: Iterable[Any]) -> float | None:
    """Their sum; None where one is not known."""
    found = list(amounts)
    return None if any(amount is None for amount in found) else float(sum(found))


def _by(rows: Sequence[Row]) -> dict[str, tuple[int, float]]:
    found: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for row in rows:
        n, cost = found[row.subject]
        found[row.subject] = (n + row.n, cost + row.details["cost"])
    return found


def _named(subject: str) -> str:
    """Words of a subject, those that there are."""
    return ", ".join(word for word in subject.split("/") if word) or "the service"


def _currency(rows: Sequence[Row], scene: Scene) -> str:
    return next((str(row.details["currency"]) for row in rows if row.details.get("currency")), scene.currency)


def _moment(time: Any) -> datetime:
    """A time among the details of a row: ClickHouse's DateTime comes as seconds since 1970."""
    return time if isinstance(time, datetime) else datetime.fromtimestamp(time, UTC)
