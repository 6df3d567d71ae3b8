"""One line for each service: how much, how fast, what it says, whether its inputs moved, how good, at what cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core import reference
from weir.core.reference import About
from weir.core.signature import Task
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import written
from weir.monitor.spec import Asked, Unit, coarsest
from weir.monitor.verdict import State
from weir.operations.needs_you import Alert

TRAFFIC: Final = ("traffic", "traffic_hour")
INPUTS: Final = ("drift/features", "drift/categories")
# What a task's quality is told by: monitor, subject, what it is called, unit.
QUALITY: Final[Mapping[Task, tuple[str, str, str, Unit]]] = {
    Task.BINARY: ("outcome/auc", "", "AUC", Unit.AUC),
    Task.MULTICLASS: ("outcome/accuracy", "accuracy", "accuracy", Unit.SHARE),
    Task.REGRESSION: ("outcome/error", "mae", "MAE", Unit.NUMBER),
}
COST: Final = "cost/services"
VALUE: Final = "outcome/value"
ASKED: Final = (*INPUTS, *(one[0] for one in QUALITY.values()), COST, VALUE)
BACK: Final = timedelta(days=35)  # outcomes of a day are mature weeks later
RECENT: Final = timedelta(days=3)  # what drifted before is no news
MILLION: Final = 1_000_000
CHAMPION: Final = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its name; end: of the window that it is of, UTC."""

    name: str
    value: float
    unit: Unit
    low: float | None = None
    high: float | None = None
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service at a glance. None is what nobody knows: nothing came, or no monitor has said so yet.

    counts: predictions by step, of the whole time. rate: a second. says: share of its decisions that are not the
    lowest, of a regression the mean of its scores. inputs, inputs_moved: that drift monitors have looked at in their
    newest window. cost: of a million predictions, of the newest day, in `currency`. value: earned in those windows of
    this time whose outcomes are known, in `currency`. complete_to, newest: event times, UTC. budget: the share of its
    error budgets that is left, of the scarcest.
    """

    name: str
    version: str
    variants: tuple[tuple[str, str], ...]
    task: Task | None
    state: State
    firing: int
    pending: int
    predictions: int
    counts: tuple[int, ...]
    rate: float | None
    p99_ms: float | None
    says: Figure | None
    inputs: int
    inputs_moved: int
    inputs_state: State
    quality: Figure | None
    cost: float | None
    currency: str
    value: float | None
    complete_to: datetime | None
    behind: bool
    newest: datetime | None
    budget: float | None = None


def services(
    client: Client,
    names: Iterable[str],
    begin: datetime,
    end: datetime,
    step_s: int,
    alerts: Sequence[Alert],
    complete: Mapping[str, datetime],
    behind: Collection[str],
    newest: Mapping[str, datetime],
    budgets: Mapping[str, float],
) -> tuple[Service, ...]:
    """Each of the named ones, by name. Raises Unavailable, Refused."""
    traffic = _traffic(client, begin, end, step_s)
    figures = _figures(client, begin, end)
    bundles = {row["service"]: row for row in sql_files.rows(client, "overview/bundles")}
    found = []
    for name in sorted(names):
        of = [one for one in alerts if one.service == name]
        task = Task(bundles[name]["task"]) if name in bundles else None
        said = figures.get(name, {})
        moved, inputs, drifts = _inputs(said, reference.inputs(bundles.get(name, {}).get("known", "")))
        found.append(
            Service(
                name=name,
                **_flow(traffic.get(name), bundles.get(name, {}), begin, end, step_s),
                task=task,
                state=_state(of, behind=name in behind),
                firing=sum(one.fires for one in of),
                pending=sum(not one.fires for one in of),
                inputs=inputs,
                inputs_moved=moved,
                inputs_state=drifts,
                quality=_quality(said, task),
                cost=_cost(said),
                currency=_currency(said),
                value=_total(said),
                complete_to=complete.get(name),
                behind=name in behind,
                newest=newest.get(name),
                budget=budgets.get(name),
            )
        )
    return tuple(found)


def announced(client: Client, service: str = "") -> set[str]:
    """Services that a scorer has announced, whether or not anything was asked of them. service: that one alone.

    Raises Unavailable, Refused.
    """
    found = {str(row["service"]) for row in sql_files.rows(client, "overview/bundles")}
    return found & {service} if service else found


def table_of(begin: datetime, end: datetime, step_s: int) -> str:
    """The coarsest table of traffic that has windows of step_s seconds."""
    return coarsest("traffic", TRAFFIC, Asked(service="", begin=begin, end=end, step_s=step_s))


def _traffic(client: Client, begin: datetime, end: datetime, step_s: int) -> dict[str, dict[str, Any]]:
    asked = {"traffic": table_of(begin, end, step_s), "from": written(begin), "to": written(end), "step": step_s}
    return {row["service"]: row for row in sql_files.rows(client, "overview/traffic", **asked)}


def _figures(client: Client, begin: datetime, end: datetime) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Newest figures by service and monitor."""
    asked = {
        "from": min(begin, end - BACK),
        "recent": end - RECENT,
        "since": begin,
        "to": end,
        "monitors": list(ASKED),
    }
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in sql_files.rows(client, "overview/figures", **asked):
        found[row["service"]][row["monitor"]].append(row)
    return found


def _flow(
    row: Mapping[str, Any] | None, bundle: Mapping[str, Any], begin: datetime, end: datetime, step_s: int
) -> dict[str, Any]:
    """What of a service follows from its traffic."""
    steps = -(-int((end - begin).total_seconds()) // step_s)
    if row is None:
        nothing = {"predictions": 0, "counts": (0,) * steps, "rate": None, "p99_ms": None, "says": None}
        return {"version": str(bundle.get("version", "")), "variants": (), **nothing}
    windows = dict(row["windows"])
    first = int(begin.timestamp()) // step_s * step_s
    variants = sorted(row["variants"], key=lambda one: _values(one)[3])
    by_variant = {_values(one)[0]: _values(one)[1] for one in variants}  # of each, its newest version
    most = max(variants, key=lambda one: (_values(one)[0] == CHAMPION, _values(one)[3]))
    return {
        "version": _values(most)[1],
        "variants": tuple(sorted(by_variant.items())),
        "predictions": row["n"],
        "counts": tuple(windows.get(first + step_s * place, 0) for place in range(steps)),
        "rate": row["n"] / (end - begin).total_seconds(),
        "p99_ms": row["p99_ms"],
        "says": _says(row, bundle, end),
    }


def _values(one: Any) -> tuple[str, str, int, int]:
    """Variant, version, predictions and newest window: Arrow gives a tuple as a dict."""
    variant, version, rows, newest = one.values() if isinstance(one, Mapping) else one
    return str(variant), str(version), int(rows), int(newest)


def _says(row: Mapping[str, Any], bundle: Mapping[str, Any], end: datetime) -> Figure | None:
    task, flagging = bundle.get("task"), set(bundle.get("flagging") or ())
    if task == Task.BINARY:
        decisions = dict(row["decisions"])
        share = sum(count for word, count in decisions.items() if word in flagging) / max(sum(decisions.values()), 1)
        return Figure(name="positive", value=share, unit=Unit.SHARE, end=end)
    if task == Task.REGRESSION:
        return Figure(name="mean", value=row["mean_score"], unit=Unit.NUMBER, end=end)
    if task == Task.MULTICLASS and (decisions := dict(row["decisions"])):
        word, count = max(decisions.items(), key=lambda item: (item[1], item[0]))
        return Figure(name=word, value=count / sum(decisions.values()), unit=Unit.SHARE, end=end)
    return None


def _inputs(said: Mapping[str, list[dict[str, Any]]], known: Mapping[str, About]) -> tuple[int, int, State]:
    """How many inputs have moved, of how many, in the newest window of each monitor; and how far.

    known: of some inputs more, by name; those that move by nature have not moved.
    """
    rows = [row for monitor in INPUTS for row in _newest(said.get(monitor, []))]
    by_nature = {name for name, about in known.items() if about.cycle}
    states = [row["state"] for row in rows if row["subject"] not in by_nature]
    moved = sum(state in ("warn", "page") for state in states)
    if not rows:
        return 0, 0, State.UNKNOWN
    return moved, len(rows), State.ALARM if "page" in states else State.LOOK if moved else State.OK


def _quality(said: Mapping[str, list[dict[str, Any]]], task: Task | None) -> Figure | None:
    monitor, subject, name, unit = QUALITY[task or Task.BINARY]
    for row in said.get(monitor, []):
        if row["subject"] == subject and row["value"] is not None:
            end = datetime.fromtimestamp(row["end_ms"] / 1000, UTC)
            return Figure(name=name, value=row["value"], unit=unit, low=row["low"], high=row["high"], end=end)
    return None


def _cost(said: Mapping[str, list[dict[str, Any]]]) -> float | None:
    """Of a million predictions, over all that they are told apart by."""
    rows = [row for row in _newest(said.get(COST, [])) if row["value"] is not None]
    n = sum(row["n"] for row in rows)
    return sum(row["value"] * row["n"] for row in rows) / n if n else None


def _currency(said: Mapping[str, list[dict[str, Any]]]) -> str:
    """The price book's, as it was when the newest figure was made; empty where there is no price book."""
    rows = [row for monitor in (COST, VALUE) for row in said.get(monitor, []) if row["currency"]]
    return str(max(rows, key=lambda row: row["newest_ms"])["currency"]) if rows else ""


def _total(said: Mapping[str, list[dict[str, Any]]]) -> float | None:
    totals = [row["total"] for row in said.get(VALUE, []) if row["total"] is not None]
    return sum(totals) if totals else None


def _newest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    last = max((row["newest_ms"] for row in rows), default=0)
    return [row for row in rows if row["newest_ms"] == last]


def _state(of: Sequence[Alert], *, behind: bool) -> State:
    if any(one.look is State.ALARM for one in of):
        return State.ALARM
    return State.LOOK if of or behind else State.OK
