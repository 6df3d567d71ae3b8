"""A process that sleeps: it keeps its sockets and its files, and answers nobody."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def asleep(pid: int) -> Iterator[None]:
    """Stop a process, and wake it up at the end, however that comes."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
