"""Every page in a browser without data, and while ClickHouse is away: on both sizes, light and dark."""

import os
import signal
from contextlib import contextmanager

import pytest
from weir.edges.clickhouse.client import connect

from tests.console.addresses import ALERT, LETTER
from tests.console.conftest import is_fault
from tests.console.filled import BUNDLE, FLIGHTS, NOW
from tests.console.looks import MS, PHONE, WIDE, faults, keep, put, shown, wider_than_the_window
from tests.console.serving import serving
from tests.console.stand import site
from tests.databases import migrated
from tests.ports import free_port

expect = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra dev").expect
LOOKS = ((WIDE, "light"), (WIDE, "dark"), (PHONE, "dark"), (PHONE, "light"))
ASKED = ((WIDE, "light"), (PHONE, "dark"))
EMPTY = {
    "overview": "/",
    "alerts": "/alerts",
    "alert": "/alerts/none",
    "ledger": "/ledger",
    "letters": "/dead-letters",
    "letter": "/dead-letters/none",
    "learners": "/learners",
    "learner": "/learners/none",
    "query": "/query",
}
AWAY = {
    "overview": "/",
    "service": f"/s/{FLIGHTS.service}",
    "alerts": "/alerts",
    "alert": ALERT,
    "ledger": "/ledger",
    "letters": "/dead-letters",
    "letter": LETTER,
    "query": "/query",
}
UNBORN = "unborn"  # announced, and never asked


@pytest.fixture(scope="module")
def nothing(databases):
    """Settings of a record without a row, and of a project without learners."""
    with migrated(databases) as settings:
        yield settings.having(deployment="nobody")


@contextmanager
def opened(browser, address):
    """A page whose console stays empty."""
    context = browser.new_context(viewport=WIDE, base_url=address, reduced_motion="reduce")
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if is_fault(message) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert said == []


def looked_at(page, axe, name):
    """In both sizes and themes it fits; in one of each nobody is shut out of it."""
    for size, theme in LOOKS:
        page.set_viewport_size(size)
        put(page, theme)
        if (size, theme) in ASKED:
            assert faults(page, axe) == [], (name, theme)
        assert wider_than_the_window(page) <= 0, name
        keep(page, f"{name}-{'wide' if size is WIDE else 'phone'}-{theme}")


def test_a_page_without_data_says_what_to_do(browser, nothing, axe):
    with serving(site(nothing)) as address, opened(browser, address) as page:
        for name, path in EMPTY.items():
            page.goto(path)
            shown(page)
            assert page.locator(".empty, .verdict").first.is_visible(), name
            assert page.locator("nav [data-key=n]").count() == 0  # of learners: there are none
            assert page.locator(".error").count() == 0, name
            looked_at(page, axe, f"empty-{name}")
        page.goto("/")
        expect(page.locator("#balance .cmd")).to_contain_text("weir demo --keep", timeout=MS)


def test_a_service_that_was_never_asked_says_how_to_ask_it(browser, nothing, axe):
    asked = {"digest": "d", "service": UNBORN, "version": "1", "inputs": ["amount"], "task": "binary", "known": ""}
    with connect(nothing.recording) as client:
        client.command(BUNDLE, parameters={**asked, "classes": ["no", "yes"], "at": f"{NOW:%Y-%m-%d %H:%M:%S}"})
    with serving(site(nothing)) as address, opened(browser, address) as page:
        page.goto("/")
        expect(page.locator("#balance .cmd")).to_contain_text(f"weir send {UNBORN} --sample 100", timeout=MS)
        page.goto(f"/s/{UNBORN}")
        expect(page.locator(".empty b")).to_have_text(f"{UNBORN} has scored nothing yet")
        looked_at(page, axe, "never-scored")


def test_a_service_without_predictions_in_a_time_leads_to_the_day_that_has_some(browser, recorded, axe):
    with serving(site(recorded)) as address, opened(browser, address) as page:
        page.goto(f"/s/{FLIGHTS.service}?from=2026-01-01T00:00Z&to=2026-01-02T00:00Z")
        expect(page.locator(".empty b")).to_have_text(f"{FLIGHTS.service} scored nothing in this window")
        looked_at(page, axe, "empty-service")
        page.get_by_role("link", name="Show that day").press("Enter")
        expect(page.locator("#drift table.heat")).to_be_visible(timeout=MS)


@contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_while_clickhouse_is_away_pages_keep_what_they_have_say_so_and_heal(browser, recorded, stack):
    with serving(site(recorded, answer_s=4)) as address:  # that soon gives an answer up
        context = browser.new_context(viewport=WIDE, base_url=address)
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
        for one in (page, new):
            one.keyboard.press("r")
            expect(one.locator("#away")).to_be_hidden(timeout=MS)
            expect(one.locator(".stale, .waiting")).to_have_count(0, timeout=MS)
        assert page.locator("#balance .equation").inner_text() == before
        context.close()


def test_where_nobody_listens_every_page_says_so_at_once(browser, recorded, axe):
    gone = recorded.having(clickhouse_url=f"http://127.0.0.1:{free_port()}")
    with serving(site(gone)) as address:
        context = browser.new_context(viewport=WIDE, base_url=address, reduced_motion="reduce")
        page, statuses = context.new_page(), set()
        page.on("response", lambda one: statuses.add(one.status) if "/panel/" in one.url else None)
        for name, path in AWAY.items():
            page.goto(path)
            shown(page)
            expect(page.locator("#away")).to_be_visible(timeout=MS)
            expect(page.locator("#away-text")).to_contain_text("ClickHouse")
            expect(page.locator("#away-text")).to_contain_text("Scoring goes on")
            looked_at(page, axe, f"away-{name}")
        assert statuses == {503}
        context.close()
