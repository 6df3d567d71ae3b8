"""The overview: is every request accounted for, what needs somebody, and how each service does."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.web.console.site import panels_page


def routes() -> list[Route]:
    """Its address."""
    return [Route("/", overview)]


def overview(request: Request) -> Response:
    """The page."""
    return panels_page(request, "overview", "Overview")
