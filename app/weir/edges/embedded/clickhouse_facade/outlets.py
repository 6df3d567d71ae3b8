"""How a result leaves the engine: through a pipe, under the pace of whoever reads it."""

from __future__ import annotations

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
    read to the end.
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
        self._thread.start()
        try:
            stopped = self._drain(sink, gone, kill)
        finally:
            self._thread.join()
            os.close(self._reading)
        if stopped is not None:
            raise stopped
        if self._error is not None:
            raise self._error
        return self._result

    def _drain(
        self, sink: Callable[[bytes], None], gone: Callable[[], bool], kill: Callable[[], None]
    ) -> Exception | None:
        """Read the pipe to its end; why nothing was handed on from some point, if so."""
        stopped: Exception | None = None
        killed_s = float("-inf")
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        while True:
            ready = poll.poll(LOOK_EVERY_S * 1000)
            if stopped is None and not ready and gone():
                stopped = Gone()
            if stopped is not None and time.monotonic() - killed_s > LOOK_EVERY_S:
                kill()
                killed_s = time.monotonic()
            if not ready:
                continue
            piece = os.read(self._reading, PIECE_BYTES)
            if not piece:
                return stopped
            if stopped is None:
                try:
                    sink(piece)
                except Exception as error:  # raised again once the engine has let go
                    stopped = error
