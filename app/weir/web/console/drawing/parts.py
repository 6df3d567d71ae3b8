"""Where the time of a request goes: its stages behind each other, each as long as its share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from weir.monitor.spec import Row
from weir.monitor.verdict import Scene
from weir.web.console.drawing.windows import by_subject, newest, number

WIDE: Final = 1000  # of the whole
ORDER: Final = ("wait", "decode", "lookup", "assemble", "run", "encode")  # in which a batch passes through


@dataclass(frozen=True, slots=True)
class Part:
    """A stage. share: of the time of all of them, over all windows. x, wide: of WIDE. p99_ms: of the newest window."""

    name: str
    share: float
    x: float
    wide: float
    p99_ms: float | None


def parts(rows: Sequence[Row], scene: Scene) -> list[Part]:
    """Stages of the complete windows of health/stages, in the order in which a batch passes through them."""
    sure = [row for row in rows if scene.is_complete(row)] or list(rows)
    stages = by_subject(sure)
    spent = {name: sum((number(row, "share") or 0.0) * row.n for row in mine) for name, mine in stages.items()}
    whole = sum(spent.values())
    if not whole:
        return []
    last = {row.subject: row.value for row in newest(rows, scene)}
    found, at = [], 0.0
    for name in sorted(spent, key=lambda one: (ORDER.index(one) if one in ORDER else len(ORDER), one)):
        wide = WIDE * spent[name] / whole
        found.append(Part(name, spent[name] / whole, round(at, 1), max(round(wide, 1), 2.0), last.get(name)))
        at += wide
    return found


def most(found: Sequence[Part]) -> Part | None:
    """The one that takes the most time; None of none."""
    return max(found, key=lambda one: one.share, default=None)
