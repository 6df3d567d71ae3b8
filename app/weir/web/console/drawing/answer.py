"""A chart of any answer whose first column is a time and that has numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final

from weir.web.console.drawing.chart import MOST_LINES, Chart, Line, tones
from weir.web.console.drawing.windows import finite, seconds

TIMES: Final = ("Date",)
NUMBERS: Final = ("Int", "UInt", "Float", "Decimal", "BFloat")
FEWEST: Final = 2  # times
POINTED: Final = 40  # times up to which each is a point


def plain(kind: str) -> str:
    """ClickHouse's type without what wraps it.

    >>> plain("LowCardinality(Nullable(String))"), is_number("Nullable(Float64)")
    ('String', True)
    """
    for wrapping in ("LowCardinality(", "Nullable("):
        kind = kind.removeprefix(wrapping)
    return kind.rstrip(")") if "(" not in kind else kind


def is_number(kind: str) -> bool:
    """Whether its values are numbers."""
    return plain(kind).startswith(NUMBERS)


def chart(columns: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> Chart | None:
    """Lines over the first column; None where it is no time, or nothing else is a number.

    One column of words beside makes a line of each word out of the first number; without, each number is a line.
    """
    numbers = [place for place, kind in enumerate(types) if is_number(kind)]
    words = [place for place, kind in enumerate(types) if plain(kind) == "String"]
    if not types or not plain(types[0]).startswith(TIMES) or not numbers or len(words) > 1:
        return None
    known = [row for row in rows if row[0] is not None]
    times = sorted({_at(row[0]) for row in known})
    if len(times) < FEWEST:
        return None
    if words:
        found = _by_word(known, words[0], numbers[0])
        of = columns[numbers[0]]
        lines = [(f"{of}, {word or 'nothing'}", values) for word, values in found.items()]
    else:
        lines = [(columns[at], {_at(row[0]): _value(row[at]) for row in known}) for at in numbers]
    return Chart(
        name=f"{columns[numbers[0]]} over {columns[0]}",
        t=times,
        begin=times[0],
        end=times[-1],
        series=[
            Line(
                label=name, values=[values.get(at) for at in times], points=len(times) < POINTED, size=4, **tones(place)
            )
            for place, (name, values) in enumerate(lines[:MOST_LINES])
        ],
        zero=True,
        left=64,
    )


def _by_word(rows: Sequence[Sequence[Any]], word: int, number: int) -> dict[str, dict[int, float | None]]:
    """Values by time of the words with the largest sums."""
    found: dict[str, dict[int, float | None]] = {}
    for row in rows:
        found.setdefault(str(row[word] if row[word] is not None else ""), {})[_at(row[0])] = _value(row[number])
    most = sorted(found, key=lambda name: -sum(abs(value or 0.0) for value in found[name].values()))[:MOST_LINES]
    return {name: found[name] for name in sorted(most)}


def _at(value: datetime | date) -> int:
    """Seconds since 1970 of a time, which is UTC where it says no zone."""
    found = value if isinstance(value, datetime) else datetime.combine(value, time())
    return seconds(found if found.tzinfo else found.replace(tzinfo=UTC))


def _value(value: Any) -> float | None:
    return None if value is None else finite(float(value))
