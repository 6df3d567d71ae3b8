"""Columns of numbers that came as text, since some cell of them is none: which, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
from pyarrow import csv

from weir.core.errors import Refused
from weir.edges.bundles.trained import Taken, Trained
from weir.operations.assignment import Said
from weir.operations.sample import Column, Kind, as_text

LIST: Final = 20  # different texts that may well be the words of a list, as 1, 2 and 3+ are
POINT: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
COMMA: Final = re.compile(r"\s*[-+]?\d+,\d+\s*")
NOTHING: Final = frozenset(csv.ConvertOptions().null_values)  # cells that are empty, were the others numbers


def check(
    trained: Trained, assigned: Iterable[tuple[Column, Taken]], table: pa.Table, said: Said, *, proved: bool
) -> None:
    """Raises Refused for a column of texts that are numbers but for some, where the model takes a number.

    table: the whole sample. proved: see assignment.categories.
    """
    for column, taken in assigned:
        few = len(column.words) <= LIST
        if column.kind is not Kind.TEXT or taken.text or column.coded or column.name in said.codes:
            continue
        if (few and proved) or any(set(column.words) <= set(words) for words in trained.said.categories or ()):
            continue
        if told := _told(as_text(table.column(column.name)).to_pylist()):
            what, remedy = told
            codes = f"; or, if its texts are words, say their order by --codes {column.name}=WORD,..." if few else ""
            raise Refused(f"column {column.name}: {what}, and the model takes a number for it", remedy=remedy + codes)


def _told(cells: list[str | None]) -> tuple[str, str] | None:
    """What is wrong with most of a column's cells being numbers, and the remedy; None where most are none.

    >>> _told(["1", "2.5", "broken"])
    ("row 3 has 'broken', the other 2 are numbers", 'correct the cell, leave it empty, or leave its row out')
    >>> _told(["1", "2,5", None])
    ("row 2 has '2,5', which has a decimal comma", 'write a decimal point in all of them: 2.5')
    >>> _told(["web", "app", "1"]), _told(["1", "2"])
    (None, None)
    """
    there = [(row, cell) for row, cell in enumerate(cells, 1) if cell is not None and cell not in NOTHING]
    commas = [(row, cell) for row, cell in there if COMMA.fullmatch(cell)]
    others = [(row, cell) for row, cell in there if not COMMA.fullmatch(cell) and not POINT.fullmatch(cell)]
    numbers = len(there) - len(others)
    if others and numbers > len(others):
        row, cell = others[0]
        more = f" and {len(others) - 1:,} more rows have no number" if len(others) > 1 else ""
        remedy = "correct the cell, leave it empty, or leave its row out"
        return f"row {row:,} has {cell[:40]!r}{more}, the other {numbers:,} are numbers", remedy
    if commas and not others:
        row, cell = commas[0]
        remedy = f"write a decimal point in all of them: {cell.strip().replace(',', '.')}"
        return f"row {row:,} has {cell.strip()!r}, which has a decimal comma", remedy
    return None
