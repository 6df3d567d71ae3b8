"""Child processes that never outlive their parent.

Each child hangs on a guard process (`guard.py`) that holds the other end of a pipe: when this process lets go of
the pipe, or dies in whatever way, the guard ends the child. A guard needs no cooperation from the child, so
brokers, Java and Python are treated alike. (A process forked from this one without exec shares its pipes, and so
holds the leash too.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weir.core.errors import Unavailable

GUARD = Path(__file__).with_name("guard.py")
LOG_TAIL_LINES = 12
LOG_TAIL_BYTES = 16_384
GUARD_MARGIN_S = 5.0  # beyond the child's grace: the guard only has a SIGKILL and a wait left to do


@dataclass(slots=True)
class Child:
    """One running child. pid is the child's own, not its guard's, so that it can be measured and killed in tests."""

    name: str
    command: tuple[str, ...]
    pid: int
    log: Path
    grace_s: float
    guard: subprocess.Popen[bytes] = field(repr=False)
    log_start: int = field(default=0, repr=False)

    def poll(self) -> int | None:
        """The exit status (128 + n after signal n), or None while it runs."""
        status = self.guard.poll()
        if status is None:
            return None
        self.let_go()
        return status if status >= 0 else 128 - status  # negative: the guard itself was killed, and its child with it

    def ending(self) -> str:
        """How it ended, as words: "ended with exit status 137 (SIGKILL)"; "runs" while it does."""
        status = self.poll()
        if status is None:
            return "runs"
        by = f" ({signal.Signals(status - 128).name})" if status - 128 in set(signal.Signals) else ""
        return f"ended with exit status {status}{by}"

    def wait(self, seconds: float) -> int:
        """The exit status. Raises Unavailable when the child has not ended by itself within `seconds`."""
        try:
            status = self.guard.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"{self.name} still runs after {seconds:g} s", where=f"pid {self.pid}", remedy=f"look at {self.log}"
            ) from None
        self.let_go()
        return status

    def let_go(self) -> None:
        """Ask the child to end (SIGTERM, then SIGKILL after its grace); returns at once."""
        if self.guard.stdin is not None:
            self.guard.stdin.close()

    def stop(self) -> int:
        """End the child and wait for it; the exit status. Calling it again is harmless."""
        self.let_go()
        try:
            return self.guard.wait(self.grace_s + GUARD_MARGIN_S)
        except subprocess.TimeoutExpired:
            self.guard.kill()  # on Linux the child dies with its guard
            return self.guard.wait()

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines that the child wrote to its log; "" when there are none."""
        with self.log.open("rb") as log:
            log.seek(max(self.log_start, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return "\n".join(log.read().decode("utf-8", "replace").rstrip().splitlines()[-lines:])

    def check(self) -> None:
        """Raises Unavailable with the last log lines when the child has ended."""
        if self.poll() is not None:
            raise Unavailable(
                f"{self.name} {self.ending()}",
                where=str(self.log),
                remedy="read its last lines:\n" + (self.log_tail() or "(it wrote nothing)"),
            )


def start(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    grace_s: float = 10.0,
    keep_open: Sequence[int] = (),
    directory: Path | None = None,
) -> Child:
    """Start a command on the leash; its output is appended to `log`.

    environment: added to this process's environment. PYTHONPATH loses its empty entries, which mean the folder where a
        program is started: a list that was put together from an unset variable has one.
    grace_s: between SIGTERM and SIGKILL when it is stopped.
    keep_open: file descriptors that the guard (not the child) holds for as long as the child lives, such as a lock.

    Raises Unavailable when the command cannot be executed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {' '.join(command)}\n".encode())
        output.flush()
        log_start = output.tell()
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(grace_s), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=_environment(environment or {}),
            cwd=directory,
            pass_fds=tuple(keep_open),
            start_new_session=True,  # Ctrl-C reaches this process only, which then stops its children in order
        )
    assert guard.stdout is not None
    with guard.stdout as answer:
        said, _, rest = answer.readline().decode("utf-8", "replace").strip().partition(" ")
    if said != "pid":
        guard.communicate()
        raise Unavailable(
            f"{name} cannot be started: {rest or 'its guard failed'}",
            where=command[0],
            remedy=f"check that the program exists and may be executed; log: {log}",
        )
    return Child(name, tuple(command), int(rest), log, grace_s, guard, log_start)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    environment = {**os.environ, **more}
    if "PYTHONPATH" in environment:
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry)
    return environment
