"""The overview on a terminal: one screen, readable at 40 columns and without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weir.core import numbers

if TYPE_CHECKING:
    from weir.monitor.verdict import State
    from weir.operations.glance import Figure, Service
    from weir.operations.needs_you import Cause
    from weir.operations.overview import Overview

BARS: Final = "▁▂▃▄▅▆▇█"
SPARK: Final = 24  # columns
SHORT_SPARK: Final = 10  # where that is too wide
STYLES: Final = {"ok": "green", "look": "yellow", "alarm": "bold red", "unknown": "dim"}
# In the order in which columns go where the terminal is too narrow for all.
DROPPED: Final = ("rate", "says", "cost", "budget left", "quality", "traffic", "p99", "inputs", "complete to")
RIGHT: Final = frozenset({"rate", "p99", "cost", "budget left", "quality"})
UNBOUNDED: Final = 10_000
MOST_CAUSES: Final = 5  # of four lines each; `weir alerts list` has them all
LEFT_OUT: Final = 2  # lines that say how many more there are


def page(seen: Overview, lasting: str, width: int, height: int = 0) -> RenderableType:
    """Everything, no wider than `width`. lasting: the time that is asked about, as it was given.

    height: lines that there are for it, of which causes that do not fit are counted; 0: MOST_CAUSES of them.
    """
    last = f"Weir, the last {lasting} to {numbers.time(seen.end)} UTC"
    parts: list[RenderableType] = [Text(last, "bold"), Text(), *_balance(seen), Text()]
    if seen.services:
        parts += [_services(seen, width), Text()]
    else:
        parts += [Text("Nothing is recorded of any service yet: `weir send` sends requests."), Text()]
    if empty := _empty(seen):
        parts += [Text(empty), Text()]
    parts += [_said(seen.needs.state, seen.needs.sentence)]
    causes = [[Text(), *_cause(cause, seen.end)] for cause in seen.causes]
    shown = _fitting(parts, causes, width, height) if height else min(len(causes), MOST_CAUSES)
    return Group(*parts, *(part for cause in causes[:shown] for part in cause), *_left_out(seen, shown))


def _fitting(
    parts: Sequence[RenderableType], causes: Sequence[Sequence[RenderableType]], width: int, height: int
) -> int:
    """How many causes there is room for below the rest, one line of which says how many more there are."""
    console = Console(width=width, height=UNBOUNDED, color_system=None)
    left = height - len(console.render_lines(Group(*parts), pad=False))
    sizes = [len(console.render_lines(Group(*cause), pad=False)) for cause in causes]
    if sum(sizes) <= left:
        return len(causes)
    return sum(upto <= left - LEFT_OUT for upto in accumulate(sizes))


def _left_out(seen: Overview, shown: int) -> Iterator[Text]:
    if more := sum(len(cause.alerts) for cause in seen.causes[shown:]):
        yield Text()
        yield Text(f"  and {more} more: weir alerts list", "dim", no_wrap=True, overflow="ignore")


def line(seen: Overview) -> str:
    """The same on one line, for a log."""
    balance, needs = seen.balance.verdict, seen.needs
    said = f"{balance.state.glyph} {balance.sentence}  {needs.state.glyph} {needs.sentence}"
    return plain(f"{numbers.time(seen.end)} UTC  {said}")


def plain(text: str) -> str:
    """With plain spaces: thin ones are as wide as these on a terminal, and nobody can type them to search."""
    return text.replace(numbers.THIN, " ")


def spark(counts: Sequence[int], width: int = SPARK) -> str:
    """Counts as bars, a bar for several of them where there are more than fit: their mean.

    >>> spark([0, 1, 2, 3, 4, 5, 6, 7]), spark([0, 0]), spark([1, 1, 3, 3, 3], 3)
    ('▁▂▃▄▅▆▇█', '▁▁', '▃██')
    """
    size = -(-len(counts) // width) or 1
    groups = [counts[place : place + size] for place in range(0, len(counts), size)]
    means = [sum(group) / len(group) for group in groups]
    most = max(means, default=0) or 1
    return "".join(BARS[round(mean / most * (len(BARS) - 1))] for mean in means)


def _balance(seen: Overview) -> Iterator[Text]:
    yield _said(seen.balance.verdict.state, seen.balance.verdict.sentence)
    if seen.balance.read:
        yield Text(f"  {plain(seen.balance.equation)}")


def _empty(seen: Overview) -> str:
    """What to ask instead, where there is something recorded and nothing of this time."""
    if seen.newest is None or any(one.predictions for one in seen.services):
        return ""
    newest, at = numbers.time(seen.newest), f"{seen.newest + timedelta(minutes=1):%Y-%m-%dT%H:%M}"
    return f"Nothing was scored in this time. The newest predictions are of {newest}: weir status --at {at}"


def _said(state: State, sentence: str) -> Text:
    return Text.assemble((state.glyph, STYLES[state.value]), f" {plain(sentence)}")


def _services(seen: Overview, width: int) -> RenderableType:
    """A table with the columns that fit; where a name is too long for any, lines below each other."""
    rows = {bars: [_cells(one, seen, bars) for one in seen.services] for bars in (SPARK, SHORT_SPARK)}
    known = [name for name in ("service", *_ORDER) if any(row[name].plain.strip("– ") for row in rows[SPARK])]
    console = Console(width=UNBOUNDED)
    for bars, drop in ((SPARK, ""), *((SHORT_SPARK, drop) for drop in ("", *DROPPED))):
        known = [name for name in known if name != drop]
        table = _table(rows[bars], known)
        if Measurement.get(console, console.options, table).maximum <= width:
            return table
    return Group(*(Text.assemble(row["service"], "\n  ", row["state"]) for row in rows[SPARK]))


_ORDER: Final = (
    "state",
    "traffic",
    "rate",
    "p99",
    "says",
    "inputs",
    "quality",
    "cost",
    "budget left",
    "complete to",
)


def _table(rows: Sequence[dict[str, Text]], names: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def _cells(one: Service, seen: Overview, bars: int) -> dict[str, Text]:
    inputs = f"{one.inputs_moved} of {one.inputs} moved" if one.inputs_moved else "quiet" if one.inputs else ""
    return {
        "service": Text.assemble((one.name, "bold"), (f" {one.version}" if one.version else "", "dim")),
        "state": _state(one),
        "traffic": Text(spark(one.counts, bars) if one.predictions else "", "cyan"),
        "rate": Text(plain(numbers.figure(one.rate, "rate"))),
        "p99": Text(plain(numbers.figure(one.p99_ms, "ms"))),
        "says": _figure(one.says),
        "inputs": _glyphed(one.inputs_state, inputs) if one.inputs_moved else Text(inputs, "dim"),
        "quality": _figure(one.quality),
        "cost": Text(plain(f"{numbers.money(one.cost, one.currency)}/M") if one.cost is not None else numbers.UNKNOWN),
        "budget left": Text(plain(numbers.share(one.budget))),
        "complete to": _complete(one, seen.end),
    }


def _state(one: Service) -> Text:
    if one.firing:
        return _glyphed(one.state, f"{one.firing} firing")
    if one.pending:
        return _glyphed(one.state, f"{one.pending} pending")
    return _glyphed(one.state, "behind" if one.behind else one.state.word)


def _complete(one: Service, end: datetime) -> Text:
    """A clock where it is of the same day as the end of what is seen."""
    at = one.complete_to
    if at is None:
        return Text(numbers.UNKNOWN)
    text = numbers.clock(at) if at.date() == end.date() else numbers.time(at)
    return Text.assemble(("▲ ", STYLES["look"]), text) if one.behind else Text(text)


def _figure(one: Figure | None) -> Text:
    if one is None:
        return Text(numbers.UNKNOWN)
    return Text.assemble(plain(numbers.figure(one.value, one.unit.value)), (f" {one.name}", "dim"))


def _glyphed(state: State, text: str) -> Text:
    style = STYLES[state.value]
    return Text.assemble((state.glyph, style), f" {text}")


def _cause(cause: Cause, now: datetime) -> Iterator[RenderableType]:
    """What happened, to whom and since when, and what to type; the others of the same cause by name."""
    first = cause.first
    state = first.look
    yield Text.assemble((state.glyph, STYLES[state.value]), " ", (plain(first.sentence), "bold" if first.fires else ""))
    about = " ".join(filter(None, (first.monitor, first.subject)))
    since = f"{first.state} since {numbers.time(first.since)} ({numbers.span((now - first.since).total_seconds())})"
    facts = [first.service, about, since, first.owner]
    if first.acknowledged_by:
        facts.append(f"seen by {first.acknowledged_by}")
    if first.silenced_by:
        facts.append("silenced")
    facts.append(cause.beside)
    yield Padding(Text(plain(", ".join(filter(None, facts)))), (0, 0, 0, 2), expand=False)
    yield Text(f"  weir diagnose {first.alert_id}", "dim", no_wrap=True, overflow="ignore")
