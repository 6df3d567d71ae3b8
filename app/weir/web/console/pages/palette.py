"""Everything that has an address, for whoever types a name."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from weir.core.errors import WeirError
from weir.web.console import frame
from weir.web.console.panels import slots
from weir.web.console.site import FRESH, LEARNERS, PAGES, Site, site_of, view_of
from weir.web.console.view import View

MOST_ALERTS: Final = 200
MOST_FEATURES: Final = 200  # of a service; the others are on its page


def routes() -> list[Route]:
    """Its address."""
    return [Route("/palette.json", palette)]


def palette(request: Request) -> Response:
    """Pages, services, panels, features, alerts and monitors; what ClickHouse knows only while it answers.

    Each leads to the time of the page that asks.
    """
    site, view = site_of(request), view_of(request)
    kept = view.kept()
    found = [_item(name, "page", f"{href}{kept}") for href, name, _, _ in PAGES]
    found += _of_services(site, view)
    found += _of_learners(site, kept)
    found += [_item(name, "monitor, as SQL", f"/rows/{name}{kept}") for name in site.asker.monitors()]
    return JSONResponse(found, headers=FRESH)


def _of_services(site: Site, view: View) -> list[dict[str, str]]:
    found, kept = [], view.kept()
    try:
        inputs = {row["service"]: row["inputs"] for row in site.asker.sql("overview/inputs")}
        for service in site.asker.services():
            there = f"/s/{quote(service)}"
            found.append(_item(service, "service", f"{there}{kept}"))
            found += [
                _item(f"{service}: {one.question}", "panel", f"{there}{kept}#{one.name}") for one in slots("service")
            ]
            found += [
                _item(f"{service}: {name}", "feature", f"{there}{view.kept(feature=name)}#drift")
                for name in inputs.get(service, ())[:MOST_FEATURES]
            ]
        for one in frame.listed(site.asker)[:MOST_ALERTS]:
            which, said = one["alert_id"], one["said"] or one["alert_id"]
            found.append(_item(said, f"alert, {one['state']}", f"/alerts/{which}{kept}"))
    except WeirError:  # pages and monitors are there all the same
        return found
    return found


def _of_learners(site: Site, kept: str) -> list[dict[str, str]]:
    """The page of learners and those of the project, where there are some."""
    if not site.frames.look().learners:
        return []
    names = sorted(path.stem for path in site.settings.paths.learners_dir.glob("*.yaml"))
    of = [_item(one, "learner", f"/learners/{quote(one)}{kept}") for one in names]
    return [_item(LEARNERS[1], "page", f"{LEARNERS[0]}{kept}"), *of]


def _item(name: str, kind: str, href: str) -> dict[str, str]:
    return {"name": name, "kind": kind, "href": href}
