"""Learners: which there are, and of one whether it learns, whether it is better, and what it calls for."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from weir.core.errors import WeirError
from weir.web.console import learned
from weir.web.console.learned import day
from weir.web.console.panels import slots
from weir.web.console.panels.learner import facts
from weir.web.console.panels.learners import line_of
from weir.web.console.site import FRESH, missing, page, panels_page, site_of
from weir.web.console.view import View


def routes() -> list[Route]:
    """Their addresses."""
    return [
        Route("/learners", listed),
        Route("/learners.csv", lines),
        Route("/learners/{learner}", one),
        Route("/learners/{learner}/days.csv", days),
        Route("/learners/{learner}/state.csv", state),
    ]


def listed(request: Request) -> Response:
    """All of them."""
    return panels_page(request, "learners", "Learners", ranged=False)


def one(request: Request) -> Response:
    """One; of a name that nobody has, those that there are."""
    site, name = site_of(request), request.path_params["learner"]
    view = View.of(dict(request.query_params), site.now(), learner=name)
    found = learned.look(site.asker)
    if name not in found.names and found.away is None:
        return missing(request, f"learner {name}", kind="learners", names=found.names)
    places = slots("learner")
    return page(request, "learner.html", f"Learner {name}", view=view, slots=places, ranged=False, name=name)


def lines(request: Request) -> Response:
    """All of them, a line each, as their panel shows them."""
    try:
        found = learned.look(site_of(request).asker)
    except WeirError as error:
        return PlainTextResponse(f"{error}\n", 503, headers=FRESH)
    shown = [line_of(found, name) for name in found.names]
    head = ["name", "service", "state", "learned", "figure", "learner", "champion", "days", "say", "answers", "decides"]
    return _csv(
        "learners",
        head,
        [
            (one.name, one.service, one.state, one.learned, *beside, one.days, one.word, one.answers, one.decides)
            for one in shown
            for beside in [one.beside or ("", "", "")]
        ],
    )


def state(request: Request) -> Response:
    """What is known of one: a name and a value a line."""
    name = request.path_params["learner"]
    try:
        found = learned.look(site_of(request).asker)
    except WeirError as error:
        return PlainTextResponse(f"{error}\n", 503, headers=FRESH)
    if name not in found.names:
        return PlainTextResponse(f"there is no learner {name}\n", 404, headers=FRESH)
    return _csv(f"learner-{name}-state", ["what", "value"], facts(found, name))


def days(request: Request) -> Response:
    """Its closed days: sums of each figure by who answers, over the same requests."""
    name = request.path_params["learner"]
    try:
        found = learned.look(site_of(request).asker)
    except WeirError as error:
        return PlainTextResponse(f"{error}\n", 503, headers=FRESH)
    kept = found.states.get(name)
    if kept is None:
        return PlainTextResponse(f"there is no state of a learner {name}\n", 404, headers=FRESH)
    rows = [
        [f"{day(each.begin_ms):%Y-%m-%d}", each.requests, each.known, figure, who, total]
        for each in kept.days
        for figure, part in each.figures.items()
        for who, total in part.sums.items()
    ]
    return _csv(f"learner-{name}", ["day", "requests", "outcomes_known", "figure", "who", "sum"], rows)


def _csv(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(rows)
    filed = f'attachment; filename="{name}.csv"'
    return Response(text.getvalue(), media_type="text/csv", headers={**FRESH, "Content-Disposition": filed})
