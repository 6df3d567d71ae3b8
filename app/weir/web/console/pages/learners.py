"""Learners: which there are, and of one whether it learns, whether it is better, and what it calls for."""

from __future__ import annotations

import csv
import io

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from weir.core.errors import WeirError
from weir.web.console import learned
from weir.web.console.learned import day
from weir.web.console.panels import slots
from weir.web.console.site import FRESH, missing, page, panels_page, site_of
from weir.web.console.view import View


def routes() -> list[Route]:
    """Their addresses."""
    return [
        Route("/learners", listed),
        Route("/learners/{learner}", one),
        Route("/learners/{learner}/days.csv", days),
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


def days(request: Request) -> Response:
    """Its closed days: sums of each figure by who answers, over the same requests."""
    name = request.path_params["learner"]
    try:
        found = learned.look(site_of(request).asker)
    except WeirError as error:
        return PlainTextResponse(f"{error}\n", 503, headers=FRESH)
    state = found.states.get(name)
    if state is None:
        return PlainTextResponse(f"there is no state of a learner {name}\n", 404, headers=FRESH)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["day", "requests", "outcomes_known", "figure", "who", "sum"])
    for each in state.days:
        at = day(each.begin_ms)
        writer.writerows(
            [f"{at:%Y-%m-%d}", each.requests, each.known, name, who, total]
            for name, part in each.figures.items()
            for who, total in part.sums.items()
        )
    filed = f'attachment; filename="learner-{name}.csv"'
    return Response(text.getvalue(), media_type="text/csv", headers={**FRESH, "Content-Disposition": filed})
