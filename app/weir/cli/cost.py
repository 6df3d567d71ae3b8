"""`weir cost`: what was spent, and who is charged for it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weir.cli.arguments import check_service, reached
from weir.cli.output import AsJson, Column, say, show, show_csv
from weir.cli.times import time_of, time_or_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weir.monitor.chargeback import Charge

Service = Annotated[str, typer.Option(help="One scoring service; by default all of them.")]
Begin = Annotated[str, typer.Option("--from", help="From this time of scoring on, ISO 8601, UTC; 30 days ago.")]
End = Annotated[str, typer.Option("--to", help="Before this time; by default now.")]
By = Annotated[
    str, typer.Option(help="What tells rows apart: some of service, model, version, variant, team, tenant, day.")
]
Digits = Annotated[
    int, typer.Option(help="Digits behind the point; amounts add up to the total with each.", min=0, max=24)
]
MONTH = timedelta(days=30)

cli = typer.Typer(no_args_is_help=True, help="See what was spent, and charge it to teams and tenants.")


@cli.command("show")
def show_(
    service: Service = "",
    begin: Begin = "",
    end: End = "",
    by: By = "service",
    digits: Digits = 6,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, by who bears it: answers, dead letters (rejected), idle workers.

    Prices are those of prices.yaml, as `weir migrate` has made them known. An amount is empty where something was used
    that has no price.
    """
    names = _names(by)
    charges, currency, why = _charges(service, begin, end, names, digits)
    rows = [_row(charge, names, currency) for charge in charges]
    keys = [*(Column(name, name, name=True) for name in names), Column("kind", "kind")]
    counted = Column("predictions", "predictions", "{:,}".format, right=True)
    show(rows, [*keys, counted, *(Column(name, name, _money, right=True) for name in _amounts())], as_json=as_json)
    if not as_json:
        total = sum(charge.amount for charge in charges if charge.amount is not None)
        say(why or (f"together {total:,f} {currency}" if rows else "nothing was spent in this time"))


def _money(value: Decimal | None) -> str:
    return "" if value is None else f"{value:,f}"


@cli.command()
def export(
    service: Service = "",
    begin: Begin = "",
    end: End = "",
    by: By = "team,tenant",
    digits: Digits = 9,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV; this is what happens without --parquet.")] = False,
    parquet: Annotated[Path | None, typer.Option(help="Write a Parquet file instead.", metavar="FILE")] = None,
) -> None:
    """Export who is charged for what; the amounts add up to all that was metered, to the last digit.

    Rows of the kind answers can be charged to their team or tenant. The others are dead letters (rejected), answers
    that the record lacks (unrecorded) and idle workers, so that nothing is left out.
    """
    names = _names(by)
    if csv and parquet:
        raise typer.BadParameter("give --csv or --parquet, not both")
    charges, currency, _ = _charges(service, begin, end, names, digits)
    rows = [_row(charge, names, currency) for charge in charges]
    if parquet is None:
        texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
        show_csv(texts, [*names, "kind", "predictions", *_amounts(), "currency"])
        return
    import pyarrow as pa
    from pyarrow import parquet as file

    kinds = dict.fromkeys((*names, "kind", "currency"), pa.string()) | {"predictions": pa.int64()}
    fields = [*names, "kind", "predictions", *_amounts(), "currency"]
    schema = pa.schema([(name, kinds.get(name, pa.decimal128(38, digits))) for name in fields])
    file.write_table(pa.Table.from_pylist(rows, schema=schema), parquet)
    typer.echo(f"wrote {len(rows):,} rows to {parquet}", err=True)


def _amounts() -> list[str]:
    from weir.core.prices import Component

    return [*(component.value for component in Component), "amount"]


def _charges(service: str, begin: str, end: str, names: Sequence[str], digits: int) -> tuple[list[Charge], str, str]:
    """Charges, the currency, and what is to be said where amounts are not known."""
    from weir.edges.clickhouse import costs, ledger
    from weir.edges.clickhouse.client import connect
    from weir.monitor.chargeback import charges

    until = time_or_now(end, "--to")
    since = time_of(begin, "--from") if begin else until - MONTH
    if since >= until:
        raise typer.BadParameter(f"the time ends before it begins: {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}")
    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    services = [service] if service else [one for one in ledger.services(client) if one]
    lines = [line for one in services for line in costs.lines(client, one, since, until)]
    unpriced = sorted({f"{line.component} on {line.day}" for line in lines if line.amount is None})
    remedy = "give it one in prices.yaml, and run `weir migrate`"
    why = f"no total: there is no price for {', '.join(unpriced[:3])}: {remedy}" if unpriced else ""
    return charges(lines, names, digits), costs.currency(client), why


def _row(charge: Charge, names: Sequence[str], currency: str) -> dict[str, Any]:
    amounts = {component.value: amount for component, amount in charge.amounts.items()}
    found = dict(zip(names, charge.keys, strict=True)) | {"kind": charge.kind, "predictions": charge.predictions}
    return found | amounts | {"amount": charge.amount, "currency": currency}


def _names(by: str) -> tuple[str, ...]:
    from weir.monitor.chargeback import BY

    names = tuple(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    if strange := [name for name in names if name not in BY]:
        raise typer.BadParameter(f"--by {strange[0]} is none of {', '.join(BY)}")
    return names
