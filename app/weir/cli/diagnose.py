"""`weir diagnose`: what most likely made a figure change."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from weir.cli.arguments import reached
from weir.cli.output import AsJson, Column, say, show, show_json
from weir.cli.times import time_of

COLUMNS = (
    Column("explains", "share", "{:.0%}".format, right=True),
    Column("cause", "name"),
    Column("of", "subject", name=True),
    Column("what was found", "sentence"),
    Column("tie", "tie"),
)


def diagnose(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Id or key of an alert, or how it begins.")] = "",
    service: Annotated[str, typer.Option(help="Without an alert: the service.")] = "",
    begin: Annotated[str, typer.Option("--from", help="Without an alert: where the window begins, UTC.")] = "",
    end: Annotated[str, typer.Option("--to", help="Where it ends, exclusive.")] = "",
    base_begin: Annotated[str, typer.Option("--base-from", help="Where the time before it begins.")] = "",
    base_end: Annotated[str, typer.Option("--base-to", help="Where that ends, exclusive.")] = "",
    as_json: AsJson = False,
) -> None:
    """Rank what may have caused a change: infrastructure, data, model, or whoever asks; with the query that shows it.

    The window of the alert, or the one that --from and --to name, is compared with the time before it, 24 times as
    long. Causes that explain the same are said to be a tie.
    """
    from dataclasses import replace

    from weir.edges.clickhouse.client import connect
    from weir.operations import diagnose as operation

    settings = reached()
    client = connect(settings.recording)
    if alert:
        found = operation.alert(client, alert)
        change = operation.change_of(found)
        if not as_json:
            say(f"{found.alert_id} {found.service} {found.monitor} {found.subject}: {found.sentence}")
    elif service and begin and end:
        change = operation.Change.of(service, time_of(begin, "--from"), time_of(end, "--to"))
    else:
        raise typer.BadParameter("name an alert, or --service, --from and --to")
    change = replace(
        change,
        base_begin=time_of(base_begin, "--base-from") if base_begin else change.base_begin,
        base_end=time_of(base_end, "--base-to") if base_end else change.base_end,
    )
    result = operation.explain(client, change)
    causes = [{**_row(cause), "command": _command(cause, change.parameters())} for cause in result.causes]
    if as_json:
        show_json({"change": result.change, "causes": causes, **change.parameters()})
        return
    if not causes:
        say("nothing has moved beyond chance" if not result.change else "what has moved has no cause that can be seen")
        return
    show([{**cause, "tie": "yes" if cause["tied"] else ""} for cause in causes], COLUMNS, as_json=False)
    say("the query that shows each:")
    for command in dict.fromkeys(cause["command"] for cause in causes):
        say(command)


def _row(cause: Any) -> dict[str, Any]:
    names = ("name", "subject", "share", "sentence", "query", "parameters", "tied")
    return {"kind": cause.kind.name.lower(), **{name: getattr(cause, name) for name in names}}


def _command(cause: Any, change: dict[str, Any]) -> str:
    """Of which the answer is the evidence."""
    given = {**change, **cause.parameters}
    words = [word for name, value in given.items() for word in ("--param", f"{name}={value}")]
    return shlex.join(["weir", "query", cause.query, *words])
