"""`weir reproduce`: does a recorded prediction come out the same?"""

from __future__ import annotations

import shlex
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from weir.cli.output import AsJson, say, show_json

if TYPE_CHECKING:
    from weir.operations.reproduce import Reproduced

NO_ID = (
    "{word!r} is no id of a prediction, which is a UUID; of a request's name `weir query --param request={quoted} "
    "'SELECT prediction_id FROM predictions WHERE request_id = {{request:String}}'` says it"
)


def reproduce(
    ids: Annotated[list[str], typer.Argument(help="Ids of predictions.", metavar="ID...")],
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
    from weir.settings import load

    asked, settings = [_id(word) for word in ids], load()
    found = reproducing.reproduce(connect(settings.recording), settings, asked, with_requests=with_requests)
    if as_json:
        show_json([asdict(one) | {"same": one.same} for one in found])
    else:
        for one in found:
            _show(one)
        same = sum(one.same for one in found)
        say(f"{same:,} of {len(found):,} the same")
    if not all(one.same for one in found):
        raise typer.Exit(1)


def _id(word: str) -> str:
    try:
        return str(uuid.UUID(word))
    except ValueError:
        raise typer.BadParameter(NO_ID.format(word=word, quoted=shlex.quote(word)), param_hint="ID") from None


def _show(one: Reproduced) -> None:
    verdict = "[bold green]same[/]" if one.same else "[bold red]differs[/]"
    decided = f"{one.score:.9g} {one.decision}".strip()
    model = f"{one.model} {one.version} ({one.digest}) for {one.service}"
    say(f"{verdict}  {one.prediction_id}  {escape(decided)} by {escape(model)}; its request: {one.request}")
    for line in one.differences:
        say(f"    {escape(line)}")
    for line in one.runtime:
        say(f"    runtime: {escape(line)}")
