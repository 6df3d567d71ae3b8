"""What a person does on a service and with a statement, in a browser: by keyboard, by mouse, and by ear."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from weir.core.numbers import figure
from weir.monitor.spec import Unit
from weir.web.console.words import FORMS

from tests.console.looks import only

VALUES = (0, 1.234e-05, 0.0012, 0.0449, 0.31, 0.99996, 1.06, -5.76, 6.31, 9.96, 45, 99.996, 123.4, 999.6, 1234.6)
VALUES += (9999.7, 12345, 281032, 6.6e7, 3.2e9, 4e13, None)


@pytest.fixture
def expect():
    from playwright.sync_api import expect

    return expect


def settled(page, expect):
    """All panels have come, and all their pictures are drawn."""
    expect(page.locator(".skeleton")).to_have_count(0, timeout=60_000)
    expect(page.locator("weir-chart:not([data-drawn])")).to_have_count(0, timeout=60_000)


def test_numbers_are_read_in_the_browser_as_everywhere(page):
    asked = {"units": [unit.value for unit in Unit], "values": VALUES}
    script = """async ({ units, values }) => {
        const { figure } = await import("/static/figures.js");
        return units.map(unit => values.map(value => figure(value, unit, "CHF")));
    }"""
    page.goto("/query")
    found = page.evaluate(script, asked)
    assert found == [[figure(value, unit.value, "CHF") for value in VALUES] for unit in Unit]


def test_a_chart_that_is_gone_is_kept_by_no_other(page, expect, service):
    """Those of one page share a cursor; a panel that comes anew brings others, for as long as the page is open."""
    only(page, "latency")
    page.goto(f"/s/{service}")
    settled(page, expect)
    known = "uPlot.sync('time').plots.length"
    assert page.evaluate(known) > 0
    page.evaluate("document.querySelectorAll('weir-chart').forEach(one => one.remove())")
    assert page.evaluate(known) == 0


def test_a_chart_is_read_point_by_point_and_dragged_to_a_shorter_time(page, expect, service):
    only(page, "latency")
    page.goto(f"/s/{service}")
    settled(page, expect)
    chart = page.locator("#latency weir-chart").first
    chart.focus()
    chart.press("Home")
    first = chart.get_attribute("aria-valuetext")
    assert re.match(r"27 Nov 20:00: p99 .*ms, .*p95 .*ms, p50 .*ms", first)
    chart.press("ArrowRight")
    assert re.match(r"27 Nov 20:15: ", chart.get_attribute("aria-valuetext"))
    chart.press("PageUp")
    chart.press("End")
    assert chart.get_attribute("aria-valuenow") == chart.get_attribute("aria-valuemax") == "95"
    page.keyboard.press("r")  # all panels ask again; the cursor stays where it is
    expect(chart).to_be_focused()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 90, box["y"] + 80, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=*")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["from"] < asked["to"]
    assert "range" not in asked
    settled(page, expect)


def test_the_map_of_inputs_has_one_stop_and_opens_by_keyboard(page, expect, service):
    only(page, "drift", "drill")
    page.goto(f"/s/{service}")
    settled(page, expect)
    expect(page.locator('table.heat td[tabindex="0"]')).to_have_count(1)
    chosen = page.locator('table.heat td[tabindex="0"]')
    chosen.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    cell = page.locator("table.heat td:focus")
    assert re.match(r"\w+, 27 Nov 21:00: PSI [\d.]+", cell.get_attribute("aria-label"))
    feature = cell.locator("xpath=..").get_attribute("data-f")
    page.keyboard.press("Enter")
    expect(page.locator("#drill h3")).to_have_text(feature)
    expect(page.locator("#say")).to_contain_text("opened")
    assert f"feature={feature}" in page.url
    page.keyboard.press("r")
    expect(page.locator("table.heat td:focus")).to_have_count(1)
    expect(page.locator("#drill h3")).to_have_text(feature)
    page.reload()
    settled(page, expect)
    expect(page.locator("#drill h3")).to_have_text(feature)
    page.locator('tr[data-f="channel"] td[data-c]').last.click()
    expect(page.locator("#drill .pairs")).to_be_visible()


def test_a_statement_is_completed_and_run_by_keyboard(page, expect, service):
    page.goto(f"/query?service={service}")
    area = page.locator("#sql")
    area.fill("SELECT count() AS n FROM pred")
    area.press("End")
    page.keyboard.type("i")
    expect(page.locator("#words li")).to_have_text(["prediction_id", "predictions"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert area.get_attribute("aria-activedescendant") == "word-1"
    page.keyboard.press("Enter")
    expect(area).to_have_value("SELECT count() AS n FROM predictions")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#h-result")).to_contain_text("1 row in")
    expect(page.locator(".editor pre .kw")).to_have_text(["SELECT", "AS", "FROM"])


def test_a_time_is_written_in_the_browser_as_by_the_server(page):
    moments = [datetime(2026, month, 3, 0, month, 7, tzinfo=UTC) for month in range(1, 13)]
    script = """async ({ forms, moments }) => {
        const { clock } = await import("/static/figures.js");
        return forms.map(form => moments.map(at => clock(at, form)));
    }"""
    page.goto("/query")
    found = page.evaluate(script, {"forms": [*FORMS], "moments": [at.timestamp() for at in moments]})
    assert found == [[at.strftime(form) for at in moments] for form in FORMS.values()]


def test_a_query_is_kept_by_keyboard(page, expect, service):
    page.goto(f"/query?service={service}&range=7d")
    page.locator("#sql").fill("SELECT 7 AS kept")
    page.get_by_role("button", name="Save").press("Enter")
    page.keyboard.type("team/by_hand")
    page.keyboard.press("Enter")
    page.wait_for_url("**saved=team%2Fby_hand")
    assert parse_qs(urlsplit(page.url).query)["range"] == ["7d"]
    expect(page.locator("#sql")).to_have_value("SELECT 7 AS kept\n")
    expect(page.locator(".side a[aria-current]")).to_have_text("team/by_hand")


def test_the_theme_is_the_system_s_until_a_person_chooses_one(page, expect):
    def is_now(theme):
        expect(page.locator(f':root[data-theme="{theme}"]')).to_have_count(1)

    page.emulate_media(color_scheme="light")
    page.goto("/query")
    is_now("light")
    page.emulate_media(color_scheme="dark")
    is_now("dark")
    expect(page.locator("#theme")).to_have_text("Light")
    page.reload()
    page.emulate_media(color_scheme="light")
    is_now("light")
    page.keyboard.press("t")
    is_now("dark")
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    page.reload()
    is_now("dark")
