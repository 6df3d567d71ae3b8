"""`python -m tests.bench.open_page`: by how much a page of the console grows that stands open for an hour.

An hour of ticks in three minutes at most: the page's own interval is shortened, and for the console the time goes by as
much faster, so that every tick brings what is new as it would. Of overview and service, of the last hour.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack
from weir.operations import local
from weir.settings import Settings, load
from weir.web.console.asking import Asker
from weir.web.console.security import doorman
from weir.web.console.site import Site

from tests.bench.visitors import CHROMIUM
from tests.console.filled import FLIGHTS, NOW, fill, served
from tests.console.serving import serving
from tests.waiting import START_S

TICKS: Final = 720  # of an hour, of pages that tick every five seconds
EVERY_S: Final = 5.0
TICK_S: Final = 0.2  # here
WARM: Final = 60  # ticks until what is kept once is kept
LONGEST_S: Final = 180.0
PAGES: Final = {"overview": "/?range=1h", "service": f"/s/{FLIGHTS.service}?range=1h"}
MEASURED: Final = ("JSHeapUsedSize", "Nodes", "JSEventListeners", "Documents")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=TICKS)
    parser.add_argument("--seconds", type=float, default=LONGEST_S, help="of a page at most")
    asked = parser.parse_args()
    with TemporaryDirectory() as home, Stack(load(home=Path(home), embedded_broker="tansu"), report=print) as stack:
        local.prepare(stack)
        fill(connect(stack.settings.recording), served(stack.settings))
        for name, path in PAGES.items():
            print(json.dumps({"page": name, **measure(stack.settings, path, asked.ticks, asked.seconds)}), flush=True)


def measure(settings: Settings, path: str, ticks: int, longest_s: float) -> dict[str, Any]:
    """Bytes by which the heap of a page's script grows between tick WARM and the last, garbage collected."""
    from playwright.sync_api import expect, sync_playwright

    with _served(settings, longest_s) as base, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=base)
        seen: dict[str, int] = {"asked": 0, "changed": 0, "unchanged": 0}
        page.on("response", lambda one: _count(seen, one.url, one.status))
        page.route(re.compile(r"/(s/[^?]+)?\?range"), _hurried)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        page.goto(path)
        expect(page.locator(".live-panel:not([data-later]) .skeleton")).to_have_count(0, timeout=1000 * START_S)
        first = seen["asked"]
        panels = max(1, page.locator(".live-panel").evaluate_all(SEEN))
        began_s = time.monotonic()
        found: list[dict[str, float]] = []

        def done() -> float:
            return (seen["asked"] - first) / panels

        for wanted in (min(WARM, ticks), ticks):
            while done() < wanted and time.monotonic() - began_s < longest_s:
                page.wait_for_timeout(200)  # so that what is told of the page is heard
            session.send("HeapProfiler.collectGarbage")
            metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            found.append({name: metrics[name] for name in MEASURED} | {"ticks": round(done())})
        browser.close()
    grown = {name: found[1][name] - found[0][name] for name in MEASURED}
    per_tick = grown["JSHeapUsedSize"] / max(1.0, found[1]["ticks"] - found[0]["ticks"])
    return {
        "ticks": found[1]["ticks"],
        "answers": seen,
        "heap_mb": found[1]["JSHeapUsedSize"] / 1e6,
        "grown_mb": grown["JSHeapUsedSize"] / 1e6,
        "of_an_hour_mb": per_tick * TICKS / 1e6,
        "nodes": [one["Nodes"] for one in found],
        "listeners": [one["JSEventListeners"] for one in found],
    }


SEEN: Final = """all => all.filter(one => {
    const box = one.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
}).length"""


def _count(seen: dict[str, int], url: str, status: int) -> None:
    if "/panel/" in url:
        seen["asked"] += 1
        seen["unchanged" if status == 304 else "changed"] += 1


def _hurried(route: Any) -> None:
    response = route.fetch()
    body = re.sub(r'data-every="\d+"', f'data-every="{TICK_S}"', response.text())
    route.fulfill(response=response, body=body)


@contextmanager
def _served(settings: Settings, longest_s: float) -> Iterator[str]:
    """A console whose time begins some hours before NOW, and goes by as fast as the page ticks."""
    began_s, faster = time.monotonic(), EVERY_S / TICK_S
    begin = NOW - timedelta(seconds=longest_s * faster)
    site = Site(
        settings=settings,
        asker=Asker(settings, START_S),
        doorman=doorman("127.0.0.1", (), "", act=False),
        now=lambda: begin + timedelta(seconds=(time.monotonic() - began_s) * faster),
    )
    with serving(site) as address:
        yield address


if __name__ == "__main__":
    main()
