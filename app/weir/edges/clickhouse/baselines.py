"""Windows of production that are kept to compare later ones with."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering, once, url_of
from weir.monitor.baseline import TAKEN, is_name

FOREVER_S: Final = 4_294_965_600  # all in one window; whole hours
CAPTURE: Final = """
    INSERT INTO baselines (id, service, digest, kind, name, grid, center, scale, n, missing, below, above, rest, whole,
                           total, hist, words, about, written_at)
    SELECT {id:String}, {service:String}, digest, kind, name, grid.1, grid.2, grid.3, n, missing, below, above, rest,
           rest = 0, total, mapApply((k, v) -> (k, toUInt64(round(v))), hist), words, {about:String}, now64(3)
    FROM <drift_sides: kinds = 'feature', 'category', 'score', 'class', 'decision'>
"""


def capture(client: Client, name: str, service: str, begin: datetime, end: datetime, by: str) -> dict[str, Any]:
    """Keep a service's predictions from `begin` to before `end`, UTC, as baseline `name`; what it holds.

    A baseline never changes, since figures were made with it. Raises Unavailable; Refused for a name that cannot be or
    is taken, and where nothing was predicted then.
    """
    if not is_name(name):
        remedy = f"write letters, digits, -, _ and dots; {', '.join(sorted(TAKEN))} mean something else"
        raise Refused(f"{name!r} cannot name a baseline", remedy=remedy)
    if begin >= end:
        raise Refused(f"the time asked about ends before it begins: {begin} to {end}", remedy="let it begin first")
    if name in names(client, service):
        remedy = "give another name: figures that were made with a baseline hold for it as it is"
        raise Refused(f"service {service} has a baseline {name}", remedy=remedy)
    about = {"from": begin.isoformat(), "to": end.isoformat(), "by": by}
    times = {"from": f"{begin:%Y-%m-%d %H:%M:%S}", "to": f"{end:%Y-%m-%d %H:%M:%S}"}
    every = dict.fromkeys(
        ("subject", "version", "variant", "tenant", "team", "base_version", "base_variant", "season"), ""
    )
    alone = {"baseline": "", "base_from": times["from"], "base_to": times["from"]}  # beside nothing
    parameters = {"id": name, "service": service, "about": json.dumps(about), "step": FOREVER_S} | times | every | alone
    settings = once(f"baseline/{service}/{name}") | {"session_timezone": "UTC"}
    with answering(url_of(client)):
        client.command(sql_files.whole(CAPTURE), parameters=parameters, settings=settings)
    for one in listed(client, service):
        if one["id"] == name:
            return one
    what = f"service {service} predicted nothing from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    raise Refused(what, remedy="name a time of event times that are recorded, see `weir monitors run health/traffic`")


def check(client: Client, name: str, service: str) -> None:
    """Raises Refused where a service can be compared with no baseline of that name; Unavailable."""
    if name in TAKEN or name.startswith("reference:"):
        return
    captured = names(client, service)
    if name not in captured:
        there = f"there are {', '.join(captured)}" if captured else "none was captured"
        remedy = f"{there}; reference is the bundle's own; `weir baseline capture` keeps another"
        raise Refused(f"service {service} has no baseline {name}", remedy=remedy)


def names(client: Client, service: str) -> list[str]:
    """Of what was captured of a service. Raises Unavailable, Refused."""
    return [one["id"] for one in listed(client, service)]


def listed(client: Client, service: str = "") -> list[dict[str, Any]]:
    """Captured baselines, of all services where none is named. Raises Unavailable, Refused."""
    rows = sql_files.rows(client, "baselines/captured", service=service)
    return [row | json.loads(row.pop("about") or "{}") for row in rows]
