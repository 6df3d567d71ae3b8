"""Panels as fragments of pages: those of all open pages that ask by themselves are made once in each tick.

A live page asks again at whole multiples of its tick (static/live.js), so all of a view ask within moments of each
other. Their answer was made in the same tick, never in the one before: what happens between two ticks is seen by the
second. Whoever opens a page, or presses a key to see what is new, is answered anew.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from weir.core.errors import WeirError
from weir.web.console import words
from weir.web.console.panel import Panel
from weir.web.console.site import FRESH, faulty, site_of
from weir.web.console.view import View

TICKED: Final = "weir-tick"  # header of what a page asks by itself
SMALL: Final = 1500  # bytes that are sent as they are
LEVEL: Final = 5


@dataclass(frozen=True, slots=True)
class Made:
    """A fragment: its HTML, the same compressed (empty where that is not worth it), and its tag."""

    body: bytes
    packed: bytes
    tag: str


def fragment(request: Request, view: View, build: Callable[[], Panel]) -> Response:
    """A panel's HTML; 304 where the page has it already, and what a fault says where there is one."""
    site, key = site_of(request), ("fragment", request.url.path, view.link())
    as_old_s = kept_s = 0.0
    if TICKED in request.headers:
        as_old_s, kept_s = tick_s(site.now().timestamp(), view.every_s), view.every_s / 2
    try:
        made = site.asker.once(key, as_old_s, lambda: _made(build(), view), kept_s=kept_s)
    except WeirError as error:
        return faulty(request, error)
    head = {**FRESH, "ETag": made.tag}
    if request.headers.get("if-none-match") == made.tag:
        return Response(status_code=304, headers=head)
    if made.packed and "gzip" in request.headers.get("accept-encoding", ""):
        return HTMLResponse(made.packed, headers={**head, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
    return HTMLResponse(made.body, headers=head)


def tick_s(now_s: float, every_s: int) -> float:
    """As old as an answer may be for a page that asks by itself: made since the tick began, and half of it at most.

    A page whose clock is wrong asks in the middle of a tick.

    >>> tick_s(1_000_000_000.5, 5), tick_s(1_000_000_004.5, 5)
    (0.5, 2.5)
    """
    return min(now_s % every_s, every_s / 2)


def _made(panel: Panel, view: View) -> Made:
    query = view.link(**{"service": view.service, **panel.asked})
    text = words.render("panel.html", panel=panel, view=view, query=query, **panel.context) if panel.shown else ""
    body = text.encode()
    packed = gzip.compress(body, LEVEL, mtime=0) if len(body) >= SMALL else b""
    return Made(body, packed, f'"{sha256(body).hexdigest()[:20]}"')
