"""What several commands take: settings of running services, and arguments with what can be wrong with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client

    from weir.settings import Settings

Which = Annotated[
    str, typer.Argument(help="Bundle folder, beginning of its digest, or a service: its newest.", metavar="BUNDLE")
]
_LETTER = re.compile(r"[^/]+/\d+/\d+@\S.*")


class Command(TyperCommand):
    """A command whose usage line names an argument that must be given as manuals do: BUNDLE, without braces."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after the command's name."""
        return [re.sub(r"^\{(.*)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]


def reached() -> Settings:
    """The settings of a command that asks running services; says so where those of a `weir up` here are meant."""
    from weir import running
    from weir.settings import load, sources

    settings = load()
    if sources(settings)["brokers"] == str(settings.paths.home / running.FILE):
        kafka, clickhouse = settings.kafka.brokers, settings.recording.clickhouse_url
        typer.echo(f"asking the `weir up` that runs here: Kafka {kafka}, ClickHouse {clickhouse}", err=True)
    return settings


def check_letters(ids: Sequence[str]) -> None:
    """Raises typer.BadParameter for what cannot be the id of a dead letter."""
    for letter in ids:
        if not _LETTER.fullmatch(letter):
            remedy = "write topic/partition/offset@log, as `weir dead-letters list --ids` does"
            raise typer.BadParameter(f"{letter!r} is no id of a dead letter: {remedy}")


def check_service(service: str, settings: Settings, client: Client) -> None:
    """Raises Refused naming the services that there are, where this is none of them; Unavailable.

    A service is known by its contract in this project or by what is recorded of it.
    """
    from weir.edges.clickhouse import ledger
    from weir.edges.schemas import folder
    from weir.operations.answers import check_listed

    declared = {settings.scoring.service, *folder.services(settings.paths.schemas_dir)} - {""}
    if not service or service in declared:
        return
    known = sorted(declared | set(ledger.services(client)))
    check_listed(service, known, settings.recording.clickhouse_url)
