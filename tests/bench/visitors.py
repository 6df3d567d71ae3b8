"""People who leave pages of the console open: `python -m tests.bench.visitors ADDRESS PATH ... --by http|chromium`.

A line of JSON says that every page has come; they tick until the input ends, and another line says what was asked.
By http a page is a thread that asks as the page's script does: its panels two at a time, then, every few seconds as the
page says, those that were on the first screen, with the tag of what it has. By chromium it is a tab.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any, Final
from urllib.parse import urlsplit

CHROMIUM: Final = "/usr/bin/chromium"
PANEL: Final = re.compile(r'hx-get="([^"]+)"')
EVERY: Final = re.compile(r'data-every="(\d+)"')
SEEN: Final = 4  # panels of a page that fit on its first screen, at most: these tick
AT_ONCE: Final = 2
PATIENCE_S: Final = 60.0


class Reader(threading.Thread):
    """One page that stands open."""

    def __init__(self, base: str, path: str) -> None:
        super().__init__(name=path, daemon=True)
        self._base, self._path = urlsplit(base), path
        self._tags: dict[str, str] = {}
        self.shown, self.ending = threading.Event(), threading.Event()
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0

    def run(self) -> None:
        """Open it, then tick."""
        page = self._ask(self._path)
        panels = [unescape(one) for one in PANEL.findall(page)]
        every = EVERY.search(page)
        with ThreadPoolExecutor(AT_ONCE) as some:
            list(some.map(self._ask, panels))
            self.shown.set()
            while not self.ending.wait(float(every[1]) if every else 15.0):
                list(some.map(self._ask, panels[:SEEN]))

    def _ask(self, path: str) -> str:
        began_s = time.monotonic()
        connection = http.client.HTTPConnection(self._base.netloc, timeout=PATIENCE_S)
        headers = {"Accept-Encoding": "identity"} | ({"If-None-Match": self._tags[path]} if path in self._tags else {})
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        self.statuses[answer.status] += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
        if tag := answer.headers.get("ETag"):
            self._tags[path] = tag
        return body.decode()


def by_http(base: str, paths: list[str]) -> dict[str, Any]:
    """Until the input ends."""
    readers = [Reader(base, path) for path in paths]
    for one in readers:
        one.start()
    for one in readers:
        if not one.shown.wait(PATIENCE_S * 2):
            raise RuntimeError(f"{one.name} did not come")
    _say({"pages": len(readers)})
    sys.stdin.read()
    for one in readers:
        one.ending.set()
    for one in readers:
        one.join(PATIENCE_S)
    statuses = sum((one.statuses for one in readers), Counter[int]())
    return {"statuses": dict(statuses), "slowest_s": max(one.slowest_s for one in readers)}


def by_chromium(base: str, paths: list[str]) -> dict[str, Any]:
    """The same in tabs, each in a window of its own, so that all of them are seen."""
    from playwright.sync_api import expect, sync_playwright

    statuses: Counter[int] = Counter()
    ending = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        pages = [browser.new_context(viewport={"width": 1440, "height": 900}).new_page() for _ in paths]
        for page, path in zip(pages, paths, strict=True):
            page.on("response", lambda one: statuses.update([one.status]))
            page.goto(f"{base}{path}", timeout=1000 * PATIENCE_S)
        for page in pages:
            expect(page.locator(".live-panel:not([data-later]) .skeleton")).to_have_count(0, timeout=2000 * PATIENCE_S)
        _say({"pages": len(pages)})
        while not ending.is_set():
            pages[0].wait_for_timeout(200)  # so that what is told of the pages is heard
        with contextlib.suppress(Exception):  # tabs that are in the midst of a request
            browser.close()
    return {"statuses": dict(statuses)}


def _say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def main() -> None:
    """Open the pages, and say when all are there; tell what was asked in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--by", choices=("http", "chromium"), default="http")
    asked = parser.parse_args()
    base = asked.address.rstrip("/")
    _say(by_http(base, asked.paths) if asked.by == "http" else by_chromium(base, asked.paths))


if __name__ == "__main__":
    main()
