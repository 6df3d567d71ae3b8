"""What the console's pages of a service cost over a month of predictions: every panel alone, and pages in Chromium.

The month is that of `rounds`; its cells of outcomes are counted first, as the monitor worker would have.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
from weir.core.signature import Task
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import outcome_cells
from weir.settings import Settings
from weir.web.console.app import make
from weir.web.console.asking import Asker
from weir.web.console.panels import PANELS
from weir.web.console.security import doorman
from weir.web.console.site import Site
from weir.web.console.view import View

from tests.bench.month import HOUR, SERVICE
from tests.bench.protocol import Say
from tests.waiting import START_S, until

CHROMIUM: Final = Path("/usr/bin/chromium")
RANGES: Final = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
ADDRESSES: Final = {"overview": "/", "service": f"/s/{SERVICE}"}
TURNS: Final = 3
AT_ONCE: Final = 400_000  # predictions whose cells are counted together


def measure(settings: Settings, pid: int, end: datetime, say: Say) -> dict[str, Any]:
    """Of each range that ends at `end`: milliseconds of ClickHouse's CPU by panel, and what a page takes in Chromium.

    pid: ClickHouse's. The least of three turns each.
    """
    found: dict[str, Any] = {"cells_cpu_s": _cells(settings, pid), "panels_ms": {}, "pages_ms": {}}
    say(f"cells of outcomes are counted: {found['cells_cpu_s']:.0f} s of CPU")
    for name, span in RANGES.items():
        asked = {"from": f"{end - span:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        panels = {page: _panels(settings, pid, page, asked, end) for page in ADDRESSES}
        found["panels_ms"][name] = panels
        for page, of in panels.items():
            parts = ", ".join(f"{panel} {ms:.0f}" for panel, ms in of.items())
            say(f"{page}, {name}: {sum(of.values()):.0f} ms of ClickHouse's CPU: {parts}")
        found["pages_ms"][name] = _pages(settings, asked, end, say) if CHROMIUM.exists() else {}
    return found


def _cells(settings: Settings, pid: int) -> float:
    began_s = _cpu_s(pid)
    with clickhouse.connect(settings.recording) as client:
        while outcome_cells.keep(client, SERVICE, Task.BINARY, most=AT_ONCE, quiet_s=0):
            pass
    return _cpu_s(pid) - began_s


def _panels(settings: Settings, pid: int, page: str, asked: Mapping[str, str], end: datetime) -> dict[str, float]:
    view = View.of(asked, end + HOUR, **({"service": SERVICE} if page == "service" else {}))
    found: dict[str, float] = {}
    for _ in range(TURNS):
        asker = Asker(settings, START_S)
        for name, panel in PANELS.items():
            if page in panel.pages:
                began_s = _cpu_s(pid)
                panel.build(asker, view)
                found[name] = min(found.get(name, 1e9), 1000 * (_cpu_s(pid) - began_s))
        asker.close()
    return found


def _pages(settings: Settings, asked: Mapping[str, str], end: datetime, say: Say) -> dict[str, dict[str, float]]:
    """Milliseconds until nothing is being waited for, and until something is seen, by page."""
    from playwright.sync_api import expect, sync_playwright

    query = "&".join(f"{name}={value}" for name, value in asked.items())
    found: dict[str, dict[str, float]] = {}
    with _served(settings, end) as base, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        for name, address in ADDRESSES.items():
            turns = []
            for _ in range(TURNS):
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                began_s = time.perf_counter()
                page.goto(f"{base}{address}?{query}", timeout=1000 * START_S)
                expect(page.locator(".skeleton")).to_have_count(0, timeout=1000 * START_S)
                took_s = time.perf_counter() - began_s
                (paint,) = page.evaluate(
                    "performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)"
                )
                turns.append((1000 * took_s, float(paint)))
                page.close()
            found[name] = {"complete": min(turns)[0], "first_paint": min(paint for _, paint in turns)}
            say(f"{name} in Chromium, {query}: {found[name]}")
        browser.close()
    return found


@contextmanager
def _served(settings: Settings, end: datetime) -> Iterator[str]:
    site = Site(
        settings=settings,
        asker=Asker(settings, START_S),
        doorman=doorman("127.0.0.1", (), "", act=False),
        now=lambda: end + HOUR,
    )
    server = uvicorn.Server(uvicorn.Config(make(site), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(_started(server), START_S, "the console")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_S)


def _started(server: uvicorn.Server) -> Callable[[], bool]:
    return lambda: server.started


def _cpu_s(pid: int) -> float:
    """All that a process has used, to the nanosecond: Linux has a clock for each."""
    return time.clock_gettime((~pid << 3) | 2)
