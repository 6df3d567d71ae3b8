"""`weir topics`: the declared topics and record schemas, and what the cluster has of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from weir.cli.arguments import reached
from weir.cli.output import AsJson, Column, Wide, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weir.edges.kafka.acls import Acl

cli = typer.Typer(no_args_is_help=True, help="List, create and check Kafka topics, their schemas and their ACLs.")


def _days(hours: int) -> str:
    return "for ever" if hours < 0 else f"{hours / 24:g} d"


def _roles(names: Sequence[str]) -> str:
    return ", ".join(names)


LISTED = (
    Column("topic", "name", name=True),
    Column("partitions", "partitions", right=True),
    Column("retention", "retention_hours", _days, right=True),
    Column("record", "record", name=True),
    Column("largest batch", "max_message_bytes", lambda size: f"{size / 2**20:g} MiB", right=True, wide=True),
    Column("written by", "writers", _roles, wide=True),
    Column("read by", "readers", _roles, wide=True),
    Column("what it holds", "doc", wide=True),
)
CREATED = (
    Column("topic", "topic", name=True),
    Column("state", "created", lambda created: "created" if created else "was there"),
    Column("partitions", "extended", lambda extended: "added" if extended else "as they were", wide=True),
    Column("schema id", "schema_id", right=True),
)
CHECKED = (
    Column("topic", "topic", name=True),
    Column("partitions", "partitions", right=True),
    Column("state", "faults", lambda faults: "; ".join(faults) or "as declared"),
)
ACLS = (
    Column("role", "role", name=True, wide=True),
    Column("principal", "principal", name=True),
    Column("on", "on", name=True),
    Column("may", "may", ", ".join),
)


@cli.command("list")
def list_topics(wide: Wide = False, as_json: AsJson = False) -> None:
    """List the declared topics: those that every project has and this project's own. Nothing is connected to."""
    from weir.edges.kafka.topics import declared
    from weir.settings import load

    show([asdict(topic) for topic in declared(load())], LISTED, as_json=as_json, wide=wide)


@cli.command()
def create(
    replication: Annotated[
        int | None, typer.Option(help="Copies of each partition; by default as many as the cluster's default.", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register the schemas and create the topics that are missing. Running it again is safe.

    Topics of answers get as many partitions as the topics of requests have.
    """
    from weir.edges.kafka.topics import declared, ensure, extend
    from weir.edges.schemas.registry import Registry, publish

    settings = reached()
    topics = declared(settings)
    registry = Registry(settings.registry)
    ids = publish(registry, settings.paths.schemas_dir, topics)  # first: a topic without a contract is of no use
    registry.close()
    extended = extend(settings, topics)
    created = ensure(settings, topics, replication or -1)
    rows = [
        {
            "topic": topic.name,
            "created": topic.name in created,
            "extended": topic.name in extended,
            "schema_id": ids[topic.subject],
        }
        for topic in topics
    ]
    show(rows, CREATED, as_json=as_json)


@cli.command()
def check(as_json: AsJson = False) -> None:
    """Compare the cluster's topics with the declared ones; exit status 1 when they differ."""
    from weir.edges.kafka import topics

    found = topics.check(reached())
    rows = [
        {"topic": entry.topic.name, "partitions": entry.partitions, "faults": list(entry.faults)} for entry in found
    ]
    show(rows, CHECKED, as_json=as_json)
    if any(entry.faults for entry in found):
        raise typer.Exit(1)


@cli.command()
def acls(
    principal: Annotated[
        list[str],
        typer.Option(
            help="ROLE=PRINCIPAL, in place of ROLE=User:weir-ROLE; {service} in it makes one for each service. Repeat."
        ),
    ] = [],  # noqa: B006  typer copies it
    apply: Annotated[bool, typer.Option("--apply", help="Create the ACLs that are missing; none is removed.")] = False,
    commands: Annotated[bool, typer.Option("--commands", help="Print calls of kafka-acls.sh instead.")] = False,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List the Kafka ACLs that each role needs, no more than these; with --apply create them."""
    from weir.edges.kafka.acls import acls, grant
    from weir.settings import load

    principals = dict(_principal(text) for text in principal)
    settings = reached() if apply else load()
    wanted = acls(settings, principals)
    given = grant(settings, wanted) if apply else ()
    if as_json:
        show([asdict(acl) | {"given": acl in given} for acl in wanted], (), as_json=True)
    elif commands:
        typer.echo("\n".join(acl.command(settings.kafka.brokers) for acl in wanted))
    else:
        granted = (Column("created now", "given", ", ".join),) if apply else ()
        show(_by_resource(wanted, given), (*ACLS, *granted), as_json=False, wide=wide)


def _by_resource(wanted: Sequence[Acl], given: Sequence[Acl]) -> list[dict[str, object]]:
    """A row for what a principal may do on a topic or group, and which of it was granted by this command."""
    found: dict[tuple[str, str, str], list[Acl]] = defaultdict(list)
    for acl in wanted:
        found[acl.role, acl.principal, acl.on].append(acl)
    return [
        {
            "role": role,
            "principal": principal,
            "on": on,
            "may": [acl.operation for acl in these],
            "given": [acl.operation for acl in these if acl in given],
        }
        for (role, principal, on), these in found.items()
    ]


def _principal(text: str) -> tuple[str, str]:
    role, _, name = text.partition("=")
    if not role or ":" not in name:
        raise typer.BadParameter(f"{text!r} is not ROLE=PRINCIPAL, such as scorer=User:weir-scorer")
    return role, name
