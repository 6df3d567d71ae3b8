"""What a program sees of a page: whether it has come, who cannot use it, what is too small or too wide; pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from weir.settings import ROOT

from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

SCREENS: Final = ROOT / ".weir" / "screens"
WIDE: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
SERIOUS: Final = ("serious", "critical")
MS: Final = 1000 * WAIT_S
# What is pressed. Not links within sentences and tables, nor cells of a map, which are reached by keys.
TARGETS: Final = (
    "button, select, summary, input:not([type=hidden]), .acts a, .seg a, .rail a, a.tool, a.tile, a.chip, .side li a"
)
SIDEWAYS: Final = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(
    () => done(document.documentElement.scrollWidth - window.innerWidth)))))"""
SMALL: Final = """([targets, least]) => [...document.querySelectorAll(targets)].filter(one => {
    if (!one.checkVisibility({ visibilityProperty: true })) return false;
    const box = one.getBoundingClientRect();
    return box.width > 1 && (box.height < least - 0.5 || box.width < 23.5);
}).map(one => `${one.getBoundingClientRect().height} of ${one.outerHTML.slice(0, 120)}`)"""
FRAMES: Final = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def shown(page: Page) -> Page:
    """Wait until every panel has its answer."""
    from playwright.sync_api import expect

    expect(page.locator(".skeleton")).to_have_count(0, timeout=MS)
    return page


def only(page: Page, *panels: str) -> None:
    """Let all other panels be empty: each costs ClickHouse as much as these do."""

    def answer(route: Route) -> None:
        name = urlsplit(route.request.url).path.removeprefix("/panel/")
        if name in panels:
            route.continue_()
        else:
            route.fulfill(status=200, content_type="text/html", body="<p>left out</p>")

    page.route("**/panel/**", answer)


def put(page: Page, theme: str) -> None:
    """Let the system be light or dark. A page without scripts of its own has that of its first paint."""
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    if not page.locator("#theme").count():
        page.reload()
    page.evaluate(FRAMES)
    assert page.evaluate("document.documentElement.dataset.theme") == theme


def faults(page: Page, axe: str) -> list[str]:
    """What of a page cannot be used by everybody, as far as a program sees it."""
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}" for one in found if one["impact"] in SERIOUS for node in one["nodes"][:3]
    ]


def wider_than_the_window(page: Page) -> int:
    """Pixels by which it scrolls sideways, once charts have their size: they are fitted a frame after a resize."""
    found: int = page.evaluate(SIDEWAYS)
    return found


def small(page: Page, least: int) -> list[str]:
    """What is pressed and is lower than `least` pixels, or narrower than any finger."""
    found: list[str] = page.evaluate(SMALL, [TARGETS, least])
    return found


def keep(page: Page, name: str) -> None:
    """Its picture, for a person."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png")
