"""What the console's pages of a service cost over a month of predictions: every panel alone, and pages in Chromium.

The month is that of `rounds`; its cells of outcomes are counted first, as the monitor worker would have. Of a directory
of the embedded ClickHouse in which it lies already: `python -m tests.bench.pages DIRECTORY`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from weir.core.errors import Unavailable
from weir.core.signature import Task
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import outcome_cells
from weir.settings import Settings, load
from weir.web.console.asking import Asker
from weir.web.console.panels import PANELS
from weir.web.console.security import doorman
from weir.web.console.site import Site
from weir.web.console.view import View

from tests.bench.month import BEGIN, DAY, DAYS, HOUR, SERVICE
from tests.bench.protocol import Say
from tests.console.serving import serving
from tests.ports import free_port
from tests.waiting import START_S, until

CHROMIUM: Final = Path("/usr/bin/chromium")
RANGES: Final = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
ADDRESSES: Final = {"overview": "/", "service": f"/s/{SERVICE}"}
TURNS: Final = 3
AT_ONCE: Final = 400_000  # predictions whose cells are counted together
SEEN: Final = """[...document.querySelectorAll(".live-panel")].some(panel => {
    const box = panel.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight && panel.querySelector(".skeleton");
})"""  # whether a panel that is seen waits for its answer


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
    """By page: milliseconds until something is seen, until what is seen is complete, and all; requests and KiB sent."""
    from playwright.sync_api import sync_playwright

    query = "&".join(f"{name}={value}" for name, value in asked.items())
    found: dict[str, dict[str, float]] = {}
    with _served(settings, end) as base, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        for name, address in ADDRESSES.items():
            turns = [_opened(browser, f"{base}{address}?{query}") for _ in range(TURNS)]
            found[name] = {figure: min(turn[figure] for turn in turns) for figure in turns[0]}
            say(f"{name} in Chromium, {query}: {', '.join(f'{one} {value:.0f}' for one, value in found[name].items())}")
        browser.close()
    return found


def _opened(browser: Any, address: str) -> dict[str, float]:
    """One page, opened by a browser that has nothing of it."""
    from playwright.sync_api import expect

    page = browser.new_page(viewport={"width": 1440, "height": 900})
    sent: list[float] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda one: sent.append(one["encodedDataLength"]))
    network.send("Network.enable")
    began_s = time.perf_counter()
    page.goto(address, timeout=1000 * START_S)
    until(lambda: not page.evaluate(SEEN), START_S, "what is seen", every_s=0.01)
    seen_s = time.perf_counter() - began_s
    expect(page.locator(".skeleton")).to_have_count(0, timeout=1000 * START_S)
    took_s = time.perf_counter() - began_s
    (paint,) = page.evaluate("performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)")
    page.context.close()
    figures = {"first_paint": float(paint), "seen": 1000 * seen_s, "complete": 1000 * took_s}
    return {**figures, "requests": float(len(sent)), "kib": sum(sent) / 1024}


@contextmanager
def _served(settings: Settings, end: datetime) -> Iterator[str]:
    site = Site(
        settings=settings,
        asker=Asker(settings, START_S),
        doorman=doorman("127.0.0.1", (), "", act=False),
        now=lambda: end + HOUR,
    )
    with serving(site) as address:
        yield address


def _cpu_s(pid: int) -> float:
    """All that a process has used, to the nanosecond: Linux has a clock for each."""
    return time.clock_gettime((~pid << 3) | 2)


def main() -> None:
    """Of a directory in which the month lies: print what is found as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("directory", type=Path, help="of the embedded ClickHouse; its cells are counted there")
    asked, port = parser.parse_args(), free_port()
    command = [sys.executable, "-m", "weir.edges.embedded.clickhouse_facade"]
    settings = load().having(clickhouse_url=f"http://127.0.0.1:{port}")
    with subprocess.Popen([*command, "--path", str(asked.directory), "--port", str(port)]) as served:
        try:
            until(lambda: _answers(settings), START_S, "ClickHouse")
            end = BEGIN + DAYS * DAY
            found = measure(settings, served.pid, end, lambda line: print(line, file=sys.stderr, flush=True))
            print(json.dumps(found, indent=1))
        finally:
            served.terminate()


def _answers(settings: Settings) -> bool:
    try:
        clickhouse.connect(settings.recording).close()
    except Unavailable:
        return False
    return True


if __name__ == "__main__":
    main()
