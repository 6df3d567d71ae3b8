"""Waiting on a condition, never on time alone."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

# When a wait is given up. A machine that does much else is as slow as it likes, so no test is about these: they only
# say how late it is told that something never comes. pytest's own timeout stands above all waits of a test.
WAIT_S = 60.0  # for what runs
START_S = 120.0  # for what has to start first, several processes at once
COMMAND_S = 300.0  # for a command that does all of its work, such as building a wheel
PATIENT = ("--patience", f"{START_S:g}")  # of `weir send`: the scorer starts while it waits


@contextmanager
def ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """The process, killed at the end if it still runs: `with process` alone would wait for it when a test fails."""
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def cpu_time_below(seconds: float) -> Iterator[None]:
    """AssertionError when what is done inside takes this process more CPU time, however long it lasts."""
    began_s = time.process_time()
    yield
    took_s = time.process_time() - began_s
    assert took_s < seconds, f"{took_s:.1f} s of CPU time"


def until(condition: Callable[[], T], seconds: float, what: str, every_s: float | None = None) -> T:
    """The condition's first truthy value; AssertionError naming `what` when the deadline passes.

    every_s: between two looks, where a look costs something; without it they are close together at first.
    """
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause if every_s is None else every_s)  # the pause between two looks; the deadline decides
        pause = min(pause * 1.5, 0.1)
