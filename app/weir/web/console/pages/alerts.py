"""Alerts, one alert, and what a person may say of it."""

from __future__ import annotations

import shlex
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.core.errors import Refused, WeirError
from weir.web.console import acting, runbook
from weir.web.console.about import About, alerts, named
from weir.web.console.panels import slots
from weir.web.console.panels.alert import transitions
from weir.web.console.posted import posted
from weir.web.console.site import missing, page, panels_page, site_of, view_of
from weir.web.console.view import View

STATES = (("", "All"), ("firing", "Firing"), ("pending", "Pending"), ("resolved", "Resolved"))


def routes() -> list[Route]:
    """Their addresses."""
    return [
        Route("/alerts", listed),
        Route("/alerts/{alert}", one),
        Route("/alerts/{alert}/ack", posted(said), methods=["POST"]),
        Route("/alerts/{alert}/silence", posted(said), methods=["POST"]),
    ]


def listed(request: Request) -> Response:
    """All of them, by state."""
    view = view_of(request)
    counts: Counter[str] = Counter()
    try:
        found = alerts(site_of(request).asker, view.service)
        counts = Counter(each.state for each in found) + Counter({"": len(found)})
    except WeirError:  # the page stands, and its panel says who does not answer
        pass
    return panels_page(request, "alerts", "Alerts", states=STATES, counts=counts, template="alerts.html")


def one(request: Request) -> Response:
    """One, with what it is about, what became of it, and where it comes from."""
    site, view = site_of(request), view_of(request)
    which = request.path_params["alert"]
    view = View.of(dict(request.query_params), site.now(), alert=which)
    try:
        found = named(site.asker, which)
    except WeirError:
        found = None
        if site.frames.look().away is None:
            raise
    else:
        if found is None:
            return missing(
                request, f"alert {which}", kind="alerts", names=[each.id for each in alerts(site.asker)][:20]
            )
    return shown(request, found, view)


def said(request: Request, form: dict[str, str]) -> Response:
    """Write what a person says of an alert to the log of notes."""
    site, which = site_of(request), request.path_params["alert"]
    view = View.of(dict(request.query_params), site.now(), alert=which)
    silent = request.url.path.endswith("/silence")
    found: About | None = None
    try:
        site.doorman.check(request, form.get("token", ""))
        found = named(site.asker, which)
        if found is None:
            return missing(request, f"alert {which}")
        course = transitions(site.asker, found.id)
        write = acting.silence if silent else acting.acknowledge
        note = write(site.settings, course[-1], form, datetime.now(UTC))
    except WeirError as error:
        problem = f"{error.what}: {error.remedy}."
        return shown(request, found, view, problem=problem, status=403 if isinstance(error, Refused) else 503)
    until = f" until {datetime.fromtimestamp((note.until_ms or 0) / 1000, UTC):%d %b %H:%M} UTC" if silent else ""
    what = "Silenced" if silent else "Acknowledged"
    told = f"{what}{until} by {note.by}, as soon as the monitor worker reads it."
    return shown(request, found, view, said=told)


def shown(request: Request, found: About | None, view: View, **more: Any) -> Response:
    """The page of an alert. more: what was said just now, and what came of it."""
    entry = runbook.entry(site_of(request).settings, found, view) if found else None
    context = {
        "one": found,
        "entry": entry,
        "command": shlex.join(["weir", "alerts", "show", found.id]) if found else "",
        "slots": slots("alert"),
        "query": view.link(alert=view.alert),
        "ranged": False,
        "said": "",
        "problem": "",
    }
    return page(request, "alert.html", f"Alert {view.alert}", view=view, **{**context, **more})
