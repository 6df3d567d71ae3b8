"""Every page in a browser: with data, without, with the backend away; wide and on a phone, light and dark, by keyboard.

Pictures of each are kept under .weir/screens, for a person to look at.
"""

import os
import re
import signal
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from weir.settings import ROOT

from tests.console.filled import DRIFTED, FLIGHTS
from tests.console.learning import BETTER, STOPPED
from tests.console.stand import site
from tests.databases import migrated
from tests.waiting import START_S, WAIT_S, until

expect = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra dev").expect
SCREENS = ROOT / ".weir" / "screens"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
ALERT = f"/alerts/{DRIFTED.key}-1"
LETTER = f"/dead-letters/{FLIGHTS.topic.replace('/', '%2F')}%2F1%2F1995%40log"
PAGES = {
    "overview": "/",
    "service": f"/s/{FLIGHTS.service}",
    "alerts": "/alerts",
    "alert": ALERT,
    "ledger": "/ledger",
    "letters": "/dead-letters",
    "reason": f"/dead-letters?service={FLIGHTS.service}&reason=out_of_range",
    "letter": LETTER,
    "learners": "/learners",
    "learner": f"/learners/{BETTER}",
    "stopped-learner": f"/learners/{STOPPED}",
    "rows": f"/rows/health/traffic?service={FLIGHTS.service}&from=2026-11-28T19:00Z&to=2026-11-28T19:10Z",
}
EMPTY = ("/", "/alerts", "/ledger", "/dead-letters", "/learners")
SERIOUS = ("serious", "critical")
MS = 1000 * WAIT_S


@pytest.fixture(scope="session")
def axe():
    """The script, to be run within a page; its policy stays in force."""
    import axe_playwright_python

    return next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text()


def shown(page):
    """Wait until every panel has its answer."""
    expect(page.locator(".skeleton")).to_have_count(0, timeout=MS)
    return page


def faults(page, axe):
    """What of a page cannot be used by everybody, as far as a program sees it."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}" for one in found if one["impact"] in SERIOUS for node in one["nodes"][:3]
    ]


def wider_than_the_window(page):
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def keep(page, name):
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_data(page, axe, name):
    page.goto(PAGES[name])
    shown(page)
    assert page.locator(".error").count() == 0, page.locator(".error").first.inner_text()
    assert page.locator("h1").count() == 1
    for size, of in (("wide", WIDE), ("phone", PHONE)):
        page.set_viewport_size(of)
        for theme in ("light", "dark"):
            if page.evaluate("document.documentElement.dataset.theme") != theme:
                page.keyboard.press("t")
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert faults(page, axe) == [], (size, theme)
            keep(page, f"{name}-{size}-{theme}")
        assert wider_than_the_window(page) <= 0, size


@pytest.mark.parametrize(
    "path", ["/s/nobody", "/alerts/none", "/dead-letters/none", "/rows/none", "/learners/none", "/none"]
)
def test_what_is_not_there_says_what_is(console, path):
    answer = console.get(path)
    assert answer.status_code == 404
    assert "There is no" in answer.text
    assert FLIGHTS.service in answer.text


@pytest.fixture(scope="module")
def nothing(databases):
    """The address of a console over a record without a row."""
    with migrated(databases) as settings, served(site(settings.having(deployment="nobody"))) as address:
        yield address


@contextmanager
def served(of):
    import uvicorn
    from weir.web.console.app import make

    server = uvicorn.Server(uvicorn.Config(make(of), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, START_S, "the console")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(WAIT_S)


@pytest.mark.parametrize("path", EMPTY)
def test_a_page_without_data_says_what_to_do(browser, nothing, axe, path):
    context = browser.new_context(viewport=WIDE, base_url=nothing, color_scheme="dark")
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(path)
    shown(page)
    assert page.locator(".empty, .verdict").first.is_visible()
    assert page.locator("nav [data-key=n]").count() == 0  # of learners: there are none
    assert page.locator(".error").count() == 0
    assert faults(page, axe) == []
    keep(page, f"empty{path.replace('/', '-')}")
    page.set_viewport_size(PHONE)
    assert wider_than_the_window(page) <= 0
    context.close()
    assert said == []


@contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def hasty(recorded):
    """The address of a console that soon gives an answer up."""
    with served(site(recorded, answer_s=4)) as address:
        yield address


def test_while_clickhouse_is_away_pages_keep_what_they_have_say_so_and_heal(browser, hasty, stack):
    context = browser.new_context(viewport=WIDE, base_url=hasty)
    page = context.new_page()
    page.goto("/")
    shown(page)
    before = page.locator("#balance .equation").inner_text()
    with stopped(stack.child("clickhouse").pid):
        page.keyboard.press("r")
        expect(page.locator("#away")).to_be_visible(timeout=MS)
        expect(page.locator("#away-text")).to_contain_text("ClickHouse does not answer")
        expect(page.locator("#away-text")).to_contain_text("Scoring goes on")
        expect(page.locator("#balance .stale")).to_be_visible(timeout=MS)
        assert page.locator("#balance .equation").inner_text() == before
        keep(page, "away-stale")
        new = context.new_page()
        new.goto("/ledger")
        expect(new.locator(".waiting").first).to_have_text("Waiting for ClickHouse.", timeout=MS)
        assert new.locator("#away").is_visible()
        assert FLIGHTS.service in new.locator(".rail").inner_text()
        keep(new, "away-new")
    for one in (page, new):
        one.keyboard.press("r")
        expect(one.locator("#away")).to_be_hidden(timeout=MS)
        expect(one.locator(".stale, .waiting")).to_have_count(0, timeout=MS)
    assert page.locator("#balance .equation").inner_text() == before
    context.close()


def test_every_page_is_reached_and_used_by_keyboard(page, address):
    page.goto("/ledger")
    shown(page)
    for key, path in {"o": "/", "a": "/alerts", "d": "/dead-letters", "l": "/ledger"}.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(re.compile(re.escape(address + path) + r"(\?.*)?$"))
    shown(page)
    page.keyboard.press("Control+k")
    expect(page.locator("#found li").first).to_be_visible()
    page.keyboard.type(f"{FLIGHTS.service} input moved")
    expect(page.locator("#found li")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/s/{FLIGHTS.service}#drift"))
    shown(page)
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") != theme
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("Space")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")


def test_the_first_stop_of_the_keyboard_skips_to_the_content(page):
    page.goto("/alerts")
    shown(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_times_are_said_in_the_zone_that_was_chosen_everywhere_and_it_is_remembered(browser, address):
    context = browser.new_context(viewport=WIDE, base_url=address, timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto("/alerts")
    shown(page)
    at = page.locator("#alerts time").first
    assert page.locator("#tz").inner_text() == "UTC"
    said, second = at.inner_text(), int(at.get_attribute("data-t"))
    assert said.endswith(f"{datetime.fromtimestamp(second, UTC):%H:%M}")
    page.keyboard.press("z")
    expect(page.locator("#tz")).to_have_text("Tokyo")
    assert at.inner_text().endswith(f"{datetime.fromtimestamp(second + 9 * 3600, UTC):%H:%M}")
    page.goto("/ledger")
    shown(page)
    expect(page.locator("#tz")).to_have_text("Tokyo")
    context.close()


def test_a_tick_asks_for_what_is_new_alone_and_leaves_the_focus(page):
    page.goto("/alerts")
    shown(page)
    link = page.locator("#alerts h4 a").first
    link.focus()
    with page.expect_response(re.compile("/panel/alerts")) as answered:
        page.evaluate("document.querySelector('#p-alerts').dispatchEvent(new Event('tick'))")
    assert answered.value.status == 304
    assert link.evaluate("one => one === document.activeElement")


def test_nothing_jumps_when_answers_come(page):
    page.add_init_script(
        "window.jumped = 0; new PerformanceObserver(list => { for (const one of list.getEntries()) "
        "if (!one.hadRecentInput) window.jumped += one.value }).observe({type: 'layout-shift', buffered: true})"
    )
    for path in ("/", "/ledger"):
        page.goto(path)
        shown(page)
        assert page.evaluate("window.jumped") <= 0.1, path
