"""Progress bars for long steps; on a terminal they move, in a log they are one line a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def steps(console: Console | None = None) -> Iterator[Callable[[int, int, str], None]]:
    """A callback (done, total, what) that shows one bar whose text is what is being done."""
    console = console or Console(stderr=True)
    said = ""

    def log(done: int, total: int, what: str) -> None:
        nonlocal said
        if what != said:
            said = what
            console.print(f"{done}/{total} {what}", markup=False, highlight=False)

    if not console.is_terminal:
        yield log
        return
    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"), console=console
    ) as bars:
        bar = bars.add_task("", total=None)
        yield lambda done, total, what: bars.update(bar, completed=done, total=total, description=what)
