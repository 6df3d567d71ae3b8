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
    from collections.abc import Callable, Mapping, Sequence

    from weir.core.bundle import Bundle
    from weir.edges.embedded.stack import Stack
    from weir.operations.answering import Answering
    from weir.operations.local import Workers
    from weir.operations.serving import Choices
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
        list[str] | None,
        typer.Option(
            help="Bundle folder or digest, for its service; it is served by later starts, too, until another is named. "
            "Repeat it for more services."
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this service; repeat it for more.", metavar="SERVICE")
    ] = None,
    newest: Annotated[
        bool, typer.Option("--newest", help="Serve the newest bundles, and forget what --bundle named.")
    ] = False,
    broker_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one, as for the others.")] = 9092,
    clickhouse_port: Annotated[int, typer.Option(min=0, max=65535)] = 8123,
    registry_port: Annotated[int, typer.Option(min=0, max=65535)] = 8081,
    scorer: Annotated[bool, typer.Option(help="Score requests.")] = True,
    recorder: Annotated[bool, typer.Option(help="Record predictions, outcomes and dead letters in ClickHouse.")] = True,
    features: Annotated[
        bool, typer.Option(help="Compute the features of the feature repository that are computed here.")
    ] = True,
    monitor: Annotated[bool, typer.Option(help="Compute monitors over what is recorded, and raise alerts.")] = True,
    learner: Annotated[
        bool,
        typer.Option(help="Learn from outcomes, where the project has learners (learners/*.yaml) when this starts."),
    ] = True,
    canary: Annotated[bool, typer.Option(help="Also compare features with Feast's own reading, now and then.")] = True,
    golden: Annotated[
        bool, typer.Option(help="Also ask each scorer for an answer that is known, a row of its bundle, each minute.")
    ] = True,
    console: Annotated[bool, typer.Option(help="Serve the console, where people see all of it and may act.")] = True,
    console_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="0 takes a free one; by default 8300, or a free one where that is taken."),
    ] = None,
) -> None:
    """Start broker, ClickHouse, schema registry and all workers here, show how to use them, and run until Ctrl-C.

    What a run leaves under WEIR_HOME (the Kafka log, rows, online features) is there again in the next; nothing is
    deleted. A worker that ends is named with its last words, and the rest stays up. Where a learner is promoted, or
    taken back, its scorer and shadow answer what they have read and begin anew with the other bundle.

    Every service of the project has a scorer, or those that --only or WEIR_SERVICE names. It serves --bundle, else
    WEIR_BUNDLE, else what --bundle named last for the service, else the newest.

    SIGTERM ends it as Ctrl-C does. From a script: `weir up > up.log & PID=$!`, later `kill $PID; wait $PID`; a shell
    starts background jobs with SIGINT ignored, so send SIGTERM. `weir up` is up once it has printed "Weir is up".
    """
    from weir import running
    from weir.edges.embedded.stack import Stack
    from weir.operations import local, serving
    from weir.operations.answering import Answering
    from weir.settings import load

    if bundle and newest:
        raise typer.BadParameter("--bundle names one already", param_hint="--newest")
    terminal = Console()

    def say(line: str) -> None:
        terminal.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it as Ctrl-C does
    try:
        given, choices = load(), serving.Choices({}, {})
        if scorer:
            choices = serving.choose(bundle or (), given, only=only or (), newest=newest)
            _tell(choices, say)
            given = _settled(given, choices)
        with Stack(
            given, broker_port=broker_port, clickhouse_port=clickhouse_port, registry_port=registry_port, report=say
        ) as stack:
            local.prepare(stack)
            if left := local.kept(stack.settings):
                say(f"kept from the last run: {left}")
            served = [choice.bundle for choice in choices.served.values()]
            _apply_features(stack, served, say)
            pages = local.Console(stack, console_port) if console else None
            workers = local.Workers(stack)
            answering = Answering(workers, given, say)
            scorers = answering.start_scorers(choices)
            wanted = {
                "recorder": recorder,
                "features": features,
                "monitor": monitor,
                "learner": learner,
                "canary": canary,
            }
            for role in _roles(wanted, stack.settings, served):
                workers.start(role)
            answering.start_shadows()
            needed = scorers if len(scorers) == 1 else ()
            workers.wait_ready(say, needed, look=answering.look, changing=answering.changing)
            if golden:
                answering.ask_for_known()
            if pages is not None:
                pages.wait_ready()
            serving.remember_all(given, choices, newest=newest)
            home = stack.settings.paths.home
            running.write(home, stack.settings.values())
            try:
                _show(terminal, stack, workers, served, pages.address if pages else "")
                _watch(workers, answering, say)
            finally:
                running.remove(home)
    except KeyboardInterrupt:
        say("stopped")


def _tell(choices: Choices, say: Say) -> None:
    """What is served and why, and what is not."""
    for service, choice in choices.served.items():
        bundle = choice.bundle
        say(f"serving {service}: {bundle.name} {bundle.version}, {bundle.short_digest}: {choice.why}")
    for service, why in choices.absent.items():
        say(f"no scorer of {service}: {why}")
    if not choices.served and not choices.absent:
        say("there is no service yet: make one by `weir service add NAME MODEL --sample ROWS`")


def _settled(settings: Settings, choices: Choices) -> Settings:
    """Settings of the whole stack: of its service where it has one, of none where it has several."""
    if len(choices.served) != 1:
        return settings.having(service="", bundle="")
    service, choice = next(iter(choices.served.items()))
    return settings.having(service=service, bundle=str(choice.path))


def _apply_features(stack: Stack, served: Sequence[Bundle], say: Say) -> None:
    """Apply the feature repository where a bundle reads features. Raises Unavailable when it cannot be."""
    from weir.operations import local

    if stack.settings.paths.feature_repo_dir.is_dir() and any(bundle.feature_service for bundle in served):
        local.apply_features(stack, say)


def _roles(wanted: Mapping[str, bool], settings: Settings, served: Sequence[Bundle]) -> list[str]:
    """The workers to start beside the scorers: those that are wanted and have something to do here."""
    from weir.demo.features.updater import has_work

    reads = any(bundle.feature_service for bundle in served)
    learns = any(settings.paths.learners_dir.glob("*.yaml"))
    useful = {"recorder": True, "monitor": True, "learner": learns, "canary": reads}
    useful |= {"features": reads and has_work(settings)}
    return [role for role, want in wanted.items() if want and useful[role]]


def _watch(workers: Workers, answering: Answering, say: Say) -> None:
    """Until Ctrl-C. What ends by itself is told as it ends, and the rest stays up; but what was promoted is served.

    Raises Unavailable when nothing useful is left: the broker has ended, or every worker.
    """
    pause = threading.Event()
    while True:
        answering.look()
        workers.tell_ended(say, but=answering.changing())
        workers.check_useful()
        pause.wait(LOOK_EVERY_S)


def _show(console: Console, stack: Stack, workers: Workers, served: Sequence[Bundle], address: str) -> None:
    """Where everything is, and commands to copy: those without borders, so that a terminal gives them back whole."""
    from weir.operations import first_steps
    from weir.settings import default_of

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
    if address:
        table.add_row("console", address)
    for bundle in served:
        what = f"{bundle.service}: {bundle.name} {bundle.version}, {bundle.short_digest}"
        table.add_row("service", escape(what))
    table.add_row("logs", escape(str(settings.paths.home / "logs")))
    show_table(table)
    rows = [
        {"role": role, "pid": child.pid, "state": "running" if child.poll() is None else child.ending(), "page": page}
        for (role, child), page in zip(workers.children.items(), workers.pages.values(), strict=True)
    ]
    show(rows, WORKERS, title="workers", as_json=False)
    found = settings.paths.home.resolve() == default_of("home").resolve()
    here = (
        "In another shell, weir finds it from this folder. From elsewhere:" if found else "For weir in another shell:"
    )
    console.print(here, style="dim", highlight=False, soft_wrap=True)
    paste(first_steps.exports(settings))
    console.print(
        "A consumer that joins a group (`subscribe`) may wait some seconds for its partitions; `assign` is immediate.",
        style="dim",
        soft_wrap=True,
        highlight=False,
    )
    signatures = {bundle.service: bundle.signature for bundle in served}
    for title, command in first_steps.commands(settings, signatures) if served else first_steps.A_SERVICE:
        console.print(f"\n# {title}", style="bold", markup=False, highlight=False)
        paste(command)
