"""What monitors' rows say, in sentences: a family of questions a module, named by `-- verdict:` in a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from weir.monitor import words
from weir.monitor.spec import Row
from weir.monitor.verdict import Saying, Scene, State, Verdict
from weir.monitor.verdicts import plain

# name in a header -> who says it
VERDICTS: Final[Mapping[str, Saying]] = {"plain": plain.say}


def of(name: str) -> Saying:
    """Who says what the rows of a monitor say. name: of its header (`Monitor.verdict`); '' is plain."""
    return VERDICTS[name or "plain"]


def say(rows: Sequence[Row], scene: Scene) -> Verdict:
    """The answer to a monitor's question, out of its rows by window and subject.

    It is of the newest window that is complete, has enough rows and enough of its outcomes, against those before it.
    """
    if not rows:
        return Verdict(State.UNKNOWN, words.nothing(scene))
    return of(scene.monitor.verdict)(rows, scene)
