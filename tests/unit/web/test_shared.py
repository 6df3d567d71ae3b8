"""Open pages share what is made in a tick, and whoever asks for himself is answered anew."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient
from weir.settings import load
from weir.web.console import shared
from weir.web.console.asking import Asker
from weir.web.console.panel import Panel
from weir.web.console.view import View

TICK = {shared.TICKED: "1"}
BEGIN = datetime(2026, 11, 30, 12, tzinfo=UTC)  # of a tick, whatever its length


@pytest.fixture
def asked(tmp_path):
    """Asks so many seconds after BEGIN for a panel that says how often it was made."""
    made, at = [], [0.0]
    asker = Asker(load(home=tmp_path), now=lambda: at[0])

    def build():
        made.append(1)
        return Panel(name="count", question=f"The {len(made)}.", template="none.html", context={}, note="x" * 2000)

    def answer(request: Request):
        view = View.of({"range": "24h"}, BEGIN)
        return shared.fragment(request, view, build)

    app = Starlette(routes=[Route("/panel/count", answer)])
    app.state.site = SimpleNamespace(asker=asker, now=lambda: BEGIN + timedelta(seconds=at[0]))
    client = TestClient(app)

    def ask(second, **headers):
        at[0] = second
        found = client.get("/panel/count", headers=headers)
        return found.status_code, len(made), found

    yield ask
    asker.close()


def test_a_tick_is_answered_once_and_the_next_one_anew(asked):
    """Of 15 seconds each: what happens between two of them is seen by the second."""
    assert View.of({"range": "24h"}, BEGIN).every_s == 15
    assert asked(0.1, **TICK)[:2] == (200, 1)
    status, made, found = asked(3.0, **TICK)
    assert (status, made, found.headers["content-encoding"]) == (200, 1, "gzip")
    assert asked(3.5, **TICK, **{"if-none-match": found.headers["etag"]})[:2] == (304, 1)
    assert asked(15.1, **TICK)[:2] == (200, 2)
    assert asked(29.0, **TICK)[:2] == (200, 3)  # of a page whose clock is wrong: half a tick is too old


def test_whoever_asks_for_himself_is_answered_anew(asked):
    assert asked(0.1, **TICK)[1] == 1
    assert asked(0.2)[1] == 2
    assert asked(0.3)[1] == 3
