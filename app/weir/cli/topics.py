"""`weir topics`: the topics and record schemas that schemas/ declares, and what the cluster has of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

cli = typer.Typer(no_args_is_help=True, help=__doc__)


@cli.command("list")
def list_topics() -> None:
    """Show what schemas/topics.yaml declares; asks nobody."""
    from weir.edges.kafka.topics import declared
    from weir.settings import load

    table = Table("topic", "partitions", "retention", "largest", "record", "written by", "read by")
    for topic in declared(load()):
        kept = "for ever" if topic.retention_hours < 0 else f"{topic.retention_hours / 24:g} d"
        table.add_row(
            topic.name,
            str(topic.partitions),
            kept,
            f"{topic.max_message_bytes / 2**20:g} MiB",
            topic.record,
            ", ".join(topic.writers),
            ", ".join(topic.readers),
        )
    Console().print(table)


@cli.command()
def create(
    replication: int = typer.Option(-1, help="Copies of each partition; -1 is the cluster's default."),
) -> None:
    """Register the schemas and create the topics that are missing. Safe to run again."""
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish
    from weir.settings import load

    settings, console = load(), Console()
    topics = declared(settings)
    registry = Registry(settings.registry)
    ids = publish(registry, settings.paths.schemas_dir, topics)  # first: a topic without a contract is of no use
    registry.close()
    created = ensure(settings, topics, replication)
    table = Table("topic", "state", "schema id")
    for topic in topics:
        table.add_row(topic.name, "created" if topic.name in created else "was there", str(ids[topic.subject]))
    console.print(table)


@cli.command()
def check() -> None:
    """Compare the cluster with the declaration; exit status 1 when they differ."""
    from weir.edges.kafka import topics
    from weir.settings import load

    found = topics.check(load())
    table = Table("topic", "partitions", "state")
    for entry in found:
        table.add_row(entry.topic.name, str(entry.partitions), "; ".join(entry.faults) or "as declared")
    Console().print(table)
    if any(entry.faults for entry in found):
        raise typer.Exit(1)


@cli.command()
def acls(
    principal: Annotated[
        list[str],
        typer.Option(
            help="ROLE=PRINCIPAL, in place of ROLE=User:DEPLOYMENT-ROLE; {service} makes one for each service. Repeat."
        ),
    ] = [],  # noqa: B006  typer copies it
    apply: bool = typer.Option(False, "--apply", help="Create the ACLs that the cluster lacks; none is removed."),
    commands: bool = typer.Option(False, "--commands", help="Print calls of kafka-acls.sh."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the ACLs on Kafka that each role needs, made from schemas/topics.yaml, and no more than these."""
    import json
    from dataclasses import asdict

    from weir.edges.kafka.acls import acls, grant
    from weir.settings import load

    settings = load()
    wanted = acls(settings, dict(_principal(text) for text in principal))
    given = grant(settings, wanted) if apply else ()
    if as_json:
        typer.echo(json.dumps([asdict(acl) | {"given": acl in given} for acl in wanted], indent=2))
    elif commands:
        typer.echo("\n".join(acl.command(settings.kafka.brokers) for acl in wanted))
    else:
        table, may = Table("role", "principal", "on", "may", *(["given"] if apply else [])), defaultdict(list)
        for acl in wanted:
            may[acl.role, acl.principal, acl.on].append(acl)
        for resource, found in may.items():
            columns = [found, [acl for acl in found if acl in given]] if apply else [found]
            table.add_row(*resource, *(", ".join(acl.operation for acl in column) for column in columns))
        Console().print(table)


def _principal(text: str) -> tuple[str, str]:
    role, _, name = text.partition("=")
    if not role or ":" not in name:
        raise typer.BadParameter(f"{text!r} is not ROLE=PRINCIPAL, such as scorer=User:weir-scorer")
    return role, name
