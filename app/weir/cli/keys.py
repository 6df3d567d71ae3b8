"""Keys that a person presses while something is shown, each at once and without an echo."""

from __future__ import annotations

import select
import sys
from contextlib import ExitStack
from typing import Final, Self, TextIO

QUIT: Final = "q"


class Keys:
    """The keys of a terminal, as a context; of what is no terminal there are none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        if self._stream.isatty() and sys.platform != "win32":
            import termios
            import tty

            of = self._stream.fileno()
            self._undo.callback(termios.tcsetattr, of, termios.TCSADRAIN, termios.tcgetattr(of))
            tty.setcbreak(of)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def quits(self, within_s: float) -> bool:
        """Whether q is pressed within a time, which passes otherwise. An end of the input is none."""
        if not self._stream.isatty():
            select.select([], [], [], within_s)
            return False
        ready, _, _ = select.select([self._stream], [], [], within_s)
        return bool(ready) and self._stream.read(1).lower() == QUIT
