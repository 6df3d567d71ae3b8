"""The console as a web application: every address, behind one door."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount

from weir.web.console import scripts, words
from weir.web.console.assets import Assets
from weir.web.console.pages import alerts, learners, ledger, letters, overview, palette, panels, query, service, sign_in
from weir.web.console.security import Door
from weir.web.console.site import Site, missing

log = logging.getLogger(__name__)

ROUTES: Final = (
    overview.routes,
    service.routes,
    alerts.routes,
    ledger.routes,
    letters.routes,
    learners.routes,
    query.routes,
    panels.routes,
    palette.routes,
    sign_in.routes,
    scripts.routes,
)


def make(site: Site) -> Starlette:
    """The application of one console."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        site.asker.close()
        site.desk.close()

    addresses: list[BaseRoute] = [route for of in ROUTES for route in of()]
    addresses.append(Mount("/static", Assets(words.FOLDER / "static"), name="static"))
    app = Starlette(
        routes=addresses,
        middleware=[
            Middleware(Door, doorman=site.doorman),
            Middleware(GZipMiddleware, minimum_size=1500, compresslevel=5),
        ],
        exception_handlers={404: _not_found, HTTPException: _declined, Exception: _fault},
        lifespan=lifespan,
    )
    app.state.site = site
    return app


def _not_found(request: Request, _error: Exception) -> Response:
    if not request.app.state.site.doorman.lets_in(request.state.session):
        return PlainTextResponse("There is nothing here.\n", 404)
    return missing(request, f"page {request.url.path}")


def _declined(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", error.status_code)


def _fault(request: Request, error: Exception) -> Response:
    """A defect: its traceback is in the log, and the page says no more than that."""
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return HTMLResponse("This is a fault of Weir itself; the console's log says more.", 500)
