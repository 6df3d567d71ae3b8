"""`weir`: the command line. Commands import what they need when they run: a worker never loads a training library."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from weir.cli import apply, bundle, dead_letters, demo, ledger, migrate, topics, up, worker
from weir.core.errors import Refused, WeirError
from weir.edges.observability import process_metrics

# Of sysexits.h: a supervisor may start again after the first, and must not after the second.
TEMPORARY, CONFIGURATION = 75, 78

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
cli.command("up")(up.up)
cli.command("demo")(demo.demo)
cli.command("apply")(apply.apply)
cli.command("migrate")(migrate.migrate)
cli.command("ledger")(ledger.ledger)
cli.add_typer(bundle.cli, name="bundle")
cli.add_typer(dead_letters.cli, name="dead-letters")
cli.add_typer(topics.cli, name="topics")
cli.add_typer(worker.cli, name="worker")


def main() -> None:
    """Run the command line; an error of the world is one line on stderr, and an exit status that says its kind."""
    process_metrics.keep_in_memory()
    try:
        cli()
    except WeirError as error:
        Console(stderr=True).print(f"weir: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(CONFIGURATION if isinstance(error, Refused) else TEMPORARY)


if __name__ == "__main__":
    main()
