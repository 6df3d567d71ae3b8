"""The entry of `weir` and of `python -m weir`. Commands import what they use when they run: workers stay small."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from weir.cli import (
    alerts,
    apply,
    baseline,
    bundle,
    console,
    cost,
    dead_letters,
    demo,
    diagnose,
    estimate,
    init,
    learners,
    ledger,
    migrate,
    monitors,
    outcomes,
    query,
    report,
    reproduce,
    score,
    send,
    service,
    settings,
    slo,
    status,
    threshold,
    topics,
    up,
    worker,
)
from weir.cli.arguments import Command
from weir.core.errors import Refused, WeirError
from weir.edges.observability import process_metrics

SOFTWARE, FILES = 70, 74  # as in sysexits.h; an error of the world brings its own
EXTRAS = {  # modules that a worker does without, and the extra that brings them
    "onnx": "build",
    "lightgbm": "build",
    "river": "learn",
}
STATUSES = "\n".join(
    (
        "Exit status:",
        "0  done",
        "1  asked and the answer is no: a ledger that is not complete, topics that differ",
        "2  wrong usage",
        "70 a fault of Weir itself",
        "74 a file cannot be read or written",
        "75 a service is away: the same command may succeed later",
        "78 something must be changed first: settings, credentials, a missing topic, a bundle",
        "130 interrupted by Ctrl-C",
    )
)

cli = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Score events on Kafka with ONNX models, record every prediction, and account for every request.",
    epilog=STATUSES,
)
cli.command("init", cls=Command)(init.init)
cli.command("up")(up.up)
cli.command("demo")(demo.demo)
cli.command("console")(console.console)
cli.command("apply")(apply.apply)
cli.command("migrate")(migrate.migrate)
cli.command("status")(status.status)
cli.command("watch")(status.watch)
cli.command("ledger")(ledger.ledger)
cli.command("send", cls=Command)(send.send)
cli.command("tail")(send.tail)
cli.command("query")(query.query)
cli.command("report", cls=Command)(report.report)
cli.command("estimate", cls=Command)(estimate.estimate)
cli.command("diagnose", cls=Command)(diagnose.diagnose)
cli.command("reproduce", cls=Command)(reproduce.reproduce)
cli.command("settings")(settings.settings)
bundle.cli.command("score", cls=Command)(score.score)
cli.add_typer(service.cli, name="service")
cli.add_typer(bundle.cli, name="bundle")
cli.add_typer(outcomes.cli, name="outcomes")
cli.add_typer(dead_letters.cli, name="dead-letters")
cli.add_typer(baseline.cli, name="baseline")
cli.add_typer(monitors.cli, name="monitors")
cli.add_typer(cost.cli, name="cost")
cli.add_typer(slo.cli, name="slo")
cli.add_typer(threshold.cli, name="threshold")
cli.add_typer(learners.cli, name="learners")
cli.add_typer(alerts.cli, name="alerts")
cli.add_typer(topics.cli, name="topics")
cli.add_typer(worker.cli, name="worker")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"weir {version('weir')}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error of the world is one line on stderr, and an exit status that says its kind."""
    process_metrics.keep_in_memory()
    try:
        cli(prog_name="weir")
    except WeirError as error:
        _say(str(error))
        sys.exit(error.status)
    except OSError as error:
        _say(f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}")
        sys.exit(FILES)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
            _say(f"{error.name} is not installed: pip install 'weir[{EXTRAS[error.name]}]'")
            sys.exit(Refused.status)
        sys.excepthook(*sys.exc_info())  # the log's form, where a worker has set one
        sys.exit(SOFTWARE)


def _say(line: str) -> None:
    Console(stderr=True).print(f"weir: {line}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
