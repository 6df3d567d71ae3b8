"""One ClickHouse, one day of three services, one console and one browser, for all tests of the console."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from weir.web.console.security import FRAGMENTS, STATIC

from tests.console import learning, letters
from tests.console.filled import FLIGHTS, NOW, fill
from tests.console.stand import site
from tests.databases import migrated
from tests.doubles.measured import figure, record
from tests.waiting import WAIT_S, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from starlette.testclient import TestClient
    from weir.settings import Settings

CHROMIUM = "/usr/bin/chromium"
SPENT = {"spent": 6.1, "amount": 10.0, "period": "month", "currency": "USD"}
EARNED = (
    figure(FLIGHTS.service, "outcome/value", 2.5, NOW - timedelta(hours=6), "7/champion", details={"total": 2500.0}),
    figure(FLIGHTS.service, "outcome/value", 2.0, NOW - timedelta(hours=5), "7/champion", details={"total": 2000.0}),
    figure(FLIGHTS.service, "outcome/decisions", 0.7, NOW - timedelta(hours=6), "precision"),
    figure(FLIGHTS.service, "outcome/decisions", 0.6, NOW - timedelta(hours=5), "precision"),
    figure(FLIGHTS.service, "cost/budgets", 0.7, NOW - timedelta(hours=2), "all", details=SPENT),
)
HERE = {"Sec-Fetch-Site": "same-origin"}  # what a browser says of a request that a page of the console makes


@pytest.fixture(scope="session")
def recorded(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a database with the day of three services, and of a project of its own."""
    from weir.edges.clickhouse.client import connect

    project = tmp_path_factory.mktemp("project")
    with migrated(databases) as settings:
        fill(connect(settings.recording))
        record(connect(settings.recording), EARNED)
        learning.files(project / "learners")
        learning.calls(connect(settings.recording))
        learning.states(settings)
        folders = {f"{name}_dir": project / name for name in ("monitors", "queries", "learners")}
        yield settings.having(**folders)


@pytest.fixture(scope="session")
def topics(recorded: Settings) -> Settings:
    """The same with topics and contracts; some of the letters decode."""
    letters.send(recorded)
    return recorded


@pytest.fixture(scope="session")
def console(recorded: Settings) -> Iterator[TestClient]:
    """A console over it, asked without a browser."""
    from starlette.testclient import TestClient
    from weir.web.console.app import make

    with TestClient(make(site(recorded)), base_url="http://127.0.0.1:8300", follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="session")
def address(recorded: Settings) -> Iterator[str]:
    """The same, served."""
    import uvicorn
    from weir.web.console.app import make

    server = uvicorn.Server(uvicorn.Config(make(site(recorded)), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, name="console", daemon=True)
    thread.start()
    until(lambda: server.started, 30, "the console")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; tests that ask for it are skipped where there is none.

    Not for longer than these tests: Playwright keeps an event loop running in the thread, where no other can run then.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra dev")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    sync_api.expect.set_options(timeout=1000 * WAIT_S)
    with sync_api.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script, to be run within a page; its policy stays in force."""
    import axe_playwright_python

    return next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text()


def is_fault(message: Any) -> bool:
    """Whether a browser complains; not of a page that somebody asked for and is told that it is not there."""
    where = urlsplit(message.location.get("url", "")).path
    told = message.text.startswith("Failed to load resource") and not where.startswith((STATIC, *FRAGMENTS))
    return message.type == "error" and not told


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page of 1440 x 900 whose console must stay empty, and that must ask nobody but the console."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=address, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    opened, faults = context.new_page(), []
    opened.on("console", lambda message: faults.append(message.text) if is_fault(message) else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith(address) else faults.append(asked.url))
    yield opened
    opened.unroute_all(behavior="ignoreErrors")
    context.close()
    assert faults == []


@pytest.fixture(scope="session")
def service() -> str:
    """The one that drifts."""
    return FLIGHTS.service
