"""A map of subjects by windows: how far each has moved, the moved ones first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from weir.core import numbers
from weir.monitor.held import beyond
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene
from weir.web.console.drawing.windows import by_subject, finite, number, seconds, times

COLUMNS: Final = 9  # of all windows, between two that carry their time
DAY_S: Final = 86_400
CAPPED: Final = 2  # the highest level of what moves by nature: the third step, the last below tolerance


@dataclass(frozen=True, slots=True)
class Measure:
    """What the map shows. column: of a row's details, "" for its value. steps: where the levels 1 to 5 begin."""

    name: str
    column: str
    unit: str
    steps: tuple[float, float, float, float, float]

    def of(self, row: Row) -> float | None:
        """The figure of a row."""
        return finite(row.value) if not self.column else number(row, self.column)


MEASURES: Final[Mapping[str, Measure]] = {
    "psi": Measure("PSI", "", "psi", (0.02, 0.05, 0.1, 0.2, 0.5)),
    "ks": Measure("KS", "ks", "ks", (0.03, 0.06, 0.1, 0.15, 0.25)),
    "missing": Measure("missing values", "missing_rate", "share", (0.01, 0.03, 0.06, 0.12, 0.25)),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One window of one subject. level: 0 to 5 of the ramp; few: of too few rows; counts: it says something."""

    value: float
    text: str
    level: int
    alarm: bool
    few: bool
    counts: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One subject. cells: one a window, None where nothing is known; last: its newest.

    moved: whether the newest that counts is an alarm. cycle: what it moves with by nature, such as "season".
    """

    name: str
    monitor: str
    cells: tuple[Cell | None, ...]
    last: Cell | None
    moved: bool
    cycle: str = ""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """times: begin of every window, seconds since 1970; heads: those that carry a time, and which part of it."""

    times: tuple[int, ...]
    lines: tuple[Line, ...]
    heads: Mapping[int, str]
    measure: Measure

    @property
    def steps(self) -> list[str]:
        """Where the levels 1 to 5 begin, as the legend says it."""
        if self.measure.unit == "share":
            return [f"{100 * step:g}{numbers.THIN}%" for step in self.measure.steps]
        return [f"{step:g}" for step in self.measure.steps]

    @property
    def least(self) -> str:
        """What level 0 is, as the legend says it."""
        return "0" if self.measure in MEASURES.values() else f"<{self.steps[0]}"

    @property
    def moved(self) -> tuple[Line, ...]:
        """Those that are away in their newest window."""
        return tuple(line for line in self.lines if line.moved)


def heat(parts: Sequence[tuple[Sequence[Row], Scene]], measure: Measure) -> HeatMap:
    """A map of the rows of several monitors over the same windows.

    Lines that are away come first, then those that were, each by importance; then by the largest figure. Those that
    move by nature are capped below tolerance, and those that move with the calendar come last.
    """
    scene = parts[0][1]
    weights = scene.weights
    begins = times(scene)
    found = [_line(name, mine, of, measure, begins) for rows, of in parts for name, mine in by_subject(rows).items()]

    def order(line: Line) -> tuple[bool, bool, bool, float, float, str]:
        ever = any(cell is not None and cell.alarm for cell in line.cells)
        most = max((cell.value for cell in line.cells if cell is not None and not cell.few), default=0.0)
        return (line.cycle == "calendar", not line.moved, not ever, -weights.get(line.name, 0.0), -most, line.name)

    return HeatMap(tuple(begins), tuple(sorted(found, key=order)), _heads(begins, scene.step_s), measure)


def alone(rows: Sequence[Row], scene: Scene, most: int) -> HeatMap:
    """A map of one monitor of any unit, of `most` subjects: its steps part its own figures evenly, by their size."""
    unit = scene.monitor.unit.value
    if unit == "psi":
        found = heat([(rows, scene)], MEASURES["psi"])
    else:
        found = heat([(rows, scene)], Measure(scene.monitor.value, "", unit, _even(rows)))
    return replace(found, lines=found.lines[:most])


def _even(rows: Sequence[Row]) -> tuple[float, float, float, float, float]:
    values = [value for row in rows if (value := finite(row.value)) is not None] or [1.0]
    high = max(abs(value) for value in values)
    low = min(values) if 0 <= min(values) < high else 0.0
    first, *others = (float(f"{low + ((high or 1.0) - low) * part / 6:.2g}") for part in range(1, 6))
    return (first, others[0], others[1], others[2], others[3])


def is_away(row: Row, scene: Scene) -> bool:
    """Whether a row counts and is beyond a bound of its monitor, by more than chance explains."""
    bounds = (scene.monitor.warn, scene.monitor.page)
    return scene.counts(row) and any(beyond(row, bound) for bound in bounds if bound is not None)


def _line(name: str, rows: Sequence[Row], scene: Scene, measure: Measure, begins: Sequence[int]) -> Line:
    cycle = scene.cycle(name)
    cells = {seconds(row.begin): _cell(row, scene, measure) for row in rows}
    if cycle:
        cells = {at: cell and replace(cell, level=min(cell.level, CAPPED), alarm=False) for at, cell in cells.items()}
    told = [cells.get(at) for at in begins]
    last = next((cell for cell in reversed(told) if cell is not None and not cell.few), None)
    moved = next((cell.alarm for cell in reversed(told) if cell is not None and cell.counts), False)
    return Line(name, scene.monitor.name, tuple(told), last, moved, cycle)


def _cell(row: Row, scene: Scene, measure: Measure) -> Cell | None:
    value = measure.of(row)
    if value is None:
        return None
    few = row.n < scene.monitor.minimum
    text = numbers.figure(value, measure.unit)
    return Cell(value, text, 0 if few else level(value, measure.steps), is_away(row, scene), few, scene.counts(row))


def level(value: float, steps: Sequence[float]) -> int:
    """Which step a value has reached, from 0.

    >>> level(0.01, MEASURES["psi"].steps), level(0.1, MEASURES["psi"].steps), level(9, MEASURES["psi"].steps)
    (0, 3, 5)
    """
    return sum(abs(value) >= step for step in steps)


def _heads(begins: Sequence[int], step_s: int) -> dict[int, str]:
    """Windows that carry a time: full days where windows are long, else full hours; no closer than a label is wide."""
    form, unit = ("day", DAY_S) if step_s >= 3600 else ("clock", 3600)
    found: dict[int, str] = {}
    last = -len(begins)
    for place, at in enumerate(begins):
        room = len(begins) - place > len(begins) / 24
        if at % unit == 0 and place - last >= len(begins) / COLUMNS and room:
            found[at], last = form, place
    return found
