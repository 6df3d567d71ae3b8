"""`weir topics`: the topics and record schemas that schemas/ declares, and what the cluster has of them."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

cli = typer.Typer(no_args_is_help=True, help=__doc__)


@cli.command("list")
def list_topics() -> None:
    """Show what schemas/topics.yaml declares; asks nobody."""
    from app.edges.topics import declared
    from app.settings import load

    table = Table("topic", "partitions", "retention", "largest", "record", "written by", "read by")
    for topic in declared(load()):
        kept = "for ever" if topic.retention_hours < 0 else f"{topic.retention_hours / 24:g} d"
        table.add_row(
            topic.name, str(topic.partitions), kept, f"{topic.max_message_bytes / 2**20:g} MiB", topic.record,
            ", ".join(topic.writers), ", ".join(topic.readers),
        )  # fmt: skip
    Console().print(table)


@cli.command()
def create(
    replication: int = typer.Option(-1, help="Copies of each partition; -1 is the cluster's default."),
) -> None:
    """Register the schemas and create the topics that are missing. Safe to run again."""
    from app.edges.schema_registry import Registry, publish
    from app.edges.topics import declared, ensure
    from app.settings import load

    settings, console = load(), Console()
    topics = declared(settings)
    registry = Registry(settings)
    ids = publish(registry, settings.schemas_dir, topics)     # first: a topic without a contract is of no use
    registry.close()
    created = ensure(settings, topics, replication)
    table = Table("topic", "state", "schema id")
    for topic in topics:
        table.add_row(topic.name, "created" if topic.name in created else "was there", str(ids[topic.subject]))
    console.print(table)


@cli.command()
def check() -> None:
    """Compare the cluster with the declaration; exit status 1 when they differ."""
    from app.edges import topics
    from app.settings import load

    found = topics.check(load())
    table = Table("topic", "partitions", "state")
    for entry in found:
        table.add_row(entry.topic.name, str(entry.partitions), "; ".join(entry.faults) or "as declared")
    Console().print(table)
    if any(entry.faults for entry in found):
        raise typer.Exit(1)
