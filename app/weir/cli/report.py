"""`weir report`: how good a service's predictions were."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weir.cli.arguments import reached
from weir.cli.output import AsJson, Column, say, show, show_csv, show_json
from weir.cli.times import time_of
from weir.core.signature import Task

if TYPE_CHECKING:
    from weir.edges.clickhouse.reports import Meaning

BY = ("all", "day", "hour", "variant", "model")


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _money(value: Any) -> str:
    return "" if value is None else f"{value:,.2f}"


def _figure(heading: str, key: str = "") -> Column:
    return Column(heading, key or heading, _rounded, right=True)


def _counted(heading: str, key: str = "") -> Column:
    return Column(heading, key or heading, _count, right=True)


FIGURES = {
    Task.BINARY: (
        *(_counted("flagged", "flagged_n"), _counted("true", "positives"), _counted("caught")),
        *(_figure("precision"), _figure("recall"), _figure("AUC", "auc")),
    ),
    Task.MULTICLASS: (_figure("accuracy"), _figure("macro F1", "macro_f1")),
    Task.REGRESSION: (_figure("MAE", "mae"), _figure("RMSE", "rmse"), _figure("bias")),
}
CLASSES = (
    Column("class", "class", name=True),
    *(_counted("true", "support"), _counted("decided", "times_decided"), _counted("hits")),
    *(_figure("precision"), _figure("recall"), _figure("F1", "f1")),
)


def report(
    service: Annotated[str, typer.Argument(help="The scoring service.", metavar="SERVICE")],
    by: Annotated[str, typer.Option(help=f"A row for each of these: {', '.join(BY)}.", metavar="WHAT")] = "all",
    since: Annotated[str, typer.Option(help="From this time of the requests on, ISO 8601, UTC.")] = "",
    until: Annotated[str, typer.Option(help="Before this time of the requests.")] = "",
    classes: Annotated[
        bool, typer.Option("--classes", help="A row for each class, too; with --csv these alone.")
    ] = False,
    shadows: Annotated[bool, typer.Option("--shadows", help="Of what shadows say, on which nobody acts.")] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Show how good a service's predictions were, as far as it is known what came true.

    Of two classes: precision and recall of those flagged, AUC. Of several: accuracy, macro F1. Of numbers: mean
    absolute error, root of the mean square, bias. And their value, by the service's formula. What comes true first is
    no fair sample of what will: look at the share that waits.
    """
    from weir.cli.arguments import check_service
    from weir.edges.clickhouse import reports
    from weir.edges.clickhouse.client import connect

    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    if by not in BY:
        raise typer.BadParameter(f"--by {by} is none of {', '.join(BY)}")
    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    window = {"begin": time_of(since, "--since")} if since else {}
    window |= {"end": time_of(until, "--until")} if until else {}
    asked = reports.Asked(service=service, by=reports.By(by), shadows=shadows, **window)
    of = reports.meaning(client, service)
    if classes and of.task is Task.REGRESSION:
        raise typer.BadParameter(f"{service} predicts numbers, no classes", param_hint="--classes")
    rows = _parts(reports.report(client, asked, of), by)
    each = _parts(reports.classes(client, asked, of), by) if classes else []
    if as_csv:
        if chosen := each if classes else rows:
            show_csv(chosen, list(chosen[0]))
    elif as_json:
        show_json({"figures": _plain(rows), "classes": _plain(each)} if classes else _plain(rows))
    else:
        show(rows, _columns(rows, by, of), as_json=False)
        if each:
            show(each, [*_by(by), *CLASSES], as_json=False)
        _remark(rows)


def _parts(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Rows with what they are of under its own name; without it where they are of everything."""
    return [
        {by if name == "part" else name: value for name, value in row.items() if name != "part" or by != "all"}
        for row in rows
    ]


def _by(by: str) -> list[Column]:
    return [] if by == "all" else [Column(by, by, name=True)]


def _columns(rows: list[dict[str, Any]], by: str, of: Meaning) -> list[Column]:
    begin = [_counted("n"), _counted("outcomes"), Column("waiting", "waiting", _share, right=True)]
    unknown = [_counted("unknown labels", "unknown")] if any(row.get("unknown") for row in rows) else []
    has_value = any(row["value"] is not None for row in rows)
    value = [Column("value", "value", _money, right=True)] if has_value else []
    return [*_by(by), *begin, *unknown, *FIGURES[of.task], *value]


def _remark(rows: list[dict[str, Any]]) -> None:
    """What the figures leave out."""
    if not rows:
        say("no predictions in this time")
        return
    if unknown := sum(row.get("unknown", 0) for row in rows):
        say(f"{unknown:,} labels are no class of any bundle of the service, and are in the value alone")
    if unread := sum(row["unread"] for row in rows):
        say(f"{unread:,} outcomes say nothing of the kind that is predicted, and are in the value alone")
    if any(row["value"] is not None for row in rows) and (unvalued := sum(row["unvalued"] for row in rows)):
        say(f"of {unvalued:,} outcomes the formula of the value gives no number")


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A decimal as JSON has it: a number of fifteen digits."""
    return [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()} for row in rows
    ]
