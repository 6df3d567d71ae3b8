"""Who may ask and act: hosts, headers, sessions, tokens, and how much of anything."""

import re

import pytest
from starlette.testclient import TestClient
from weir.core.errors import Refused
from weir.settings import load
from weir.web.console.app import make
from weir.web.console.asking import Asker
from weir.web.console.frame import Frame
from weir.web.console.pages import sign_in
from weir.web.console.security import HEADERS, POLICY, doorman
from weir.web.console.site import Site

from tests.console.filled import NOW

TOKEN = "correct horse battery"
HERE = {"Sec-Fetch-Site": "same-origin"}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}  # that a person follows
AWAY = load(clickhouse_url="http://127.0.0.1:9")  # nobody listens on discard
PATHS = ("/", "/alerts", "/ledger", "/nothing", "/panel/balance", "/panel/none", "/static/console.js", "/palette.json")
ACTS = ("/alerts/0123/ack", "/alerts/0123/silence", "/dead-letters/redrive")


def client(base="http://127.0.0.1:8300", token="", host="127.0.0.1", act=True, names=()):
    site = Site(settings=AWAY, asker=Asker(AWAY), doorman=doorman(host, names, token, act=act), now=lambda: NOW)
    return TestClient(make(site), base_url=base, follow_redirects=False)


def form_token(console, path="/ledger"):
    """What a form of this session would carry."""
    site = console.app.state.site
    cookie = next(iter(console.cookies.values()), None) or (console.get(path), next(iter(console.cookies.values())))[1]
    return site.doorman.form_token(site.doorman.session(cookie))


def test_every_answer_has_the_headers_and_no_policy_is_unsafe():
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert POLICY.startswith("default-src 'none'")
    with client() as console:
        for path in PATHS:
            found = console.get(path).headers
            assert {name: found[name] for name in HEADERS} == dict(HEADERS), path


def test_so_has_what_is_no_page():
    """A form that is refused, a redirect, a table for a spreadsheet, and what the door itself says."""
    with client(token=TOKEN, names=["weir.example"]) as console:
        wrong = console.post("/sign-in", data={"token": "wrong"}, headers=HERE)
        away = console.get("/ledger")
        right = console.post("/sign-in", data={"token": TOKEN}, headers=HERE)
        acted = [console.post(path, data={"token": "0"}, headers=HERE) for path in ACTS]
        tables = [console.get("/data/health/traffic.csv"), console.get("/query.csv?sql=SELECT+1", headers=HERE)]
        script = console.get("/static/all.js")
        known = console.get("/static/all.js", headers={"If-None-Match": script.headers["etag"]})
        refused = [console.put("/"), console.get("/", headers={"Host": "evil.example"})]
        foreign = console.get("/ledger", headers={"Sec-Fetch-Site": "cross-site"})
    statuses = [wrong, away, right, *acted, *tables, script, known, *refused, foreign]
    assert [one.status_code for one in statuses] == [403, 303, 303, 403, 403, 403, 503, 503, 200, 304, 405, 421, 403]
    for one in statuses:
        assert {name: one.headers[name] for name in HEADERS} == dict(HEADERS), one.request.url


def test_a_page_has_no_script_style_or_handler_in_it():
    with client() as console:
        for path in ("/", "/alerts", "/dead-letters", "/sign-in", "/nothing"):
            text = console.get(path).text
            assert re.findall(r"<script(?! (?:type=\"module\" )?src=\"/static/)", text) == [], path
            assert re.findall(r"<style| style=| on\w+=|javascript:|(?:src|href|action)=\"(?:\w+:)?//", text) == [], path


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "weir", "", "[::2]:8300"])
def test_other_names_are_refused(host):
    with client() as console:
        answer = console.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert "Overview" not in answer.text


def test_names_that_were_given_are_answered_to():
    with client(token=TOKEN, names=["weir.example"]) as console:
        assert console.get("/sign-in", headers={"Host": "WEIR.example:443"}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(method):
    with client() as console:
        assert console.request(method, "/").status_code == 405


@pytest.mark.parametrize("path", ACTS)
def test_nobody_acts_without_the_token_of_the_form_or_from_elsewhere(path):
    with client() as console:
        good = form_token(console)
        for headers, token in (
            (HERE, ""),
            (HERE, "0" * 64),
            ({"Sec-Fetch-Site": "cross-site"}, good),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, good),
            ({}, good),
        ):
            answer = console.post(path, data={"token": token, "service": "a", "reason": "b"}, headers=headers)
            assert answer.status_code in (403, 503), (headers, token)
            assert "were sent again" not in answer.text


def test_a_form_of_another_session_is_refused():
    with client() as mine, client() as theirs:
        token = form_token(theirs)
        form_token(mine)
        answer = mine.post(ACTS[2], data={"token": token, "service": "a", "reason": "b"}, headers=HERE)
    assert answer.status_code in (403, 503)


def test_a_console_that_only_shows_says_so():
    with client(act=False) as console:
        answer = console.post(ACTS[2], data={"token": form_token(console), "service": "a", "reason": "b"}, headers=HERE)
    assert "this console only shows" in answer.text


def test_a_session_is_of_this_browser_and_no_script_reads_it():
    with client() as console:
        cookie = console.get("/").headers["set-cookie"]
    assert cookie.startswith("weir-8300=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_a_form_is_short_and_of_one_kind():
    with client() as console:
        long = console.post(
            ACTS[2], content=b"a=" + b"b" * 70_000, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        many = console.post(ACTS[2], data={f"f{i}": "1" for i in range(50)}, headers=HERE)
        other = console.post(ACTS[2], json={"token": "x"}, headers=HERE)
    assert (long.status_code, many.status_code, other.status_code) == (413, 400, 415)


def test_beyond_this_machine_a_token_is_needed_and_no_short_one():
    with pytest.raises(Refused, match="WEIR_CONSOLE_TOKEN"):
        doorman("0.0.0.0", (), "", act=False)
    with pytest.raises(Refused, match="WEIR_CONSOLE_TOKEN"):
        doorman("127.0.0.1", ["weir.example"], "", act=False)
    with pytest.raises(Refused, match="guessed"):
        doorman("0.0.0.0", (), "short", act=False)


def test_with_a_token_nothing_is_shown_before_somebody_signs_in():
    with client(token=TOKEN) as console:
        asked = console.get("/ledger?range=7d")
        assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?to=%2Fledger%3Frange%3D7d")
        assert console.get("/panel/balance").status_code == 401
        assert console.get("/data/health/rate.csv").status_code == 401
        assert console.post(ACTS[2], data={}, headers=HERE).status_code == 401
        wrong = console.post("/sign-in", data={"token": "wrong", "to": "/ledger"}, headers=HERE)
        assert wrong.status_code == 403
        assert console.get("/").status_code == 303
        elsewhere = console.post("/sign-in", data={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 403
        right = console.post("/sign-in", data={"token": TOKEN, "to": "/ledger?range=7d"}, headers=HERE)
        assert (right.status_code, right.headers["location"]) == (303, "/ledger?range=7d")
        assert console.get("/ledger").status_code == 200


@pytest.mark.parametrize(
    "to", ["//evil.example/", "/\\evil.example", "https://evil.example", "javascript:alert(1)", ""]
)
def test_signing_in_leads_nowhere_else(to):
    with client(token=TOKEN) as console:
        done = console.post("/sign-in", data={"token": TOKEN, "to": to}, headers=HERE)
    assert done.headers["location"] == "/"


def test_a_cookie_that_somebody_has_made_is_none():
    with client(token=TOKEN) as console:
        for made in ("a.b", "a", ".", "x" * 5000, "ä.ö"):
            answer = console.get("/", headers={"Cookie": f"weir-8300={made}".encode()})
            assert answer.status_code == 303, made


def signed_in(console):
    console.post("/sign-in", data={"token": TOKEN}, headers=HERE)
    return "; ".join(f"{name}={value}" for name, value in console.cookies.items())


def test_a_link_from_elsewhere_or_a_neighbour_s_cookie_signs_nobody_out():
    with client(token=TOKEN) as console:
        mine = signed_in(console)
        console.cookies.clear()
        for cookie in (mine, f'other={{"a": [1, "b"]}}; {mine}', f"{mine}; =; a b; c"):
            answer = console.get("/ledger", headers={"Cookie": cookie, "Sec-Fetch-Site": "cross-site", **LINK})
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/sign-in-x", "/static/none.js", "/static/../ledger", "/nothing"])
def test_who_has_not_signed_in_is_told_of_nothing(path):
    with client(token=TOKEN) as console:
        console.app.state.site.frames.latest = Frame(services=("hush-hush",))
        assert "hush-hush" not in console.get(path).text
        signed_in(console)
        assert "hush-hush" in console.get("/nothing").text


@pytest.mark.parametrize(
    ("fetched", "status"),
    [(LINK, 200), ({"Sec-Fetch-Mode": "no-cors"}, 403), ({**LINK, "Sec-Fetch-Dest": "iframe"}, 403), ({}, 403)],
)
def test_a_page_elsewhere_makes_the_console_ask_nothing(fetched, status):
    with client() as console:
        for site in ("cross-site", "same-site"):
            assert console.get("/ledger", headers={"Sec-Fetch-Site": site, **fetched}).status_code == status


def test_one_wrong_token_at_a_time_is_looked_at():
    with client(token=TOKEN) as console, sign_in._guessing:
        assert console.post("/sign-in", data={"token": "wrong"}, headers=HERE).status_code == 429
        assert console.post("/sign-in", data={"token": TOKEN}, headers=HERE).status_code == 303
