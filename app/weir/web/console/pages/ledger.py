"""The ledger: does what was read add up, partition by partition."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.web.console.site import panels_page


def routes() -> list[Route]:
    """Its address."""
    return [Route("/ledger", ledger)]


def ledger(request: Request) -> Response:
    """The page."""
    return panels_page(request, "ledger", "Ledger")
