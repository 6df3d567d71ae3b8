"""When a page asks: first for what is seen; then again by itself, while somebody sees it, and only for what is new."""

import re
from urllib.parse import urlsplit

import pytest
from weir.web.console.panels import slots

from tests.console.filled import FLIGHTS
from tests.console.looks import MS, shown
from tests.console.serving import serving
from tests.console.stand import site
from tests.doubles.monitoring import HEADER, SHARE
from tests.waiting import WAIT_S, until

expect = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra dev").expect
TICK_S = 0.2
ANSWER_S = 8
SLEEPS = [f"(SELECT sleep(3) + 0 * {i})" for i in range(4)]  # more than ANSWER_S
LEFT_PANELS = [slot.name for slot in slots("service") if slot.name != "tiles"]
LEFT_OUT = "<header class='h'><h2>left out</h2></header>"
TICKS = """count => new Promise(done => {  // so many ticks of the page later
    const every_ms = 1000 * document.documentElement.dataset.every;
    const ticks = setInterval(() => { if (!--count) { clearInterval(ticks); done(); } }, every_ms);
})"""
DAY = "from=2026-11-27T20:00Z&to=2026-11-28T20:00Z"  # which does not tick
BUDGET = 20  # requests of a cold visit
MOST_JUMPED = 0.1  # of layout shift
JUMPED = """window.jumped = 0; new PerformanceObserver(list => { for (const one of list.getEntries())
    if (!one.hadRecentInput) window.jumped += one.value }).observe({type: 'layout-shift', buffered: true})"""
MOST_BYTES = 120 * 1024  # over the wire


def name_of(request):
    return urlsplit(request.url).path.removeprefix("/panel/")


def hurried(page, path):
    """Let a page tick five times a second instead of every few seconds."""

    def answer(route):
        response = route.fetch()
        body = re.sub(r'data-every="\d+"', f'data-every="{TICK_S}"', response.text())
        route.fulfill(response=response, body=body)

    page.route(re.compile(re.escape(path) + r"(\?|$)"), answer)


@pytest.fixture
def held(page):
    """Panels that a page has asked for, by name, and that nobody answers."""
    waiting = {}
    page.route("**/panel/**", lambda route: waiting.setdefault(name_of(route.request), []).append(route))
    yield waiting
    page.unroute_all(behavior="ignoreErrors")


def answer(held, *names):
    for name in names or list(held):
        for route in held.pop(name, []):
            route.fulfill(status=200, content_type="text/html", body=LEFT_OUT)


def test_what_is_seen_is_asked_for_first_and_what_is_scrolled_to_next(page, held):
    page.goto(f"/s/{FLIGHTS.service}")
    expect(page.locator("#p-tiles.htmx-request, #p-drift.htmx-request")).to_have_count(2, timeout=MS)
    every = set(page.locator(".live-panel").evaluate_all("all => all.map(one => one.id.slice(2))"))
    below = {"maturity", "cost", "latency"}
    assert below <= every
    assert not below & set(held), held.keys()
    page.locator("#latency").scroll_into_view_if_needed()
    expect(page.locator("#p-latency.htmx-request")).to_have_count(1, timeout=MS)
    assert "cost" not in held or page.locator("#cost").is_visible()
    asked = set(held)

    def all_asked():
        asked.update(held)
        answer(held)
        page.evaluate("1")  # routes are told of meanwhile
        return asked >= every

    until(all_asked, WAIT_S, "every panel to be asked for")
    shown(page)


def test_a_tick_asks_for_what_is_new_alone_and_leaves_the_focus(page):
    hurried(page, "/alerts")
    page.goto("/alerts")
    shown(page)
    link = page.locator("#alerts h4 a").first
    link.focus()
    with page.expect_response(lambda one: "/panel/alerts" in one.url and one.status == 304) as answered:
        pass  # nobody does anything: the page asks by itself
    assert answered.value.request.headers["if-none-match"]
    assert link.evaluate("one => one === document.activeElement")


def test_only_what_is_seen_ticks_and_only_while_the_tab_is(page):
    path = f"/s/{FLIGHTS.service}"
    asked = []
    hurried(page, path)
    page.route("**/panel/**", lambda route: route.fulfill(status=200, content_type="text/html", body=LEFT_OUT))
    page.goto(path)
    shown(page)
    page.on("request", lambda one: asked.append(name_of(one)) if "/panel/" in one.url else None)
    page.evaluate(TICKS, 4)
    assert asked
    seen = "all => all.filter(one => one.getBoundingClientRect().top < innerHeight).map(one => one.id.slice(2))"
    assert set(asked) <= set(page.locator(".live-panel").evaluate_all(seen))
    page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    page.evaluate(TICKS, 1)
    asked.clear()
    page.evaluate(TICKS, 4)
    assert asked == []
    page.evaluate("delete document.hidden")
    page.evaluate(TICKS, 2)
    assert asked
    page.keyboard.press("Space")  # not live
    asked.clear()
    page.evaluate(TICKS, 4)
    assert asked == []


def test_a_panel_that_takes_too_long_says_so_and_the_others_live_on(browser, recorded, tmp_path):
    head = HEADER.format(name="slow", subject="variant", page="> 0.6")
    (tmp_path / "slow.sql").write_text(head + SHARE.replace("WHERE ", f"WHERE ({' + '.join(SLEEPS)}) = 0 AND "))
    hasty = site(recorded.having(monitors_dir=tmp_path), answer_s=ANSWER_S)
    with serving(hasty) as address:
        context = browser.new_context(base_url=address)
        page = context.new_page()
        for name in LEFT_PANELS:
            page.route(f"**/panel/{name}?**", lambda route: route.fulfill(status=200, body=LEFT_OUT))
        page.goto(f"/s/{FLIGHTS.service}?range=1h")
        page.locator("#own-0").scroll_into_view_if_needed()
        expect(page.locator("#own-0 .error")).to_contain_text(f"takes longer than {ANSWER_S} s", timeout=MS)
        shown(page)
        expect(page.locator("#tiles .tile")).to_have_count(8)
        assert page.locator(".error").count() == 1
        assert page.locator("#away").is_hidden()
        context.close()


@pytest.mark.parametrize("path", [f"/?{DAY}", f"/ledger?{DAY}", f"/s/{FLIGHTS.service}?{DAY}"])
def test_a_cold_visit_asks_for_few_things_and_little_and_nothing_jumps(page, path):
    page.add_init_script(JUMPED)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    asked, bytes_in = {}, []
    session.on("Network.requestWillBeSent", lambda one: asked.update({one["requestId"]: one["request"]["url"]}))
    session.on("Network.loadingFinished", lambda one: bytes_in.append(one["encodedDataLength"]))
    page.goto(path)
    shown(page)
    expect(page.locator("weir-chart:not([data-drawn])")).to_have_count(0, timeout=MS)
    mine = [url for url in asked.values() if url.startswith("http")]
    assert len(mine) <= BUDGET, mine
    assert sum(bytes_in) <= MOST_BYTES
    assert page.evaluate("window.jumped") <= MOST_JUMPED
