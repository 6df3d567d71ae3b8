"""Answers: panels as fragments of pages, and the rows behind them as CSV and as a page with their SQL."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from weir.core.errors import Refused, WeirError
from weir.web.console import sources
from weir.web.console.panels import PANELS
from weir.web.console.panels.own import build as build_own
from weir.web.console.shared import fragment
from weir.web.console.site import FRESH, missing, page, site_of, view_of
from weir.web.console.sources import SOURCES

MOST_ROWS: Final = 5000  # on a page; all of them are in the CSV


def routes() -> list[Route]:
    """Their addresses."""
    return [
        Route("/panel/own/{monitor:path}", own),
        Route("/panel/{name}", panel),
        Route("/data/{monitor:path}.csv", data),
        Route("/rows/{monitor:path}", rows),
    ]


def panel(request: Request) -> Response:
    """One panel."""
    name = request.path_params["name"]
    if name not in PANELS:
        return HTMLResponse(f"there is no panel of this name; there are {', '.join(PANELS)}", 404, headers=FRESH)
    view = view_of(request)
    return fragment(request, view, lambda: PANELS[name].build(site_of(request).asker, view))


def own(request: Request) -> Response:
    """One monitor of the project, drawn as its header says."""
    view, monitor = view_of(request), request.path_params["monitor"]
    return fragment(request, view, lambda: build_own(site_of(request).asker, view, monitor))


def data(request: Request) -> Response:
    """The rows of a monitor for a view, as `weir monitors run --csv` prints them; or of what a panel reads beside."""
    name, view = request.path_params["monitor"], view_of(request)
    try:
        answer = sources.answer(site_of(request).asker, view, name)
    except Refused as error:
        return PlainTextResponse(f"{error}\n", 404 if "there is no" in error.what else 400, headers=FRESH)
    except WeirError as error:
        return PlainTextResponse(f"{error}\n", 503, headers=FRESH)
    text = io.StringIO()
    writer = csv.DictWriter(text, answer.column_names)
    writer.writeheader()
    writer.writerows(answer.to_pylist())
    filed = {"Content-Disposition": f'attachment; filename="{name.replace("/", "-")}.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers={**FRESH, **filed})


def rows(request: Request) -> Response:
    """The SQL behind a panel, what its parameters are for the view, and its answer as a table."""
    site, view, name = site_of(request), view_of(request), request.path_params["monitor"]
    if name not in site.asker.monitors() and name not in SOURCES:
        return missing(request, f"monitor {name}", names=sorted(site.asker.monitors()), kind="monitors")
    of = SOURCES[name] if name in SOURCES else site.asker.monitor(name)
    error, answer, bound = None, None, dict[str, Any]()
    try:
        bound = sources.bound(site.asker, view, name)
        answer = sources.answer(site.asker, view, name)
    except WeirError as found:
        error = found
    listed = [] if answer is None else answer.slice(0, MOST_ROWS).to_pylist()
    more: dict[str, Any] = {"of": of, "is_monitor": name not in SOURCES, "bound": bound, "rows": listed, "error": error}
    columns = [] if answer is None else answer.column_names
    total = 0 if answer is None else answer.num_rows
    return page(request, "rows.html", name, view=view, columns=columns, total=total, **more)
