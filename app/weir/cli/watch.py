"""Looks again and again, and says when it cannot: what was seen last stays, with its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment, Segments
from rich.text import Text

from weir.cli import status_page
from weir.core import numbers
from weir.core.errors import Unavailable

if TYPE_CHECKING:
    from weir.operations.overview import Overview


ENDS: Final = 2  # lines that say how to end it


class Quits(Protocol):
    """What waits between looks, and says when it is enough."""

    def quits(self, within_s: float) -> bool:
        """Whether it is."""
        ...


class Watch:
    """look: gives an overview, or raises Unavailable. now: UTC."""

    def __init__(
        self, look: Callable[[], Overview], lasting: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._look, self._lasting, self._now = look, lasting, now
        self._seen: Overview | None = None
        self._seen_at: datetime | None = None
        self._away: tuple[datetime, Unavailable] | None = None  # since when, and what was said first

    def again(self) -> None:
        """Look once; where that cannot be, keep what there is."""
        try:
            self._seen, self._seen_at, self._away = self._look(), self._now(), None
        except Unavailable as error:
            self._away = self._away or (self._now(), error)

    def screen(self, width: int, height: int = 0) -> RenderableType:
        """What was seen last, below what keeps it from being newer. height: lines of the screen; 0 for any number.

        What does not fit is cut off above the last lines, which say how to end it.
        """
        parts: list[RenderableType] = []
        if self._away:
            since, error = self._away
            parts += [Text(f"▲ {error.what}, since {since:%H:%M:%S} UTC. {_stale(self._seen_at)}", "yellow"), Text()]
        room = height - ENDS if height else 0
        if self._seen:
            above = len(_lines_of(Group(*parts), width)) if parts else 0
            parts += [status_page.page(self._seen, self._lasting, width, max(room - above, 1) if height else 0)]
        seen: RenderableType = Group(*parts)
        if height and len(_lines_of(seen, width)) > room:
            seen = _Cropped(seen, room)
        return Group(seen, Text("\nq ends", "dim"))

    def line(self) -> str:
        """The same on one line."""
        if self._away:
            since, error = self._away
            return f"{numbers.time(self._now())} UTC  ▲ {error.what}, since {since:%H:%M:%S} UTC"
        return status_page.line(self._seen) if self._seen else ""

    def run(self, console: Console, keys: Quits, every_s: float) -> None:
        """Until somebody presses q or Ctrl-C: on a terminal a screen, elsewhere a line a look."""
        try:
            if console.is_terminal:
                self._live(console, keys, every_s)
            else:
                self._lines(console, keys, every_s)
        except KeyboardInterrupt:
            return

    def _live(self, console: Console, keys: Quits, every_s: float) -> None:
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                self.again()
                live.update(self.screen(console.width, console.height), refresh=True)
                if keys.quits(every_s):
                    return

    def _lines(self, console: Console, keys: Quits, every_s: float) -> None:
        while True:
            self.again()
            console.print(self.line(), soft_wrap=True, markup=False)
            if keys.quits(every_s):
                return


@dataclass(frozen=True, slots=True)
class _Cropped:
    """The first `height` lines of something."""

    of: RenderableType
    height: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.of, options, pad=False)[: self.height]
        yield Segments([segment for line in lines for segment in (*line, Segment.line())])


def _lines_of(part: RenderableType, width: int) -> list[list[Segment]]:
    return Console(width=width, height=status_page.UNBOUNDED, color_system=None).render_lines(part, pad=False)


def _stale(at: datetime | None) -> str:
    return f"What you see is of {at:%H:%M:%S}." if at else "There is nothing to see yet."
