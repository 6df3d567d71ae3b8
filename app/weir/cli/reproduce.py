"""`weir reproduce`: does a recorded prediction come out the same?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from weir.cli.arguments import reached
from weir.cli.output import AsJson, say, show_json

if TYPE_CHECKING:
    from weir.operations.reproduce import Reproduced


def reproduce(
    ids: Annotated[
        list[str], typer.Argument(help="Ids of predictions; of requests, each of their predictions.", metavar="ID...")
    ],
    with_requests: Annotated[
        bool,
        typer.Option("--requests/--no-requests", help="Also compare with the requests that Kafka still holds."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make recorded predictions again, by their bundles and recorded inputs: the same bits, or what differs.

    Exit status 1 when something differs, also when the bundle is not here. What a runtime has otherwise than the
    recorded one is said; by itself it is no difference.
    """
    from weir.edges.clickhouse.client import connect
    from weir.operations import reproduce as reproducing

    settings = reached()
    client = connect(settings.recording)
    named = reproducing.named(client, ids)
    found = reproducing.reproduce(client, settings, named, with_requests=with_requests)
    if as_json:
        show_json([asdict(one) | {"same": one.same} for one in found])
    else:
        for one in found:
            _show(one)
        same = sum(one.same for one in found)
        say(f"{same:,} of {len(found):,} the same")
    if not all(one.same for one in found):
        raise typer.Exit(1)


def _show(one: Reproduced) -> None:
    verdict = "[bold green]same[/]" if one.same else "[bold red]differs[/]"
    decided = f"{one.score:.9g} {one.decision}".strip()
    model = f"{one.model} {one.version} ({one.digest}) for {one.service}"
    model += f" at state {one.learner_state}" if one.learner_state else ""
    by = f", by the engine of the record, {one.engine}" if one.engine else ""
    say(f"{verdict}  {one.prediction_id}  {escape(decided)} by {escape(model)}{by}; its request: {one.request}")
    for line in one.differences:
        say(f"    {escape(line)}")
    for line in one.runtime:
        say(f"    runtime: {escape(line)}")
