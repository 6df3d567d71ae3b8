"""A service: what is asked of its inputs, scores, outcomes, costs and speed, and what its team asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from weir.core.errors import WeirError
from weir.edges.clickhouse.client import written
from weir.web.console import objectives, releases, words
from weir.web.console.asking import Asker
from weir.web.console.panel import Slot
from weir.web.console.panels import of_project, slot, slots
from weir.web.console.panels.drift import build_drill
from weir.web.console.site import FRESH, Site, faulty, missing, page_by_parts, site_of, view_of
from weir.web.console.view import View

PARTS: Final = {"version": "versions", "variant": "variants", "tenant": "tenants", "team": "teams"}
MOST_CHOICES: Final = 200  # of one list; what is not in it can be written into the address


@dataclass(frozen=True, slots=True)
class Choices:
    """What a view can be narrowed to: values by filter, of those with more than one. newest: event time, UTC."""

    parts: Mapping[str, Sequence[str]]
    predictions: int
    newest: datetime | None


def routes() -> list[Route]:
    """Its addresses; a panel of one input comes before all others, since their names are its pattern."""
    return [Route("/s/{service}", service), Route("/panel/drill", drill)]


def service(request: Request) -> Response:
    """The page; of a service that nothing is recorded of, those that there are."""
    site, view = site_of(request), view_of(request)
    if not _is_there(site, view.service):
        return missing(request, f"service {request.path_params['service']}")
    return page_by_parts(request, "service.html", view.service, lambda: _context(site, view))


def _is_there(site: Site, service: str) -> bool:
    """Whether a service is known; it stays so. Where nobody answers the page stands, and its panels say so."""
    if service in site.frames.latest.services:
        return True
    try:
        return service in site.asker.services()
    except WeirError:
        return True


def _context(site: Site, view: View) -> Mapping[str, Any]:
    """What its template gets; while ClickHouse is away, what is known without it."""
    choices: Choices | None = None
    added: tuple[Slot, ...] = ()
    unasked = False
    try:
        choices, own, versions, _ = site.asker.all(
            lambda: choices_of(site.asker, view),
            lambda: tuple(of_project(site.asker, view)),
            lambda: releases.of(site.asker, view.service),
            site.frames.look,  # which the page waits for, too
        )
        budgets = (slot("burn"),) if objectives.has(site.asker, view.service) else ()
        added = (*budgets, *((slot("released"),) if len(versions) > 1 else ()), *own)
        unasked = choices is None
    except WeirError:  # the page stands, and its panels say who does not answer
        pass
    more = {"slots": [*slots("service"), *added], "further": slots("further")}
    return {**more, "choices": choices, "shown": _shown(choices), "unasked": unasked}


def drill(request: Request) -> Response:
    """One input in one window, alone."""
    view = view_of(request)
    try:
        context = build_drill(site_of(request).asker, view)
    except WeirError as error:
        return faulty(request, error)
    return HTMLResponse(words.render("panels/drill.html", drill=context, view=view), headers=FRESH)


def choices_of(asker: Asker, view: View) -> Choices | None:
    """Of the view's service; None where no prediction is recorded. Raises Unavailable, Refused."""
    asked = {"service": view.service, "from": written(view.begin), "to": written(view.end)}
    rows = asker.sql("overview/choices", **asked)
    if not rows:
        return None
    (row,) = rows
    chosen = view.segment.filters
    parts = {
        part: [value for value in row[column][:MOST_CHOICES] if value]
        for part, column in PARTS.items()
        if len(row[column]) > 1 or part in chosen
    }
    newest = row["newest"]
    at = datetime.fromtimestamp(newest, UTC) if isinstance(newest, int) else newest
    return Choices(parts, int(row["predictions"]), at)


def _shown(choices: Choices | None) -> tuple[datetime, datetime] | None:
    """The day of the last predictions, for whoever looks where there are none."""
    if choices is None or choices.newest is None:
        return None
    end = choices.newest + timedelta(hours=1)
    return end - timedelta(days=1), end
