"""`weir up`: the embedded services and every worker, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.edges.embedded.stack import Stack
    from weir.operations.local import Workers
    from weir.settings import Settings

LOOK_EVERY_S = 1.0  # how late the end of a worker is noticed
APPLY_WITHIN_S = 180.0  # Feast alone takes 10 s to import on a busy machine


def up(
    bundle: Annotated[str, typer.Option(help="Bundle folder or digest; default: WEIR_BUNDLE, else the newest.")] = "",
    broker_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one, as for the others.")] = 9092,
    clickhouse_port: Annotated[int, typer.Option(min=0, max=65535)] = 8123,
    registry_port: Annotated[int, typer.Option(min=0, max=65535)] = 8081,
    canary: Annotated[bool, typer.Option(help="Also compare features with Feast's own reading, now and then.")] = True,
) -> None:
    """Start broker, ClickHouse, schema registry and all workers here, show how to use them, and run until Ctrl-C."""
    from weir.edges.bundles import folder
    from weir.edges.embedded.stack import Stack
    from weir.operations.local import Workers, prepare
    from weir.settings import load

    console = Console()
    given = load()
    chosen = _bundle(bundle, given)
    given = given.having(service=given.scoring.service or folder.read(chosen).bundle.service)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it as Ctrl-C does

    def say(line: str) -> None:
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    try:
        with Stack(
            given, broker_port=broker_port, clickhouse_port=clickhouse_port, registry_port=registry_port, report=say
        ) as stack:
            prepare(stack)
            _apply_features(stack, say)
            workers = Workers(stack)
            workers.start("scorer", "--bundle", str(chosen))
            for role in ("recorder", "features", *(["canary"] if canary else [])):
                workers.start(role)
            workers.wait_ready(say)
            _show(console, stack, workers, chosen)
            _watch(workers)
    except KeyboardInterrupt:
        say("stopped")


def _bundle(asked: str, settings: Settings) -> Path:
    """The bundle to serve. Raises Refused for a name that fits none, Unavailable when there is none at all."""
    from weir.core.errors import Unavailable
    from weir.edges.bundles.folder import find
    from weir.operations.local import latest_bundle

    named = asked or settings.scoring.bundle
    if named:
        return find(named, settings)
    newest = latest_bundle(settings)
    if newest is None:
        raise Unavailable(
            "there is no model bundle to serve",
            where=str(settings.paths.bundles_dir),
            remedy="run `weir demo --flights 1000` once (it trains one), or name one with --bundle",
        )
    return newest.resolve()


def _apply_features(stack: Stack, say: Callable[[str], None]) -> None:
    """Run `weir apply` in a child where feature_repo/ is newer than its plan: Feast itself stays out of here."""
    from weir.core.errors import Unavailable
    from weir.edges.features import plan as feature_plan

    plan = feature_plan.path(stack.settings)
    repository = stack.settings.paths.feature_repo_dir
    sources = (path for path in repository.rglob("*") if path.suffix in (".py", ".yaml"))
    if plan.exists() and plan.stat().st_mtime > max((path.stat().st_mtime for path in sources), default=0.0):
        return
    say("applying the feature repository")
    child = stack.spawn(["apply"], "apply")
    status = child.wait(APPLY_WITHIN_S)
    stack.forget(child)
    if status != 0:
        raise Unavailable(
            "the feature repository cannot be applied",
            where=str(repository),
            remedy=f"run `weir apply` and mend what it names; its last lines:\n{child.log_tail()}",
        )


def _watch(workers: Workers) -> None:
    """Until Ctrl-C. Raises Unavailable when a service or worker ends by itself."""
    pause = threading.Event()
    while True:
        workers.check()
        pause.wait(LOOK_EVERY_S)


def _show(console: Console, stack: Stack, workers: Workers, bundle: Path) -> None:
    """Where everything is, and commands to copy: those without borders, so that a terminal gives them back whole."""
    settings = stack.settings
    table = Table(title="Weir is up; Ctrl-C stops everything", title_justify="left", show_header=False)
    table.add_row("Kafka", settings.kafka.brokers)
    table.add_row("Schema Registry", settings.registry.registry_url)
    table.add_row(
        "ClickHouse", f"{settings.recording.clickhouse_url}, database {settings.recording.clickhouse_database}"
    )
    table.add_row("bundle", str(bundle))
    for role, page in workers.pages.items():
        table.add_row(role, f"{page}/metrics")
    table.add_row("logs", str(settings.paths.home / "logs"))
    console.print(table)
    for title, command in commands(settings):
        console.print(f"\n# {title}", style="bold", markup=False, highlight=False)
        console.print(command, markup=False, highlight=False, soft_wrap=True)


def commands(settings: Settings) -> list[tuple[str, str]]:
    """Title and shell command of what a new user would try, with this stack's addresses; each runs as it stands."""
    topic = settings.kafka.names.requests(settings.scoring.service)
    example = settings.paths.schemas_dir / f"requests.{settings.scoring.service}" / "examples" / "good" / "whole.json"
    query = "SELECT request_id, score, decision, version, scored_at FROM predictions ORDER BY scored_at DESC LIMIT 5"
    login = (
        ' -u "default:$WEIR_CLICKHOUSE_PASSWORD"' if settings.recording.clickhouse_password.get_secret_value() else ""
    )
    clickhouse = (
        f"curl -s{login} '{settings.recording.clickhouse_url}/?database={settings.recording.clickhouse_database}'"
    )
    return [
        (
            "produce a request, here with the Python client",
            _PRODUCE.format(
                python=sys.executable,
                registry=settings.registry.registry_url,
                brokers=settings.kafka.brokers,
                topic=topic,
                example=example,
            ),
        ),
        ("its prediction, a second later", f'{clickhouse} --data-binary "{query} FORMAT PrettyCompact"'),
        (
            "records that were not scored, and why",
            f"{clickhouse} --data-binary "
            '"SELECT reason, count() FROM dead_letters GROUP BY reason FORMAT PrettyCompact"',
        ),
        (
            "is every request accounted for?",
            f"WEIR_CLICKHOUSE_URL={settings.recording.clickhouse_url} {sys.executable} -m app ledger",
        ),
        (
            "what a request looks like",
            f"curl -s {settings.registry.registry_url}/subjects/{topic}-value/versions/latest/schema",
        ),
    ]


_PRODUCE = """{python} - <<'EOF'
import json, time, uuid
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
topic = "{topic}"
row = json.load(open("{example}"))["row"]
row |= dict(request_id=str(uuid.uuid4()), event_time=int(time.time() * 1000), deadline=None)
encode = AvroSerializer(SchemaRegistryClient(dict(url="{registry}")),
                        conf={{"auto.register.schemas": False, "use.latest.version": True}})
producer = Producer({{"bootstrap.servers": "{brokers}"}})
producer.produce(topic, encode(row, SerializationContext(topic, MessageField.VALUE)))
print("sent", row["request_id"], "unsent:", producer.flush(10))
EOF"""
