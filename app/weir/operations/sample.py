"""A sample of rows, looked into: what each column is, as far as its values say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import floats_of
from weir.wire.request_contract import ENVELOPE

NAMES: Final = frozenset(str(field["name"]) for field in ENVELOPE)  # of what every request says beside its inputs
ID_ROWS: Final = 20  # with fewer, distinct values say nothing
FREE_WORDS: Final = 100  # distinct texts, and the share of the rows that has its own: more of both is no list of words
FREE_SHARE: Final = 1 / 3
_ID: Final = re.compile(r"(?:.*[_ .-])?(?:id|uuid|guid|key|index)$|.*[a-z]I[dD]$", re.I)
_DECIMAL: Final = re.compile(r"\s*[-+]?\d*[.,]\d+([eE][-+]?\d+)?\s*")


class Kind(StrEnum):
    """What the values of a column are."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    TEXT = "text"
    TIME = "time"
    OTHER = "other"  # lists, structures, bytes


@dataclass(frozen=True, slots=True)
class Column:
    """One column of n rows.

    nulls: rows without a value, NaN among them. words: its distinct texts; in the order of their codes where the file
    says one (`coded`), else sorted. low, high: of its numbers; None where it has none. whole: they have no fractions.
    unique: no two rows have the same value.
    """

    name: str
    kind: Kind
    rows: int
    nulls: int
    words: tuple[str, ...] = ()
    coded: bool = False
    low: float | None = None
    high: float | None = None
    whole: bool = False
    unique: bool = False

    @property
    def is_id(self) -> bool:
        """Whether it names a row rather than describes it: all different, and text or called so."""
        many = self.unique and self.rows >= ID_ROWS
        return many and (
            (self.kind is Kind.TEXT and not self._is_decimals)
            or (self.kind is Kind.INT and bool(_ID.fullmatch(self.name)))
        )

    @property
    def _is_decimals(self) -> bool:
        """Whether most of its texts are numbers with decimals: a cell that is none made texts of all of them."""
        return sum(bool(_DECIMAL.fullmatch(text)) for text in self.words) > len(self.words) / 2

    @property
    def is_free(self) -> bool:
        """Whether it holds texts that people wrote, nearly every one its own, rather than words of a list."""
        many = len(self.words) > max(FREE_WORDS, FREE_SHARE * self.rows)
        return self.kind is Kind.TEXT and many and not self.coded

    @property
    def is_prose(self) -> bool:
        """Whether it is free and most of its texts have several words, as no id has."""
        return self.is_free and sum(" " in text.strip() for text in self.words) > len(self.words) / 2

    @property
    def is_input(self) -> bool:
        """Whether a model may take it."""
        return (
            bool(self.name) and self.name not in NAMES and self.kind not in (Kind.TIME, Kind.OTHER) and not self.is_id
        )

    @property
    def why_not(self) -> str:
        """Why it is no input, in words."""
        if not self.name:
            return "it has no name, as the index that pandas writes into a CSV"
        if self.name in NAMES:
            return "every request has a field of this name"
        if self.kind in (Kind.TIME, Kind.OTHER):
            return f"its values are {'times' if self.kind is Kind.TIME else 'neither numbers nor text'}"
        return "it looks like an id, different in each row" if self.is_id else "the model does not take it"


def look(table: pa.Table) -> dict[str, Column]:
    """Every column by name, in the order of the table."""
    return {name: _column(name, table.column(name)) for name in table.column_names}


def worded(column: Column, table: pa.Table) -> Column:
    """A column of numbers as texts, for a model that takes them so; one of texts as it is."""
    return column if column.kind is Kind.TEXT else _column(column.name, as_text(table.column(column.name)))


def codes(column: pa.ChunkedArray, words: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Each text's place among `words`, float64[n]; NaN for null and for a text that is not among them."""
    return floats_of(pc.index_in(as_text(column), value_set=pa.array(words, pa.string())))


def distinct(column: pa.ChunkedArray) -> tuple[str, ...]:
    """Its different texts, as they come."""
    return tuple(word for word in pc.unique(as_text(column)).to_pylist() if word is not None)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text, a whole number without a point."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_floating(column.type) and _whole(floats_of(column)):
        column = pc.cast(column, pa.int64(), safe=False)
    return column.cast(pa.string())


def pick(table: pa.Table, most: int) -> pa.Table:
    """At most so many rows, evenly from the whole table."""
    if table.num_rows <= most:
        return table
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, most).astype(np.int64)))


def _column(name: str, values: pa.ChunkedArray) -> Column:
    kind, rows = _kind(values.type), len(values)
    if kind is Kind.TEXT:
        text = as_text(values)
        unlike = distinct(text)
        levels = _levels(values)
        words = levels or tuple(sorted(unlike))
        return Column(name, kind, rows, text.null_count, words, bool(levels), unique=len(unlike) == rows)
    if kind in (Kind.TIME, Kind.OTHER):
        return Column(name, kind, rows, values.null_count)
    found = floats_of(values)
    there = found[~np.isnan(found)]
    low, high = (float(there.min()), float(there.max())) if len(there) and kind is not Kind.BOOL else (None, None)
    unique = len(np.unique(there)) == rows
    whole = bool((there == np.round(there)).all())
    return Column(name, kind, rows, rows - len(there), low=low, high=high, whole=whole, unique=unique)


def _levels(values: pa.ChunkedArray) -> tuple[str, ...]:
    """The words of a dictionary in its order, as pandas writes categories; none where chunks have different ones."""
    if not pa.types.is_dictionary(values.type):
        return ()
    orders = {tuple(map(str, chunk.dictionary.to_pylist())) for chunk in values.chunks}
    return next(iter(orders)) if len(orders) == 1 else ()


def _kind(kind: pa.DataType) -> Kind:
    tests: Mapping[Kind, tuple[object, ...]] = {
        Kind.BOOL: (pa.types.is_boolean,),
        Kind.INT: (pa.types.is_integer,),
        Kind.FLOAT: (pa.types.is_floating, pa.types.is_decimal, pa.types.is_null),
        Kind.TEXT: (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary),
        Kind.TIME: (pa.types.is_temporal,),
    }
    return next((name for name, are in tests.items() if any(is_one(kind) for is_one in are)), Kind.OTHER)  # type: ignore[operator]


def _whole(values: npt.NDArray[np.float64]) -> bool:
    return bool((np.isnan(values) | (values == np.round(values))).all())
