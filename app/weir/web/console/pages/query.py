"""Query: any statement, the monitors', and those that the project keeps; answered as table, chart and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from weir.core import numbers
from weir.core.errors import Refused, Unavailable, WeirError
from weir.edges.clickhouse import monitors
from weir.operations import saved_queries
from weir.settings import Settings
from weir.web.console.desk import LONGEST_S, LONGEST_TEXT, MOST_ROWS, PARAMETERS, Told, bound_to, functions, schema
from weir.web.console.drawing import answer
from weir.web.console.posted import posted
from weir.web.console.security import from_here
from weir.web.console.site import FRESH, page, site_of, view_of

SHOWN: Final = 500  # rows of the table; the CSV has them all
LONGEST_CELL: Final = 200  # characters
FIRST: Final = """SELECT toStartOfHour(event_time) AS hour, concat(service, ' ', version) AS model,
       count() AS predictions, avg(score) AS mean_score
FROM predictions
WHERE {service:String} IN ('', service) AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
GROUP BY hour, model
ORDER BY hour, model"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a statement was answered with. error: why it was not."""

    told: Told | None = None
    error: WeirError | None = None


def routes() -> list[Route]:
    """Its addresses."""
    return [
        Route("/query", query),
        Route("/query.csv", as_csv),
        Route("/query/save", posted(save), methods=["POST"]),
    ]


def query(request: Request) -> Response:
    """The page. A statement in its address is run where a page of this console asks for it, and else only shown."""
    sql, problem = _statement(request)
    asked = request.query_params
    wanted = bool(asked.get("sql") or asked.get("run"))
    runs = wanted and not problem and from_here(request)
    found = _ask(request, sql) if runs else Found()
    return _shown(request, sql, found, problem=problem, waits=wanted and not runs and not problem)


def as_csv(request: Request) -> Response:
    """The answer alone, for a spreadsheet or a notebook; only where a page of this console asks for it."""
    sql, problem = _statement(request)
    if problem or not from_here(request):
        said = problem or "open the query in the console, and run it there"
        return PlainTextResponse(f"{said}\n", 400, headers=FRESH)
    found = _ask(request, sql)
    if found.told is None:
        status = 503 if isinstance(found.error, Unavailable) else 400
        return PlainTextResponse(f"{found.error}\n", status, headers=FRESH)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(found.told.answer.columns)
    writer.writerows(found.told.answer.rows)
    filed = {"Content-Disposition": 'attachment; filename="weir-query.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers={**FRESH, **filed})


def save(request: Request, sent: dict[str, str]) -> Response:
    """Keep a statement as a file of the project: of a form that a page of this console sent."""
    sql, name = sent.get("sql", ""), sent.get("name", "").strip()
    site = site_of(request)
    try:
        site.doorman.check(request, sent.get("form_token", ""))
        saved_queries.save(site.settings, name, sql)
    except Refused as error:
        return _shown(request, sql, Found(), problem=str(error), status=400)
    there = {**view_of(request).words(monitor=""), "saved": name}
    return RedirectResponse(f"/query?{urlencode(there)}", 303, headers=FRESH)


def _statement(request: Request) -> tuple[str, str]:
    """The statement that an address is about, and what is wrong with it."""
    asked, settings = request.query_params, site_of(request).settings
    if sql := asked.get("sql"):
        return (sql, "") if len(sql) <= LONGEST_TEXT else ("", "the statement is too long")
    try:
        if name := asked.get("saved"):
            return saved_queries.text(settings, name), ""
        if name := asked.get("monitor"):
            return _of_monitor(request, settings, name), ""
    except Refused as error:
        return "", str(error)
    return FIRST, ""


def _of_monitor(request: Request, settings: Settings, name: str) -> str:
    """A monitor's file as it is written. Raises Refused."""
    return monitors.text(settings, site_of(request).asker.monitor(name)).strip()


def _ask(request: Request, sql: str) -> Found:
    site, view = site_of(request), view_of(request)
    try:
        return Found(site.desk.ask(sql, bound_to(site.asker, view, sql)))
    except WeirError as error:
        return Found(error=error)


def _shown(
    request: Request, sql: str, found: Found, *, problem: str = "", waits: bool = False, status: int = 200
) -> Response:
    site, view = site_of(request), view_of(request)
    told, tables = found.told, schema(site.asker)
    rows = [[_cell(value) for value in row] for row in told.answer.rows[:SHOWN]] if told else []
    asked = {name: value for name, value in request.query_params.items() if name != "sql"}
    return page(
        request,
        "query.html",
        "Query",
        status=status,
        view=view,
        sql=sql,
        told=told,
        rows=rows,
        right=[answer.is_number(kind) for kind in told.answer.types] if told else [],
        chart_of=answer.chart(told.answer.columns, told.answer.types, told.answer.rows) if told else None,
        error=found.error,
        problem=problem,
        waits=waits,
        tables=tables,
        folders=_folders(list(site.asker.monitors())),
        saved=saved_queries.names(site.settings),
        chosen=asked.get("monitor", "") or asked.get("saved", ""),
        csv=f"/query.csv?{urlencode({**asked, 'sql': sql})}",
        kept={name: value for name, value in asked.items() if name not in ("monitor", "saved", "run", "sql")},
        words={"names": _names(tables), "functions": functions(site.asker)},
        longest_s=LONGEST_S,
        most=MOST_ROWS,
    )


def _folders(names: Sequence[str]) -> dict[str, list[str]]:
    """Monitors by their folder; those in none under the project's own."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        folder, _, _ = name.rpartition("/")
        found.setdefault(folder or "project", []).append(name)
    return found


def _names(tables: dict[str, list[tuple[str, str]]]) -> list[str]:
    """What the editor completes first: tables and their columns, then the parameters that pages fill in."""
    return [*sorted({*tables, *(name for columns in tables.values() for name, _ in columns)}), *PARAMETERS]


def _cell(value: Any) -> str | None:
    """A value as the table shows it: a number in full, a text cut short. None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return numbers.whole(value)
    if isinstance(value, float):
        return f"{value:.7g}".replace("-", numbers.MINUS)
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds").removesuffix("+00:00").removesuffix(".000")
    text = value.isoformat() if isinstance(value, date) else str(value)
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"
