"""How a result leaves the engine: through a pipe, under the pace of whoever reads it."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable

PIECE_BYTES = 1 << 16  # what a pipe holds
LOOK_EVERY_S = 0.25  # how late it is seen that a client has gone


class Gone(Exception):
    """The client that asked is not there any more."""


def path_of(descriptor: int) -> str:
    """The name under which the engine opens a descriptor of this process."""
    return f"/dev/fd/{descriptor}"


class Running:
    """A call of the engine in a thread of its own, whose pipe is read here.

    The engine never sees a closed pipe: it does not end for that. A statement that is to end is killed and its pipe
    read to the end, whatever fails meanwhile: one that nobody reads holds its slot and its memory for ever.
    """

    def __init__(self, call: Callable[[int], object]) -> None:
        self._reading, self._writing = os.pipe()
        self._call = call
        self._result: object = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="statement", daemon=True)

    def _run(self) -> None:
        try:
            self._result = self._call(self._writing)
        except BaseException as error:  # raised again where it is waited for
            self._error = error
        finally:
            os.close(self._writing)  # the end of the pipe is the end of the statement

    def pump(self, sink: Callable[[bytes], None], gone: Callable[[], bool], kill: Callable[[], None]) -> object:
        """Hand the output to `sink` piece by piece until the statement ends; what the call gave.

        gone: whether nobody waits for the answer any more.
        kill: asks the engine to end the statement; called again until it has.

        Raises Gone when the client went away, what `sink` or the call raised otherwise.
        """
        killing = Killing(kill)
        self._thread.start()
        try:
            stopped = self._drain(sink, gone, killing)
        finally:
            self._thread.join()
            killing.join()
            os.close(self._reading)
        if stopped is not None:
            raise stopped
        if self._error is not None:
            raise self._error
        return self._result

    def _drain(self, sink: Callable[[bytes], None], gone: Callable[[], bool], killing: Killing) -> Exception | None:
        """Read the pipe to its end; why nothing was handed on from some point, if so."""
        stopped: Exception | None = None
        looked_s = time.monotonic()
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        while True:
            ready = poll.poll(LOOK_EVERY_S * 1000)
            if stopped is None and time.monotonic() - looked_s >= LOOK_EVERY_S:
                stopped = Gone() if gone() else None
                looked_s = time.monotonic()
            if stopped is not None:
                killing.go_on()
            piece = os.read(self._reading, PIECE_BYTES) if ready else None
            if piece == b"":
                return stopped
            if piece and stopped is None:
                try:
                    sink(piece)
                except Exception as error:  # raised again once the engine has let go
                    stopped = error


class Killing:
    """Asks again and again for a statement's end, beside whoever reads its pipe: a request may wait, or fail."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill = kill
        self._asked_s = float("-inf")
        self._thread: threading.Thread | None = None

    def go_on(self) -> None:
        """Ask, unless it was just asked or the last request still waits."""
        if time.monotonic() - self._asked_s < LOOK_EVERY_S or (self._thread and self._thread.is_alive()):
            return
        self._asked_s = time.monotonic()
        self._thread = threading.Thread(target=self._ask, name="kill", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        with contextlib.suppress(RuntimeError):  # the engine lacks memory for it, for a moment
            self._kill()

    def join(self) -> None:
        """Wait for the last request."""
        if self._thread is not None:
            self._thread.join()
