"""Every page in a browser, with data: wide and on a phone, light and dark, zoomed, by keyboard.

Pictures of each are kept under .weir/screens, for a person to look at.
"""

import re
from datetime import UTC, datetime

import pytest

from tests.console.addresses import PAGES
from tests.console.filled import FLIGHTS, INPUTS
from tests.console.looks import PHONE, WIDE, faults, keep, only, put, shown, small, wider_than_the_window

expect = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra dev").expect
REFUSED = ("refused",)  # pages that say why nothing can be done
NARROW = ({"width": 320, "height": 640}, {"width": 720, "height": 450})  # the smallest; 1440 x 900 at 200 %


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_data(page, axe, topics, name):
    page.goto(PAGES[name])
    shown(page)
    assert page.locator(".error").count() == (name in REFUSED), page.locator(".error").first.inner_text()
    assert page.locator("h1").count() == 1
    for size, of, least in (("wide", WIDE, 24), ("phone", PHONE, 40)):
        page.set_viewport_size(of)
        for theme in ("light", "dark"):
            put(page, theme)
            assert faults(page, axe) == [], (size, theme)
            keep(page, f"{name}-{size}-{theme}")
        assert wider_than_the_window(page) <= 0, size
        assert small(page, least) == [], size
    for size in NARROW:
        page.set_viewport_size(size)
        assert wider_than_the_window(page) <= 0, size


@pytest.mark.parametrize(
    "path", ["/s/nobody", "/alerts/none", "/dead-letters/none", "/rows/none", "/learners/none", "/none"]
)
def test_what_is_not_there_says_what_is(console, path):
    answer = console.get(path)
    assert answer.status_code == 404
    assert "There is no" in answer.text
    assert FLIGHTS.service in answer.text


def test_every_page_is_reached_and_used_by_keyboard(page, address):
    only(page, "drift")
    page.goto("/ledger")
    shown(page)
    keys = {"o": "/", "a": "/alerts", "q": "/query", "n": "/learners", "d": "/dead-letters", "l": "/ledger"}
    for key, path in keys.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(re.compile(re.escape(address + path) + r"(\?.*)?$"))
    shown(page)
    page.keyboard.press("Control+k")
    expect(page.locator("#found li").first).to_be_visible()
    page.keyboard.type(f"{FLIGHTS.service} input moved")
    expect(page.locator("#found li")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/s/{FLIGHTS.service}\?[^#]*#drift"))
    shown(page)
    page.keyboard.press("/")
    page.keyboard.type(f"{FLIGHTS.service} feature")
    expect(page.locator("#found li")).to_have_count(len(INPUTS))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator('#found li[aria-selected="true"]')).to_contain_text(INPUTS[1])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"feature={INPUTS[1]}#drift"))
    shown(page)
    expect(page.locator("#drill h3")).to_have_text(INPUTS[1])
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


def test_without_scripts_there_are_the_frame_its_questions_and_its_links(browser, address):
    context = browser.new_context(viewport=WIDE, base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?range=7d")
    assert page.get_by_role("heading", level=2, name="What needs you?").is_visible()
    assert page.locator('nav[aria-label="Time range"] [aria-current]').inner_text() == "7d"
    page.get_by_role("link", name=FLIGHTS.service).click()
    assert page.url.endswith(f"/s/{FLIGHTS.service}?range=7d")
    assert page.locator("h1").inner_text() == FLIGHTS.service
    page.get_by_text(re.compile("– now$")).click()
    page.get_by_label("From, UTC").fill("2026-11-28T10:00Z")
    page.get_by_label("To, UTC").fill("2026-11-28T12:00Z")
    page.get_by_role("button", name="Show").click()
    assert "from=2026-11-28T10%3A00Z" in page.url
    page.goto("/query?sql=SELECT 6 * 7 AS answer")
    page.get_by_role("button", name="Run").click()
    assert page.get_by_role("cell", name="42").is_visible()
    context.close()
