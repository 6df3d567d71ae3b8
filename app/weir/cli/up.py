"""`weir up`: the embedded services and every worker, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weir.cli.output import Column, show, show_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.core.bundle import Bundle
    from weir.edges.embedded.stack import Stack
    from weir.operations.local import Workers
    from weir.settings import Settings

    Say = Callable[[str], None]

LOOK_EVERY_S = 1.0  # how late the end of a worker is noticed
WORKERS = (
    Column("worker", "role", name=True),
    Column("pid", "pid", right=True),
    Column("state", "state"),
    Column("metrics", "page", "{}/metrics".format, name=True),
)


def up(
    bundle: Annotated[
        str, typer.Option(help="Bundle folder or digest; it is served by later starts, too, until another is named.")
    ] = "",
    newest: Annotated[
        bool, typer.Option("--newest", help="Serve the newest bundle of WEIR_SERVICE, and forget what --bundle named.")
    ] = False,
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

    It serves --bundle, else WEIR_BUNDLE, else what --bundle named last for the service, else the newest.

    SIGTERM ends it as Ctrl-C does. From a script: `weir up > up.log & PID=$!`, later `kill $PID; wait $PID`; a shell
    starts background jobs with SIGINT ignored, so send SIGTERM. `weir up` is up once it has printed "Weir is up".
    """
    from weir.edges.embedded.stack import Stack
    from weir.operations import contract, local, serving
    from weir.settings import load

    if bundle and newest:
        raise typer.BadParameter("--bundle names one already", param_hint="--newest")
    console = Console()

    def say(line: str) -> None:
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it as Ctrl-C does
    try:
        given, choice, chosen = load(), None, None
        if scorer:
            choice = serving.choose(bundle, given, newest=newest)
            chosen = choice.bundle
            contract.check(given, chosen)
            say(f"serving {chosen.name} {chosen.version}, {chosen.short_digest}: {choice.why}")
            given = given.having(service=chosen.service, bundle=str(choice.path))
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
            if choice is not None and (bundle or newest):
                serving.remember(given, choice, by_name=bool(bundle))
            _show(console, stack, workers, chosen)
            _watch(workers, say)
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


def _watch(workers: Workers, say: Say) -> None:
    """Until Ctrl-C. What ends by itself is told as it ends, and the rest stays up.

    Raises Unavailable when nothing useful is left: the broker has ended, or every worker.
    """
    pause = threading.Event()
    while True:
        workers.tell_ended(say)
        workers.check_useful()
        pause.wait(LOOK_EVERY_S)


def _show(console: Console, stack: Stack, workers: Workers, bundle: Bundle | None) -> None:
    """Where everything is, and commands to copy: those without borders, so that a terminal gives them back whole."""
    from weir.operations import first_steps

    def paste(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    settings = stack.settings
    table = Table(title="Weir is up; Ctrl-C stops everything", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("Kafka", settings.kafka.brokers)
    table.add_row("Schema Registry", settings.registry.registry_url)
    table.add_row(
        "ClickHouse", f"{settings.recording.clickhouse_url}, database {settings.recording.clickhouse_database}"
    )
    if bundle is not None:
        table.add_row("service", escape(bundle.service))
        table.add_row("bundle", escape(f"{bundle.name} {bundle.version}, {bundle.short_digest}"))
    table.add_row("logs", escape(str(settings.paths.home / "logs")))
    show_table(table)
    rows = [
        {"role": role, "pid": child.pid, "state": "running" if child.poll() is None else child.ending(), "page": page}
        for (role, child), page in zip(workers.children.items(), workers.pages.values(), strict=True)
    ]
    show(rows, WORKERS, title="workers", as_json=False)
    console.print("for weir in another shell:", style="dim", highlight=False)
    paste(first_steps.exports(settings))
    console.print(
        "A consumer that joins a group (`subscribe`) may wait some seconds for its partitions; `assign` is immediate.",
        style="dim",
        soft_wrap=True,
        highlight=False,
    )
    for title, command in first_steps.commands(settings, bundle.signature) if bundle is not None else []:
        console.print(f"\n# {title}", style="bold", markup=False, highlight=False)
        paste(command)
