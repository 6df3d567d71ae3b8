"""What was decided of each class that came true, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weir.monitor.spec import Row
from weir.monitor.verdict import Scene
from weir.web.console.drawing.heat import level
from weir.web.console.drawing.windows import newest

MOST: Final = 10  # classes on a side; the others are told of
STEPS: Final = (0.05, 0.2)


@dataclass(frozen=True, slots=True)
class Cell:
    """share: of the rows whose class came true. level: 0 to 2 of the ramp. right: decided for what came true."""

    share: float | None
    times: int
    level: int
    right: bool


@dataclass(frozen=True, slots=True)
class Came:
    """A class that came true, n times, and what was decided, in the order of the matrix's columns."""

    name: str
    n: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Of the window that begins then; left_out: classes that it has no line for."""

    begin: datetime
    columns: tuple[str, ...]
    rows: tuple[Came, ...]
    left_out: int


def confusion(rows: Sequence[Row], scene: Scene, labels: Sequence[str] = ()) -> Matrix | None:
    """Of the newest window that counts; None without a row. labels: the classes, in the order that the bundle has."""
    now = [row for row in newest(rows, scene) if row.value is not None]
    if not now:
        return None
    names = _pairs(now, labels)
    known = {names[row.subject]: row for row in now}
    times = Counter[str]()
    for (came, decided), row in known.items():
        times[came] += int(row.details["times"])
        times[decided] += int(row.details["times"])
    every = [*(name for name in labels if name in times), *sorted(times.keys() - set(labels))]
    shown = [name for name in every if name in sorted(every, key=lambda name: -times[name])[:MOST]]
    n = {came: row.n for (came, _), row in known.items()}
    return Matrix(
        begin=now[0].begin,
        columns=tuple(shown),
        rows=tuple(
            Came(came, n[came], tuple(_cell(known, came, each) for each in shown)) for came in shown if came in n
        ),
        left_out=len(every) - len(shown),
    )


def _cell(known: Mapping[tuple[str, str], Row], came: str, decided: str) -> Cell:
    row, right = known.get((came, decided)), came == decided
    share = row.value if row is not None else 0.0
    return Cell(share, int(row.details["times"]) if row is not None else 0, level(share or 0.0, STEPS), right)


def _pairs(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Subject CAME/DECIDED -> both, where classes may have strokes in their names themselves."""
    found = {}
    for row in rows:
        words = row.subject.split("/")
        cuts = [("/".join(words[:at]), "/".join(words[at:])) for at in range(1, len(words))]
        found[row.subject] = next((cut for cut in cuts if cut[0] in labels), cuts[0] if cuts else (row.subject, ""))
    return found
