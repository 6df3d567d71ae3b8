"""The entry of `weir` and of `python -m weir`. Commands import what they use when they run: workers stay small."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from weir.cli.arguments import Command
from weir.core.errors import Refused, WeirError
from weir.edges.observability import process_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

SOFTWARE, FILES = 70, 74  # as in sysexits.h; an error of the world brings its own
EXTRAS = {  # modules that a worker does without, and the extra that brings them
    "onnx": "build",
    "lightgbm": "build",
    "river": "learn",
    "grafana_foundation_sdk": "grafana",
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

COMMANDS = (  # each a function of the module of weir.cli that is named like it
    "init",
    "up",
    "demo",
    "console",
    "apply",
    "migrate",
    "status",
    "watch",
    "ledger",
    "send",
    "tail",
    "query",
    "report",
    "estimate",
    "diagnose",
    "reproduce",
    "train",
    "strategy",
    "settings",
)
ELSEWHERE = {"watch": "status", "tail": "send"}  # of another
GROUPS = (  # each the `cli` of such a module
    "service",
    "bundle",
    "outcomes",
    "dead-letters",
    "baseline",
    "monitors",
    "cost",
    "slo",
    "threshold",
    "learners",
    "alerts",
    "topics",
    "worker",
)


def command_line(words: Sequence[str] = ()) -> typer.Typer:
    """The whole of it; or where the first of the words is a command, that one: others cost half a second to import."""
    cli = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Score events on Kafka with ONNX models, record every prediction, and account for every request.",
        epilog=STATUSES,
    )
    cli.callback()(_options)
    names = (*COMMANDS, *GROUPS)
    for name in words[:1] if words and words[0] in names else names:
        if name in COMMANDS:
            cli.command(name, cls=Command)(getattr(_module(ELSEWHERE.get(name, name)), name))
        else:
            cli.add_typer(_module(name.replace("-", "_")).cli, name=name)
    return cli


def _module(name: str) -> Any:
    return import_module(f"weir.cli.{name}")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"weir {version('weir')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error of the world is one line on stderr, and an exit status that says its kind."""
    process_metrics.forget_folders()
    try:
        command_line(sys.argv[1:])(prog_name="weir")
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
