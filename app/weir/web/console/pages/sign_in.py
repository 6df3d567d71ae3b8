"""Signing in where a console asks for a token: who reaches it from another machine shows that they may."""

from __future__ import annotations

import threading
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from weir.web.console import words
from weir.web.console.posted import posted
from weir.web.console.security import SIGN_IN, from_here
from weir.web.console.site import FRESH, site_of

WRONG_S: Final = 0.5  # that a wrong token takes, one at a time: nobody guesses faster, nor keeps threads from others
_guessing: Final = threading.Lock()


def routes() -> list[Route]:
    """Its address."""
    return [Route(SIGN_IN, asked, methods=["GET"]), Route(SIGN_IN, posted(said), methods=["POST"])]


def asked(request: Request) -> Response:
    """The form."""
    return _form(request.query_params.get("to", "/"))


def said(request: Request, form: dict[str, str]) -> Response:
    """A session that has signed in; the form again after a wrong token."""
    doorman = site_of(request).doorman
    to = form.get("to", "/")
    if not (from_here(request) and doorman.knows(form.get("token", ""))):
        if not _guessing.acquire(blocking=False):
            return _form(to, "Somebody else is trying tokens. Try again.", 429)
        try:
            time.sleep(WRONG_S)
        finally:
            _guessing.release()
        return _form(to, "That is not the token of this console.", 403)
    _, request.scope["state"]["cookie"] = doorman.opened(signed_in=True)
    return RedirectResponse(to if _is_here(to) else "/", 303)


def _form(to: str, problem: str = "", status: int = 200) -> Response:
    return HTMLResponse(words.render("sign_in.html", to=to if _is_here(to) else "/", problem=problem), status, FRESH)


def _is_here(to: str) -> bool:
    """Whether an address is one of this console, as browsers read it."""
    return to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
