"""A sample as the model scores it: the rows that have a score, what it means, and golden rows and baseline of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import floats_of
from weir.core.beside import Table, Tables, values_at
from weir.core.errors import Refused
from weir.core.signature import Held, Input, Policy, Signature, Task
from weir.edges.bundles.adapt import Given
from weir.edges.bundles.checks import Floats
from weir.edges.bundles.rows import LABEL, exact, score_columns, table_of
from weir.edges.bundles.trained import Trained
from weir.operations import sample as samples
from weir.operations.assignment import Assigned
from weir.operations.meaning import Meaning, meaning
from weir.operations.new_inputs import inputs
from weir.operations.sample import Column, Kind

GOLDEN_ROWS: Final = 1_000
NOTHING_SCORED: Final = (
    "the model scores no row of the sample: a value is missing in each, or its scores are no numbers"
)
AS_ASKED: Final = "give rows as the model is asked in production"


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows of a sample that were scored.

    signature: what was found. matrix, tables: float32[n, k] and what it has positions of, as Model.run takes them.
    outputs: float32[n, m], as the signature describes them. kept: of the sample's rows, which these are.
    """

    signature: Signature
    kept: npt.NDArray[np.bool_]
    matrix: Floats
    tables: Tables
    outputs: Floats
    meaning: Meaning


def score(
    source: Trained,
    table: pa.Table,
    assigned: Sequence[Assigned],
    label: Column | None,
    *,
    output: str,
    task: Task | None,
) -> Scored:
    """Score a sample. Rows that the model has no score for, since a value is missing, are left out.

    label: what came true. output, task: what a person wishes; "" and None: found out.
    Raises Refused where no row has a score, or what came true and the scores do not agree.
    """
    asked = inputs(assigned, use=True)
    matrix, tables = _matrix(table, assigned, asked)
    given = source.given(Signature(inputs=asked), output)
    whole = ~_rejected(matrix, asked)  # a model of texts has no number for a category that is missing
    if not whole.any():
        raise Refused(NOTHING_SCORED, remedy=AS_ASKED)
    raw = source.scores(_trial(asked, given), output, matrix[whole], tables)
    scored = np.isfinite(raw).all(axis=1)
    if not scored.all():
        asked = inputs(assigned, use=False)
    scored &= ~_rejected(matrix[whole], asked)
    raw, whole[whole] = raw[scored], scored
    if not whole.any():
        raise Refused(NOTHING_SCORED, remedy=AS_ASKED)
    values = table.column(label.name).filter(pa.array(whole)) if label else None
    found = meaning(given, raw, values, label, task)
    signature = Signature(inputs=asked, task=found.task, classes=found.classes)
    outputs = raw if found.task is Task.MULTICLASS else raw[:, -1:]
    return Scored(signature, whole, matrix[whole], tables, np.ascontiguousarray(outputs), found)


def golden(table: pa.Table, found: Scored, source: Trained) -> tuple[pa.Table, str]:
    """Golden rows, and whose scores they have: those of the sample where it has them, else the model's own."""
    names = score_columns(found.signature)
    own = all(name in table.column_names for name in names)
    held = [floats_of(table.column(name))[found.kept] for name in names] if own else list(found.outputs.T)
    rows = _rows(found, held)
    whose = "the sample holds" if own else source.scorer
    return samples.pick(rows, GOLDEN_ROWS), whose


def baseline(found: Scored) -> pa.Table:
    """All scored rows with the model's scores, and the label where the sample has one."""
    return _rows(found, list(found.outputs.T)).append_column(LABEL, found.meaning.label)


def _trial(asked: tuple[Input, ...], given: Given) -> Signature:
    """A signature that asks for every column of the output, whatever they mean."""
    if given.columns == 1:
        return Signature(inputs=asked, task=Task.REGRESSION)
    return Signature(inputs=asked, task=Task.MULTICLASS, classes=tuple(map(str, range(given.columns))))


def _matrix(table: pa.Table, assigned: Sequence[Assigned], asked: Sequence[Input]) -> tuple[Floats, Tables]:
    """float32[n, k], as the model is asked, NaN for null; and the tables that it has positions in, by column."""
    columns: list[npt.NDArray[np.float64]] = []
    tables: dict[int, Table] = {}
    for place, (one, item) in enumerate(zip(assigned, asked, strict=True)):
        values = table.column(one.column.name)
        if item.held is not Held.FLOAT32:
            encoded = _exact(table, one.column.name, item.held).dictionary_encode()
            tables[place] = table_of(encoded.dictionary)
            columns.append(floats_of(encoded.indices))
            continue
        words = one.categories
        if one.text:
            words = tables[place] = samples.distinct(values)
        coded = one.text or (one.categories and one.column.kind is Kind.TEXT)
        columns.append(samples.codes(values, words) if coded else floats_of(values))
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32), tables


def _exact(table: pa.Table, name: str, held: Held) -> pa.Array:
    """A column of numbers with all their digits. Raises Refused for numbers that the model cannot take."""
    try:
        return exact(table, name, pa.float64() if held is Held.FLOAT64 else pa.int64())
    except ValueError as error:
        raise Refused(str(error), remedy=f"give numbers that are {held}, as the model takes them") from error


def _rejected(matrix: Floats, asked: Sequence[Input]) -> npt.NDArray[np.bool_]:
    """bool[n], rows that the signature's own rules reject."""
    needed = [i for i, item in enumerate(asked) if item.on_missing is Policy.REJECT]
    found: npt.NDArray[np.bool_] = np.any(np.isnan(matrix[:, needed]), axis=1)
    return found


def _rows(found: Scored, scores: Sequence[npt.NDArray[Any]]) -> pa.Table:
    """The inputs as a person writes them, a category by its word and a text as it is, and scores beside them."""
    columns: dict[str, pa.Array] = {}
    for place, (item, values) in enumerate(zip(found.signature.inputs, found.matrix.T, strict=True)):
        table = found.tables.get(place, item.categories)
        columns[item.name] = _valued(values, table) if len(table) else _floats(values)
    for name, values in zip(score_columns(found.signature), scores, strict=True):
        columns[name] = _floats(values)
    return pa.table(columns)


def _valued(positions: Floats, table: Table) -> pa.Array:
    """The values at n positions; null for NaN."""
    return pa.array(values_at(positions, table), mask=np.isnan(positions))


def _floats(values: npt.NDArray[Any]) -> pa.Array:
    return pa.array(np.ascontiguousarray(values, np.float32))
