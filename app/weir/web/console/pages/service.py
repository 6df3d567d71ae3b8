"""A service: what is asked of its inputs, scores, outcomes, costs and speed, and what its team asks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.core.errors import WeirError
from weir.web.console.panels import of_project
from weir.web.console.site import missing, panels_page, site_of, view_of


def routes() -> list[Route]:
    """Its address."""
    return [Route("/s/{service}", service)]


def service(request: Request) -> Response:
    """The page; of a service that nothing is recorded of, those that there are."""
    site, view = site_of(request), view_of(request)
    try:
        if view.service not in site.asker.services():
            return missing(request, f"service {request.path_params['service']}")
        more = tuple(of_project(site.asker, view))
    except WeirError:  # the page stands, and its panels say who does not answer
        more = ()
    return panels_page(request, "service", view.service, more=more, view=view)
