"""`weir watch`: a screen that stays up to date on a terminal, a line a look in a pipe, and what is said meanwhile."""

import os
import pty
import select
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console
from weir.cli import status_page
from weir.cli.watch import Watch
from weir.core import numbers
from weir.core.errors import Unavailable
from weir.edges.clickhouse.client import connect
from weir.operations import needs_you, overview

from tests.console.filled import FLIGHTS, NOW

DEADLINE_S = 60
AWAY = Unavailable("ClickHouse does not answer: refused", where="http://127.0.0.1:1", remedy="start it")


@pytest.fixture(scope="module")
def seen(day):
    return overview.look(connect(day.recording), *overview.steps(86_400, NOW))


@pytest.fixture
def environment(day):
    return os.environ | {
        "WEIR_CLICKHOUSE_URL": day.recording.clickhouse_url,
        "WEIR_CLICKHOUSE_DATABASE": day.recording.clickhouse_database,
        "WEIR_SERVICE": FLIGHTS.service,
        "TERM": "xterm",
        "COLUMNS": "100",
        "LINES": "40",
    }


def text(part, width=100):
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(part)
    return captured.get()


class Looks:
    """What a look gives, one after another; an error is raised."""

    def __init__(self, *found):
        self._found = list(found)

    def __call__(self):
        one = self._found.pop(0)
        if isinstance(one, Exception):
            raise one
        return one


class Presses:
    """q at the last of some looks."""

    def __init__(self, looks):
        self._left = looks

    def quits(self, within_s):
        assert within_s == 2
        self._left -= 1
        return self._left == 0


def test_while_clickhouse_is_away_what_was_seen_stays_and_its_time_is_said(seen):
    clock = iter(NOW + timedelta(seconds=at) for at in range(9))
    watch = Watch(Looks(seen, AWAY, AWAY, seen), "24h", lambda: next(clock))
    watch.again()
    assert "flight-delay 8" in text(watch.screen(100))
    for _ in range(2):
        watch.again()
        screen = text(watch.screen(100))
        assert "▲ ClickHouse does not answer: refused, since 20:00:01 UTC. What you see is of 20:00:00." in screen
        assert "flight-delay 8" in screen
    watch.again()
    assert "does not answer" not in text(watch.screen(100))


@pytest.mark.parametrize("height", [12, 24, 40, 60])
def test_with_many_alerts_it_is_one_screen_that_says_how_many_more_there_are_and_how_to_end_it(seen, height):
    each = [replace(seen.alerts[0], alert_id=f"a-{n}", cause="") for n in range(40)]
    many = replace(seen, alerts=tuple(each), causes=needs_you.causes(each))
    watch = Watch(Looks(many), "24h", lambda: NOW)
    watch.again()
    lines = text(watch.screen(100, height)).splitlines()
    assert len(lines) <= height
    assert lines[-1] == "q ends"
    shown = sum("weir diagnose" in line for line in lines)
    assert height < 24 or f"and {40 - shown} more: weir alerts list" in lines[-3]
    whole = text(status_page.page(many, "24h", 100))
    assert whole.count("weir diagnose") == status_page.MOST_CAUSES
    assert f"and {40 - status_page.MOST_CAUSES} more: weir alerts list" in whole
    assert "weir alerts list" not in text(status_page.page(seen, "24h", 100))
    assert text(status_page.page(seen, "24h", 100, 60)) == text(status_page.page(seen, "24h", 100))


def test_before_the_first_look_there_is_nothing_to_see():
    watch = Watch(Looks(AWAY), "24h", lambda: NOW)
    watch.again()
    assert "since 20:00:00 UTC. There is nothing to see yet." in text(watch.screen(100))


def test_in_a_pipe_it_is_a_line_a_look(seen):
    console = Console(width=100, record=True, force_terminal=False)
    with console.capture() as captured:
        Watch(Looks(seen, AWAY), "24h", lambda: NOW).run(console, Presses(2), 2)
    first, second = captured.get().splitlines()
    assert first.startswith("28 Nov 20:00 UTC  ◆ Almost. 50 offsets of flight-delay")
    assert first.endswith("◆ 2 alerts fire, from 1 cause. 1 more is pending.")
    assert second == "28 Nov 20:00 UTC  ▲ ClickHouse does not answer: refused, since 20:00:00 UTC"
    assert numbers.THIN not in first


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")
def test_on_a_terminal_it_shows_the_page_until_q(environment, tmp_path):
    """In its own process, on a pseudo-terminal, against the real engine."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "weir", "watch", "--range", "7d", "--every", "0.5"]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, cwd=tmp_path) as process:
        os.close(its)
        try:
            shown = read_until(ours, b"q ends")
            os.write(ours, b"q")
            rest = read_until(ours, None)
            assert process.wait(DEADLINE_S) == 0, (shown + rest).decode()
        finally:
            process.kill()
            os.close(ours)
    assert "flight-delay" in shown.decode()
    assert b"\x1b[?1049h" in shown  # another screen, which is left again
    assert b"\x1b[?1049l" in shown + rest


def read_until(of, word):
    """What comes of a terminal until there is a word in it, or to its end."""
    found, until = b"", time.monotonic() + DEADLINE_S
    while word is None or word not in found:
        ready, _, _ = select.select([of], [], [], max(until - time.monotonic(), 0))
        assert ready, f"nothing more came: {found.decode()}"
        try:
            part = os.read(of, 65_536)
        except OSError:  # the other end is closed
            return found
        if not part:
            return found
        found += part
    return found
