"""`weir up`: the embedded services and every worker, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.core.bundle import Bundle
    from weir.edges.embedded.stack import Stack
    from weir.operations.local import Workers
    from weir.settings import Settings

    Say = Callable[[str], None]

LOOK_EVERY_S = 1.0  # how late the end of a worker is noticed


def up(
    bundle: Annotated[
        str, typer.Option(help="Bundle folder or digest; default: WEIR_BUNDLE, else the newest of WEIR_SERVICE.")
    ] = "",
    broker_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one, as for the others.")] = 9092,
    clickhouse_port: Annotated[int, typer.Option(min=0, max=65535)] = 8123,
    registry_port: Annotated[int, typer.Option(min=0, max=65535)] = 8081,
    scorer: Annotated[bool, typer.Option(help="Score requests.")] = True,
    recorder: Annotated[bool, typer.Option(help="Record predictions, outcomes and dead letters in ClickHouse.")] = True,
    features: Annotated[
        bool, typer.Option(help="Compute the features of the feature repository that are computed here.")
    ] = True,
    canary: Annotated[bool, typer.Option(help="Also compare features with Feast's own reading, now and then.")] = True,
) -> None:
    """Start broker, ClickHouse, schema registry and all workers here, show how to use them, and run until Ctrl-C.

    What a run leaves under WEIR_HOME (the Kafka log, rows, online features) is there again in the next; nothing is
    deleted. A worker that ends is named with its last words, and the rest stays up.

    SIGTERM ends it as Ctrl-C does. From a script: `weir up > up.log & PID=$!`, later `kill $PID; wait $PID`; a shell
    starts background jobs with SIGINT ignored, so send SIGTERM. `weir up` is up once it has printed "Weir is up".
    """
    from weir.edges.embedded.stack import Stack
    from weir.operations import local, serving
    from weir.settings import load

    console = Console()

    def say(line: str) -> None:
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it as Ctrl-C does
    try:
        given, chosen = load(), None
        if scorer:
            path, chosen = serving.choose(bundle, given)
            given = given.having(service=chosen.service, bundle=str(path))
        with Stack(
            given, broker_port=broker_port, clickhouse_port=clickhouse_port, registry_port=registry_port, report=say
        ) as stack:
            local.prepare(stack)
            if left := local.kept(stack.settings):
                say(f"kept from the last run: {left}")
            _apply_features(stack, chosen, say)
            workers = local.Workers(stack)
            wanted = {"scorer": scorer, "recorder": recorder, "features": features, "canary": canary}
            for role in _roles(wanted, stack.settings, chosen, say):
                workers.start(role)
            workers.wait_ready(say, needed={"scorer"})
            _show(console, stack, workers, chosen)
            _watch(stack, workers, say)
    except KeyboardInterrupt:
        say("stopped")


def _apply_features(stack: Stack, bundle: Bundle | None, say: Say) -> None:
    """Apply the feature repository. Raises Unavailable when it cannot be, and the bundle reads features."""
    from weir.core.errors import Unavailable
    from weir.operations import local

    if not stack.settings.paths.feature_repo_dir.is_dir():
        return
    try:
        local.apply_features(stack, say)
    except Unavailable as error:
        if bundle is not None and bundle.feature_service:
            raise
        say(f"{error}")


def _roles(wanted: dict[str, bool], settings: Settings, bundle: Bundle | None, say: Say) -> list[str]:
    """The workers to start: those that are wanted and have something to do here."""
    from weir.operations import local

    idle = {}
    if why := local.why_no_feature_worker(settings):
        idle["features"] = why
    if bundle is not None and not bundle.feature_service:
        idle["canary"] = "the bundle reads no features"
    for role, why in idle.items():
        if wanted[role]:
            say(f"no {role} worker: {why}")
    return [role for role, want in wanted.items() if want and role not in idle]


def _watch(stack: Stack, workers: Workers, say: Say) -> None:
    """Until Ctrl-C. What ends by itself is named, and the rest stays up.

    Raises Unavailable when nothing useful is left: the broker has ended, or every worker.
    """
    told: set[str] = set()
    pause = threading.Event()
    while True:
        for child in stack.ended():
            if child.name == "broker" or workers.pages.keys() <= {gone.name for gone in stack.ended()}:
                child.check()
            if child.name not in told:
                told.add(child.name)
                say(f"{child.name} ended with exit status {child.poll()}, the rest stays up; its log: {child.log}")
                say(child.log_tail() or "(it wrote nothing)")
        pause.wait(LOOK_EVERY_S)


def _show(console: Console, stack: Stack, workers: Workers, bundle: Bundle | None) -> None:
    """Where everything is, and commands to copy: those without borders, so that a terminal gives them back whole."""
    from weir.operations import first_steps

    settings = stack.settings
    table = Table(title="Weir is up; Ctrl-C stops everything", title_justify="left", show_header=False)
    table.add_row("Kafka", settings.kafka.brokers)
    table.add_row("Schema Registry", settings.registry.registry_url)
    table.add_row(
        "ClickHouse", f"{settings.recording.clickhouse_url}, database {settings.recording.clickhouse_database}"
    )
    if bundle is not None:
        table.add_row("service", bundle.service)
        table.add_row("bundle", f"{bundle.name} {bundle.version}, {settings.scoring.bundle}")
    gone = {child.name for child in stack.ended()}
    for role, page in workers.pages.items():
        table.add_row(role, "has ended" if role in gone else f"{page}/metrics")
    table.add_row("logs", str(settings.paths.home / "logs"))
    console.print(table)
    console.print(
        "A consumer that joins a group (`subscribe`) may wait some seconds for its partitions; `assign` is immediate.",
        style="dim",
        soft_wrap=True,
        highlight=False,
    )
    for title, command in first_steps.commands(settings, bundle.signature) if bundle is not None else []:
        console.print(f"\n# {title}", style="bold", markup=False, highlight=False)
        console.print(command, markup=False, highlight=False, soft_wrap=True)
