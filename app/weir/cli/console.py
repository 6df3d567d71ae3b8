"""`weir console`: pages of what is recorded, for people."""

from __future__ import annotations

from typing import Annotated

import typer

from weir.edges.embedded.service import CONSOLE_PORT


def console(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Beyond this machine WEIR_CONSOLE_TOKEN is needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = CONSOLE_PORT,
    name: Annotated[
        list[str] | None, typer.Option(help="A name that people reach it by, beside --host; repeat it for more.")
    ] = None,
    act: Annotated[
        bool,
        typer.Option(
            "--act", help="Let people acknowledge and silence alerts, send dead letters again and save queries."
        ),
    ] = False,
) -> None:
    """Serve the console: what needs somebody, each service, alerts, the ledger, dead letters and a page to ask SQL.

    It reads ClickHouse as WEIR_CLICKHOUSE_READER, and refuses a user who may insert, create or drop, read files or ask
    other addresses; infra/clickhouse/reader.xml makes one who may not. It loads nothing from elsewhere.
    """
    from weir.settings import load
    from weir.web.console.serve import serve

    serve(
        load(), host, port, names=name or (), act=act, told=lambda address: typer.echo(f"the console is on {address}")
    )
