"""What every page has: its view, the frame around it, and how answers and faults are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from weir.core.errors import Refused, WeirError
from weir.settings import Settings
from weir.web.console import words
from weir.web.console.asking import Asker
from weir.web.console.desk import Desk
from weir.web.console.frame import Frames
from weir.web.console.panel import Slot
from weir.web.console.panels import slots
from weir.web.console.security import Doorman
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
    common = _common(request, title, context.pop("view", None) or view_of(request))
    text = words.render(template, **{**common, **context})
    return HTMLResponse(text, status, headers=FRESH)


def page_by_parts(
    request: Request, template: str, title: str, context: Callable[[], Mapping[str, Any]]
) -> StreamingResponse:
    """The same, its head before ClickHouse is asked for the rest: styles and scripts are on their way meanwhile.

    context: what the template gets; it raises nothing, since the page has begun.
    """
    view = view_of(request)

    def parts() -> Iterator[str]:
        head = words.render("head.html", title=title, view=view)
        yield head
        more = context()
        text = words.render(template, **{**_common(request, title, view), **more})
        yield text.removeprefix(head)

    return StreamingResponse(parts(), headers=FRESH, media_type="text/html")


def _common(request: Request, title: str, view: View) -> dict[str, Any]:
    """What every template gets."""
    site, session = site_of(request), request.state.session
    frame = site.frames.look()
    return {
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
    return page_by_parts(request, template, title, lambda: {"slots": [*slots(name), *more], **context})


def faulty(request: Request, error: WeirError) -> Response:
    """What a panel says instead of its answer: 503 while nobody answers, which the page tells once for all panels."""
    if isinstance(error, Refused):
        return HTMLResponse(words.render("refused.html", error=error), headers=FRESH)
    said = f"{error.what[0].upper()}{error.what[1:]}{f' on {error.where}' if error.where else ''}."
    return PlainTextResponse(said, 503, headers=FRESH)


def missing(request: Request, what: str, **context: Any) -> Response:
    """A page that says what there is instead."""
    return page(request, "missing.html", "Not here", status=404, what=what, ranged=False, **context)
