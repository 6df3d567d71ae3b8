"""The time of a page goes along with every link of it: nobody who looks at last week is shown today one page later."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.console.addresses import PAGES
from tests.console.filled import FLIGHTS, INPUTS
from tests.console.learning import BETTER

RANGE = "6h"
LINK = re.compile(r'(?:href|data-asks|action)="((?:/|\?)[^"]*)"')
PANEL = re.compile(r'hx-get="([^"]+)"')
TIMELESS = ("/static/", "/sign-in")
LIKE_OTHERS = ("classes", "number", "reason", "stopped-learner")  # whose panels are those of another page
FORMS = ("/query", "/dead-letters/redrive")  # that say the time in hidden fields


def is_kept(href):
    """Whether a link says the time: the page's, or one of its own such as that of an alert."""
    asked = parse_qs(urlsplit(href).query)
    chosen = href.startswith("?") and "range" in asked  # another time for the same page
    return asked.get("range") == [RANGE] or "from" in asked or chosen


def links(html):
    found = {unescape(one) for one in LINK.findall(html)}
    return {one for one in found if not one.startswith(TIMELESS) and one not in FORMS}


@pytest.fixture(scope="module")
def answers(console):
    """HTML of every page and of each of its panels, by address, of the last six hours."""
    found = {}
    for name, path in PAGES.items():
        address = re.sub(r"from=[^&]*&to=[^&]*", "", path)
        page = console.get(f"{address}{'&' if '?' in address else '?'}range={RANGE}").text
        found[address] = page
        for panel in () if name in LIKE_OTHERS else PANEL.findall(page):
            found.setdefault(unescape(panel), console.get(unescape(panel)).text)
    return found


def test_the_time_goes_along_with_every_link(answers):
    lost = {address: [one for one in links(html) if not is_kept(one)] for address, html in answers.items()}
    assert {address: found for address, found in lost.items() if found} == {}
    assert sum(len(links(html)) for html in answers.values()) > 300


def test_a_form_that_acts_leads_back_to_the_same_time(answers):
    (address,) = (one for one in answers if one.startswith("/alerts/"))
    forms = re.findall(r'<form method="post" action="([^"]+)"', answers[address])
    assert len(forms) == 2
    assert all(f"range={RANGE}" in one for one in forms)


def test_everything_that_has_an_address_is_found_by_its_name_at_the_same_time(console):
    found = console.get("/palette.json", params={"range": RANGE}).json()
    assert [one["href"] for one in found if not is_kept(one["href"])] == []
    named = {one["name"]: one["href"] for one in found}
    for name in INPUTS:
        href = urlsplit(named[f"{FLIGHTS.service}: {name}"])
        assert (href.path, href.fragment) == (f"/s/{FLIGHTS.service}", "drift")
        assert parse_qs(href.query) == {"range": [RANGE], "feature": [name]}
    kinds = {one["kind"].partition(",")[0] for one in found}
    assert kinds == {"page", "service", "panel", "feature", "alert", "learner", "monitor"}
    assert named[BETTER] == f"/learners/{BETTER}?range={RANGE}"
    feature = named[f"{FLIGHTS.service}: {INPUTS[1]}"].partition("#")[0]
    page = console.get(feature).text
    (drift,) = (unescape(one) for one in PANEL.findall(page) if "/panel/drift" in one)
    assert re.search(rf'<h3 class="mono">{INPUTS[1]}</h3>', console.get(drift).text)
