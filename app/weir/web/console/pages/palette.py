"""Everything that has an address, for whoever types a name."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from weir.core.errors import WeirError
from weir.web.console import frame
from weir.web.console.panels import slots
from weir.web.console.site import FRESH, LEARNERS, PAGES, Site, site_of

MOST_ALERTS = 200


def routes() -> list[Route]:
    """Its address."""
    return [Route("/palette.json", palette)]


def palette(request: Request) -> Response:
    """Pages, services, panels, inputs, alerts and monitors; what ClickHouse knows only while it answers."""
    site = site_of(request)
    found = [_item(name, "page", href) for href, name, _, _ in PAGES]
    found += _of_services(site)
    found += _of_learners(site)
    found += [_item(name, "monitor, as SQL", f"/rows/{name}") for name in site.asker.monitors()]
    return JSONResponse(found, headers=FRESH)


def _of_services(site: Site) -> list[dict[str, str]]:
    found = []
    try:
        for service in site.asker.services():
            found.append(_item(service, "service", f"/s/{service}"))
            found += [
                _item(f"{service}: {one.question}", "panel", f"/s/{service}#{one.name}") for one in slots("service")
            ]
        for one in frame.listed(site.asker)[:MOST_ALERTS]:
            found.append(_item(one["said"] or one["alert_id"], f"alert, {one['state']}", f"/alerts/{one['alert_id']}"))
    except WeirError:  # pages and monitors are there all the same
        return found
    return found


def _of_learners(site: Site) -> list[dict[str, str]]:
    """The page of learners and those of the project, where there are some."""
    if not site.frames.look().learners:
        return []
    names = sorted(path.stem for path in site.settings.paths.learners_dir.glob("*.yaml"))
    return [_item(LEARNERS[1], "page", LEARNERS[0]), *(_item(one, "learner", f"/learners/{one}") for one in names)]


def _item(name: str, kind: str, href: str) -> dict[str, str]:
    return {"name": name, "kind": kind, "href": href}
