"""Waiting on a condition, never on time alone."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """The process, killed at the end if it still runs: `with process` alone would wait for it when a test fails."""
    with process:
        try:
            yield process
        finally:
            process.kill()


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
