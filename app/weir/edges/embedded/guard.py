"""The guard of one child process: starts it, and ends it when the parent is gone, however the parent went.

Run by path, never imported, and standard library only, so that `python -I -S guard.py` is up in about 15 ms and
stays small:

    guard.py GRACE_S COMMAND [ARGUMENT...]

stdin:  the leash; a pipe whose other end only the parent holds. End of file means that the parent let go, or died
        (also by SIGKILL, which nobody can catch): the child gets SIGTERM, and its whole process group SIGKILL
        after GRACE_S seconds.
stdout: one line, "pid <number>" once the child runs or "error <text>" when it cannot be started; then closed.
stderr: the log; the child's output goes there.
Exit status: the child's, 128 + n when signal n ended it, 127 when it could not be started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LOOK_EVERY_S = 0.5  # only a fallback: SIGCHLD wakes the loop


def _die_with_guard() -> Callable[[], None] | None:
    """What the child does between fork and exec: ask Linux for SIGKILL when this guard dies. None elsewhere.

    Safe here and not in the parent: Linux sends the signal when the *thread* that forked ends, and a guard has one
    thread.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded before the fork
    guard = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:  # the guard died before the request stood
            os._exit(127)

    return ask


def _end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM to the child, SIGKILL to its process group once the grace is over; returns when it is reaped."""
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):  # ended or not: the group goes
        child.wait(grace_s)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody left; macOS says EPERM for zombies
        os.killpg(child.pid, signal.SIGKILL)  # also grandchildren that the child left behind
    child.wait()


def main() -> int:
    """Guard one child until it or the parent ends."""
    grace_s, command = float(sys.argv[1]), sys.argv[2:]
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)  # SIGCHLD ends the select below at once
    for name in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: None)  # the leash alone decides; unlike SIG_IGN a handler does not outlive exec
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            process_group=0,
            restore_signals=True,
            preexec_fn=_die_with_guard(),  # noqa: PLW1509  a guard has one thread
        )
    except OSError as error:
        sys.stdout.write(f"error {error.strerror}: {command[0]}\n")
        sys.stdout.flush()
        return 127
    sys.stdout.write(f"pid {child.pid}\n")
    sys.stdout.close()
    os.close(1)
    leash = sys.stdin.fileno()
    while child.poll() is None:
        ready, _, _ = select.select([leash, woken], [], [], LOOK_EVERY_S)
        if woken in ready:
            os.read(woken, 512)
        if leash in ready and not os.read(leash, 512):
            _end(child, grace_s)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main())
