"""What every page has: its view, the frame around it, and how answers and faults are sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from weir.core.errors import Refused, WeirError
from weir.settings import Settings
from weir.web.console import words
from weir.web.console.asking import Asker
from weir.web.console.desk import Desk
from weir.web.console.frame import Frames
from weir.web.console.panel import Panel, Slot
from weir.web.console.panels import slots
from weir.web.console.security import Doorman, Session
from weir.web.console.view import View

PAGES: Final = (  # address, name, icon, key behind g
    ("/", "Overview", "overview", "o"),
    ("/alerts", "Alerts", "alerts", "a"),
    ("/ledger", "Ledger", "ledger", "l"),
    ("/dead-letters", "Dead letters", "letters", "d"),
    ("/query", "Query", "query", "q"),
)
LEARNERS: Final = ("/learners", "Learners", "learners", "n")  # where there are some
FRESH: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, kw_only=True)
class Site:
    """One console. acting: settings by which it writes; those of whoever started it."""

    settings: Settings
    asker: Asker
    doorman: Doorman
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @cached_property
    def desk(self) -> Desk:
        """Where a person's own statements are asked."""
        return Desk(self.settings)

    @cached_property
    def frames(self) -> Frames:
        """What stands around its pages: no page is there before it, so it does not wait for what they show."""
        return Frames(self.asker.beside())


def site_of(request: Request) -> Site:
    """The console that a request is for."""
    found: Site = request.app.state.site
    return found


def view_of(request: Request) -> View:
    """What a request's address asks about."""
    path = {"service": request.path_params["service"]} if "service" in request.path_params else {}
    return View.of(dict(request.query_params), site_of(request).now(), **path)


def page(request: Request, template: str, title: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page."""
    site, view = site_of(request), context.pop("view", None) or view_of(request)
    session: Session = request.state.session
    frame = site.frames.look()
    common = {
        "view": view,
        "title": title,
        "here": request.url.path,
        "frame": frame,
        "pages": (*PAGES, LEARNERS) if frame.learners else PAGES,
        "weir": version("weir"),
        "may_act": site.doorman.act,
        "form_token": site.doorman.form_token(session),
        "ranged": True,
    }
    return HTMLResponse(words.render(template, **{**common, **context}), status, headers=FRESH)


def panels_page(
    request: Request,
    name: str,
    title: str,
    *,
    template: str = "panels.html",
    more: tuple[Slot, ...] = (),
    **context: Any,
) -> Response:
    """A page of the panels that say they are of it. more: further panels, behind them."""
    return page(request, template, title, slots=[*slots(name), *more], **context)


def fragment(request: Request, made: Panel, view: View) -> Response:
    """A panel's HTML; 304 where the page has it already."""
    query = view.link(**{"service": view.service, **made.asked})
    body = words.render("panel.html", panel=made, view=view, query=query, **made.context) if made.shown else ""
    return tagged(request, body.encode())


def tagged(request: Request, body: bytes) -> Response:
    """HTML under its hash: whoever has it is told so."""
    tag = f'"{sha256(body).hexdigest()[:20]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={**FRESH, "ETag": tag})
    return HTMLResponse(body, headers={**FRESH, "ETag": tag})


def faulty(request: Request, error: WeirError) -> Response:
    """What a panel says instead of its answer: 503 while nobody answers, which the page tells once for all panels."""
    if isinstance(error, Refused):
        return HTMLResponse(words.render("refused.html", error=error), headers=FRESH)
    said = f"{error.what[0].upper()}{error.what[1:]}{f' on {error.where}' if error.where else ''}."
    return PlainTextResponse(said, 503, headers=FRESH)


def missing(request: Request, what: str, **context: Any) -> Response:
    """A page that says what there is instead."""
    return page(request, "missing.html", "Not here", status=404, what=what, ranged=False, **context)
