"""Costs: the price book as ClickHouse knows it, and what was spent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver import Client

from weir.core.budget import Budget
from weir.core.prices import Component, Tariff
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering, url_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was spent of one component on a day.

    kind: answers; rejected, records that became dead letters; unrecorded, answers that are not in the record; idle.
    predictions: that bear it, the same for each component. used: in units of the component (seconds, keys, bytes).
    amount: exact; None where something was used that has no price.
    """

    service: str
    kind: str
    model: str
    version: str
    variant: str
    team: str
    tenant: str
    day: str
    component: Component
    predictions: int
    millionths: int
    amount: Decimal | None


def make(client: Client, currency: str, tariffs: Iterable[Tariff], budgets: Iterable[Budget]) -> None:
    """Let these take the place of the book and the budgets that were there. Raises Unavailable, Refused."""
    book = [(currency, one.component, one.begin, one.end, one.attos) for one in tariffs]
    planned = [
        (one.name, one.service, one.team, one.tenant, one.period, one.amount, currency, json.dumps(asdict(one.action)))
        for one in budgets
    ]
    with answering(url_of(client)):
        client.command(_filled("views/prices", book))
        client.command(_filled("views/budgets", planned))


def currency(client: Client) -> str:
    """Of the book; empty where there is none. Raises Unavailable, Refused."""
    with answering(url_of(client)):
        return str(client.query("SELECT any(currency) FROM prices").result_rows[0][0])


def lines(client: Client, service: str, begin: datetime, end: datetime) -> list[Line]:
    """What a service spent between two times, the end not included. Raises Unavailable, Refused."""
    rows = sql_files.rows(client, "costs/lines", service=service, **{"from": begin, "to": end})
    return [Line(**row | _exact(row)) for row in rows]


def _exact(row: dict[str, Any]) -> dict[str, Any]:
    amount = None if row["amount"] is None else Decimal(row["amount"])
    return {"component": Component(row["component"]), "millionths": int(row["millionths"]), "amount": amount}


def _filled(name: str, rows: Sequence[tuple[object, ...]]) -> str:
    """The statement of a template, with these rows as texts."""
    lines = [line for line in sql_files.load(name).text.splitlines() if not line.startswith("--")]
    put = ", ".join(f"({', '.join(_quoted(str(value)) for value in row)})" for row in rows)
    return "\n".join(lines).replace("<rows>", put)


def _quoted(text: str) -> str:
    r"""A literal of ClickHouse's.

    >>> _quoted("it's a \\")
    "'it\\'s a \\\\'"
    """
    return f"'{re.sub(chr(92) * 2 + '|' + chr(39), lambda found: chr(92) + found[0], text)}'"
