"""Costs: the price book as ClickHouse knows it, what was spent, and whether a statement needs to look at answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core.budget import Budget
from weir.core.prices import Component, Tariff
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import Once, answering, each_time, url_of

# Lines of parts/cost_borne.sql, with the time that they are about.
ODD: Final = re.compile(r"^ *-- odd: ([^\n;]*); ([^\n;]*)\n.*?^ *-- odd end\n", re.DOTALL | re.MULTILINE)
# What such a statement asks of the price book, and the parameters that take the place of it.
BOOK: Final = "(SELECT groupArray((component, begins, ends, attos)) FROM prices)"
CURRENCY: Final = "(SELECT any(currency) FROM prices)"
KNOWN: Final = {BOOK: "{book:Array(Tuple(String, Date32, Date32, Int128))}", CURRENCY: "{currency:String}"}
# whole: as many answers name each batch as it scored. Both lists are the same but for their order, or two sums of
# hashes are by chance.
ASKED: Final = """
    SELECT sum(mark) = 0 AS whole, (SELECT groupArray((component, begins, ends, attos)) FROM prices) AS book,
           (SELECT any(currency) FROM prices) AS currency
    FROM
    (
        SELECT cityHash64(batch_id, toInt64(scored)) AS mark FROM batches
        WHERE service = {service:String} AND scored_at >= <since> AND scored_at < <until> AND scored != 0
        UNION ALL
        SELECT bitNot(cityHash64(batch_id, n)) + 1 AS mark FROM
        (
            SELECT batch_id, toInt64(sum(answers)) AS n FROM batch_answers
            WHERE service = {service:String} AND scored_at >= <since> AND scored_at < <until>
            GROUP BY batch_id HAVING n != 0
        )
    )
"""


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


def needed(client: Client, sql: str, bound: Mapping[str, Any], once: Once = each_time) -> tuple[str, dict[str, Any]]:
    """A statement about costs without its look at answers, where every batch of its time has all of them.

    That look is rarely needed, and makes the statement longer to plan. bound: what its parameters are. With the
    parameters that the statement takes more. once: what is asked for several statements. One that does not look at
    answers is returned as it is. Raises the driver's errors.
    """
    if (odd := ODD.search(sql)) is None:
        return sql, {}
    text = ASKED.replace("<since>", odd[1]).replace("<until>", odd[2])
    asked = {name: bound[name] for name in sql_files.PARAMETER.findall(text)}
    key = ("costs", text, *sorted(asked.items()))
    ((whole, book, currency),) = once(key, lambda: client.query(text, parameters=asked).result_rows)
    sql = ODD.sub("", sql) if whole else sql
    for named, parameter in KNOWN.items():
        sql = sql.replace(named, parameter)
    return sql, {"book": book, "currency": currency}


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
