"""The part of the demo's report that monitors fill: drift and outcomes by month, cost, alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table

from weir.demo.months import CONSERVED, Cost, Month
from weir.demo.plant import Plant
from weir.demo.season import CALIBRATION, WEEK_S, Watched
from weir.monitor.alert import Severity

NAMED: Final = 3  # drifted inputs of a month that the table names
PAGES_A_MONTH: Final = 1
DAY_S: Final = 86_400


def grid(title: str, *rows: tuple[str, str, str]) -> RenderableType:
    """A table of what, how much, and what that means."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", width=25, no_wrap=True)
    table.add_column(justify="right", width=12, no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def to_json(watched: Watched, months: list[Month], cost: Cost, plants: Sequence[Plant] = ()) -> dict[str, Any]:
    """Plain values, under the key `monitors` of the demo's report."""
    return {
        "drift": {
            "baseline": "reference",
            "months": [
                {
                    "month": _name(month),
                    "predictions": month.predictions,
                    "inputs": month.inputs,
                    "drifted": len(month.drifted),
                    "features": [{"name": one.name, "psi": one.psi, "state": one.state.value} for one in month.drifted],
                }
                for month in months
            ],
        },
        "outcomes": {
            "months": [
                {
                    "month": _name(month),
                    "predictions": month.predictions,
                    "outcomes": month.outcomes,
                    "maturity": month.maturity,
                    **{
                        name: {"value": value, "low": low, "high": high}
                        for name, (value, low, high) in month.figures.items()
                    },
                }
                for month in months
            ]
        },
        "cost": {
            "currency": cost.currency,
            "predictions": cost.predictions,
            "metered": cost.metered,
            "allocated": cost.allocated,
            "rejected": cost.rejected,
            "idle": cost.idle,
            "components": dict(cost.components),
            "per_thousand": cost.per_thousand(cost.allocated),
            "per_thousand_with_idle": cost.per_thousand(cost.metered),
            "unexplained": cost.unexplained,
            "conserved": cost.unexplained <= CONSERVED,
        },
        "alerts": {
            "windows": watched.windows,
            "window_s": WEEK_S,
            "baseline": "season",
            "pages": sum(_by_month(watched, months, Severity.PAGE).values()),
            "tickets": sum(_by_month(watched, months, Severity.TICKET).values()),
            "pages_by_month": _by_month(watched, months, Severity.PAGE),
            "tickets_by_month": _by_month(watched, months, Severity.TICKET),
            "planted": [_noticed(plant, watched) for plant in plants],
            "raised": [
                {
                    "at": one.at.isoformat(),
                    "severity": one.severity.value,
                    "monitor": one.monitor,
                    "subjects": list(one.subjects),
                    "sentence": one.sentence,
                }
                for one in watched.alarms
            ],
        },
    }


def claims(report: dict[str, Any]) -> dict[str, bool]:
    """What the demo claims of these figures, and whether it holds. report: as `to_json` gives it."""
    found = {f"allocated and idle cost are what was metered, to {CONSERVED:.0%}": report["cost"]["conserved"]}
    if not report["alerts"]["planted"]:
        most = max(report["alerts"]["pages_by_month"].values(), default=0)
        found[f"the season pages at most {PAGES_A_MONTH} time a month"] = most <= PAGES_A_MONTH
    return found


def show(report: dict[str, Any]) -> list[RenderableType]:
    """The tables of `to_json`."""
    return [
        _outcomes(report["outcomes"]["months"]),
        _drift(report["drift"]["months"]),
        _cost(report["cost"]),
        _alerts(report["alerts"]),
    ]


def _outcomes(months: list[dict[str, Any]]) -> RenderableType:
    table = _by_months("\nMonth by month: outcomes", "predictions", "known", "AUC", "95 %", "precision", "recall")
    for month in months:
        auc = month["auc"]
        table.add_row(
            month["month"],
            f"{month['predictions']:,}",
            f"{month['maturity']:.1%}",
            _number(auc["value"]),
            f"{_number(auc['low'])}-{_number(auc['high'])}",
            *(_number(month.get(name, {}).get("value")) for name in ("precision", "recall")),
        )
    return table


def _drift(months: list[dict[str, Any]]) -> RenderableType:
    table = _by_months("\nMonth by month: drifted inputs", "drifted")
    table.add_column("the most, by PSI", style="dim", overflow="fold")
    for month in months:
        named = (f"{one['name'].split('__')[-1]} {one['psi']:.1f}" for one in month["features"][:NAMED])
        table.add_row(month["month"], f"{month['drifted']} of {month['inputs']}", ", ".join(named))
    return table


def _by_months(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("month", style="cyan")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _cost(cost: dict[str, Any]) -> RenderableType:
    whole = "[green]conserved[/]" if cost["conserved"] else "[red]NOT CONSERVED[/]"
    return grid(
        f"\nCost at the prices of an example, {cost['currency']}",
        ("per 1,000 predictions", _money(cost["per_thousand"]), "that they bear"),
        ("with idle time", _money(cost["per_thousand_with_idle"]), "all that was metered"),
        ("allocated + idle = metered", whole, f"unexplained: {cost['unexplained']:.2%} of a component at most"),
    )


def _alerts(alerts: dict[str, Any]) -> RenderableType:
    by_month = ", ".join(str(count) for count in alerts["pages_by_month"].values())
    rows = [
        ("windows computed", f"{alerts['windows']:,}", "weeks, each against the four before it"),
        ("pages", f"{alerts['pages']:,}", f"by month: {by_month}"),
        ("tickets", f"{alerts['tickets']:,}", "for the morning"),
    ]
    for one in alerts["planted"]:
        rows.append((f"planted: {one['plant'].partition('@')[0]}", one["since"], one["means"]))
        for severity in (Severity.TICKET, Severity.PAGE):
            if told := one[severity.value]:
                rows.append((f"noticed by a {severity.value}", f"{told['delay_days']:.0f} days", told["sentence"]))
        if not one["detected"]:
            rows.append(("not noticed", "", ""))
    rows += [
        (f"page of {one['at'][:10]}", str(len(one["subjects"])), f"{one['monitor']}: {one['sentence']}")
        for one in alerts["raised"]
        if one["severity"] == Severity.PAGE
    ]
    return grid("\nAlerts", *rows)


def _noticed(plant: Plant, watched: Watched) -> dict[str, Any]:
    """When a fault was noticed: the first ticket and the first page about what it broke, from its day on."""
    told: dict[str, dict[str, Any] | None] = {severity.value: None for severity in Severity}
    for one in watched.alarms:
        about = plant.input in one.subjects if plant.input else one.monitor == CALIBRATION
        if about and one.at > plant.since and told[one.severity.value] is None:
            days = (one.at - plant.since).total_seconds() / DAY_S
            told[one.severity.value] = {"at": one.at.isoformat(), "delay_days": days, "sentence": one.sentence}
    first = min((one["delay_days"] for one in told.values() if one), default=None)
    page = told[Severity.PAGE.value]
    return {
        "plant": str(plant),
        "means": plant.means,
        "since": f"{plant.since:%Y-%m-%d}",
        "detected": first is not None,
        "delay_days": page["delay_days"] if page else first,
        **told,
    }


def _by_month(watched: Watched, months: list[Month], severity: Severity) -> dict[str, int]:
    counted = Counter(f"{one.at:%Y-%m}" for one in watched.alarms if one.severity is severity)
    return {name: counted.pop(name, 0) for name in map(_name, months)} | dict(counted)


def _name(month: Month) -> str:
    return f"{month.begin:%Y-%m}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _money(amount: float | None) -> str:
    return "no price" if amount is None else f"{amount:.5f}"
