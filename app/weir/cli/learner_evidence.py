"""What is said beside figures: how the learner compares with the champion by closed days, and whether that one drifts.

Of a replay, and of a learner that lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from weir.cli.output import Column, say, show
from weir.learn.words import FIGURES

if TYPE_CHECKING:
    from weir.learn.comparison import Comparison
    from weir.learn.watch import Alarms

LATE = 0.01  # share of outcomes after the closing of their day, from which on it is said
HELD = 0.3  # of autocorrelation of days, above which an interval is narrower than it claims


def compared(of: Comparison) -> dict[str, Any]:
    """For JSON."""
    return asdict(of)


def alarms(of: Alarms) -> dict[str, Any]:
    """For JSON."""
    return {
        "incidents": [{"name": one.name, **asdict(one)} for one in of.incidents],
        "drifts": [{"name": one.name, **asdict(one)} for one in of.drifts],
    }


def figures_in(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """A column for each figure that some of these rows have."""
    names = [name for name in FIGURES if any(name in row for row in rows)]
    return [Column(FIGURES[name], name, lambda value: f"{value:.4f}", right=True) for name in names]


def show_comparison(of: Comparison, late: float, who: str = "learner") -> None:
    """A row for each figure, and what is proposed. who: that is compared."""
    _show_compared(asdict(of), who)
    if late > LATE:
        say(f"{late:.1%} of outcomes came after their day was closed: raise compare.wait_h, else days are judged early")


def show_live(found: Mapping[str, Any]) -> None:
    """The same of a learner that lives, and what drifts. found: as Evidence tells it."""
    if found["compared"] is None:
        say("no day is closed yet: it is compared with the champion from the first one on")
    else:
        _show_compared(found["compared"])
    if found["late"]:
        say(f"{found['late']:,} outcomes came after their day was closed, and are in none: compare.wait_h is too short")
    if one := found["incident"]:
        say(f"[bold yellow]{one['name']}[/]: the champion's loss is {one['loss']:.4g} instead of {one['usual']:.4g}")
    for one in found["drifts"][-1:]:
        say(f"[bold yellow]{one['name']}[/]: what comes true has been {one['residual']:+.3g} off what is expected")


def _show_compared(of: Mapping[str, Any], who: str = "learner") -> None:
    if of["figures"]:
        say("")
        columns = (
            Column("figure", "figure", lambda name: FIGURES.get(name, name.replace("_", " ")), name=True),
            Column(f"{who} against", "against"),
            Column("better by", "better_by", _number, right=True),
            Column("from", "low", _number, right=True),
            Column("to", "high", _number, right=True),
            Column("days", "days", right=True),
            Column("it is", "verdict"),
            Column("since", "since_ms", lambda at: "" if at is None else day(at)),
        )
        show([dict(one) for one in of["figures"]], columns, as_json=False)
    span = f" from {day(of['begin_ms'])} until before {day(of['end_ms'])}" if of["days"] else ""
    why = f": {'; '.join(of['why'])}" if of["why"] else ""
    since = "" if of["since_ms"] is None else f" since {day(of['since_ms'])}"
    say(f"on {of['days']} closed days{span}, {of['requests']:,} requests: [bold]{of['word']}[/]{since}{escape(why)}")
    if any((one["autocorrelation"] or 0) > HELD for one in of["figures"][:1]):
        say("days hang together: intervals may be too narrow")


def show_alarms(of: Alarms) -> None:
    """A line for each drift, and how many incidents there were, with the last one."""
    if of.incidents:
        last = of.incidents[-1]
        many = "1 incident" if len(of.incidents) == 1 else f"{len(of.incidents)} incidents"
        alarms_ = "1 alarm" if last.alarms == 1 else f"{last.alarms} alarms"
        state = "it lasts" if last.end_ms is None else f"over since {_minute(last.end_ms)}"
        say(
            f"{many} of the champion's loss; the last, {last.name}: {last.loss:.4g} instead of "
            f"{last.usual:.4g}, by {' and '.join(last.by)}, {alarms_}, {state}"
        )
    for one in of.drifts:
        say(
            f"[bold yellow]{one.name}[/]: what comes true has been {one.residual:+.3g} off what the champion expects "
            f"since {_minute(one.begin_ms)}, {one.blocks} blocks; evidence {one.evidence:,.0f}, alarms from "
            f"{one.limit:,.0f} on"
        )
    if not of.incidents and not of.drifts:
        say("no incident and no drift of what the champion says")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:+.5f}"


def day(at_ms: int) -> str:
    """A day, UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def _minute(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
