"""Golden and baseline rows: a data scientist's Parquet file, and its columns of inputs, scores and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weir.core.arrow import floats_of, place_of
from weir.core.beside import Table, Tables
from weir.core.errors import Refused, shortened
from weir.core.signature import Dtype, Signature, Task
from weir.edges.bundles import text, words
from weir.edges.bundles.onnx_model import Floats

SCORE, LABEL = "score", "label"  # columns beside the inputs, see score_columns
OTHER_FORMATS: Final = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".txt": "text",
    ".json": "JSON",
    ".jsonl": "JSON lines",
    ".xlsx": "a workbook",
}
NUMBERS: Final = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_null,
)
CONVERT: Final = (
    "convert it, for a CSV by `python -c \"import pandas; pandas.read_csv('{path}').to_parquet('{made}')\"`, and "
    "name the new file in the specification"
)


def read(path: Path, signature: Signature) -> pa.Table:
    """The rows of a file; a category that is written by its name becomes its code. Raises Refused."""
    table = _parquet(path)
    if twice := [name for name, count in Counter(table.column_names).items() if count > 1]:
        raise Refused(f"column {twice[0]} is there twice", where=str(path), remedy="rename one of them")
    for item in signature.inputs:
        at = place_of(item.name, table)
        if item.dtype is not Dtype.CATEGORY or at is None:
            continue
        column = table.column(at)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        codes = pc.index_in(column.cast(pa.string()), value_set=pa.array(item.categories, pa.string()))
        unknown = pc.and_(codes.is_null(), column.is_valid())
        if pc.any(unknown).as_py():
            first = pc.filter(column, unknown)[0].as_py()
            raise Refused(
                f"column {item.name} holds {shortened(repr(first))}, which is none of its categories "
                f"[{words.listed_names(item.categories)}]",
                where=str(path),
                remedy="list it in `categories`, or leave its rows out",
            )
        table = table.set_column(at, item.name, codes)
    return table


def matrix(table: pa.Table, signature: Signature) -> Floats:
    """The model's columns of a table as float32[n, k], in the signature's order; null is NaN.

    Of what stands in `tables` its position there.
    Raises ValueError naming a column that is not there or holds no numbers.
    """
    beside = _beside(table, signature)
    columns = [
        floats_of(beside[column].indices) if column in beside else numbers(table, name)
        for column, name in enumerate(signature.names)
    ]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)


def tables(table: pa.Table, signature: Signature) -> Tables:
    """What `matrix` has positions of, by column. Raises ValueError as `matrix` does."""
    return {column: table_of(values.dictionary) for column, values in _beside(table, signature).items()}


def _beside(table: pa.Table, signature: Signature) -> dict[int, pa.DictionaryArray]:
    """The columns that float32 does not hold, each value once."""
    kinds = dict.fromkeys(signature.doubles, pa.float64()) | dict.fromkeys(signature.longs, pa.int64())
    return {
        column: exact(table, name, kinds[column]).dictionary_encode() if column in kinds else words_of(table, name)
        for column, name in ((column, signature.names[column]) for column in signature.beside)
    }


def table_of(values: pa.Array) -> Table:
    """Different values, strings, float64 or int64, none of them null, as positions lead to them."""
    if pa.types.is_string(values.type):
        words: list[str] = values.to_pylist()
        return words
    numbers: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return numbers


def words_of(table: pa.Table, name: str) -> pa.DictionaryArray:
    """A column of texts. Raises ValueError naming a column that is not there or holds none."""
    if table.column_names.count(name) != 1:
        raise ValueError(f"column {name} is {'there twice' if name in table.column_names else 'missing'}")
    column = table[name].combine_chunks()
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise ValueError(f"column {name} holds {kind}, not texts")
    return column.cast(pa.string()).dictionary_encode()


def score_columns(signature: Signature) -> tuple[str, ...]:
    """Columns of golden rows that hold what the trained model gave: `score`, or `score_<class>` for each class.

    >>> from weir.core.signature import Input, Source, Task
    >>> x = Input(name="x", source=Source.REQUEST, ref="x")
    >>> score_columns(Signature(inputs=(x,), task=Task.MULTICLASS, classes=("cat", "dog")))
    ('score_cat', 'score_dog')
    """
    return tuple(f"{SCORE}_{name}" for name in signature.outputs) or (SCORE,)


def scores(table: pa.Table, signature: Signature) -> Floats:
    """What the trained model gave, float32[n, m]. Raises ValueError as `numbers` does."""
    columns = [numbers(table, name) for name in score_columns(signature)]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)


def check_labels(table: pa.Table, signature: Signature) -> None:
    """Labels are classes as the signature calls them, or numbers of at most two. Raises ValueError."""
    kind = table.schema.field(LABEL).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and signature.task is not Task.MULTICLASS:
        numbers(table, LABEL)
        return
    found = pc.unique(table[LABEL].drop_null()).cast(pa.string()).to_pylist()
    if unknown := sorted(set(found) - set(signature.labels)):
        there = f"there are {', '.join(signature.labels)}" if signature.labels else "a regression has numbers"
        raise ValueError(f"column {LABEL} holds {unknown[0]!r}, which is no class: {there}")


def listed(columns: Sequence[str]) -> str:
    """Names of columns as a message shows them.

    >>> listed(["a", "b", "c"])
    '`a`, `b` and `c`'
    """
    quoted = [f"`{name}`" for name in columns]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def numbers(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """A column as float64[n]; null is NaN. Raises ValueError naming a column that is not there or holds no numbers."""
    return floats_of(_numbers(table, name))


def exact(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    """A column of numbers as float64 or int64, null for NaN. Raises ValueError as `numbers` does, and for fractions."""
    column = _numbers(table, name).combine_chunks()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        return column.cast(kind, safe=pa.types.is_integer(kind))
    except pa.ArrowInvalid as error:
        raise ValueError(f"column {name} holds {column.type} that are no {kind}: {error}") from error


def _numbers(table: pa.Table, name: str) -> pa.ChunkedArray:
    try:
        place = place_of(name, table)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from error
    if place is None:
        raise ValueError(f"column {name} is missing")
    column = table.column(place)
    kind = column.type
    if not any(is_kind(kind) for is_kind in NUMBERS):
        raise ValueError(f"column {name} holds {kind}, not numbers: a category is its code, 0 for the first")
    return column


def _parquet(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:  # read_table would load the dataset engine
            return file.read()
    except (pa.ArrowException, OSError) as error:
        if path.suffix.lower() in OTHER_FORMATS:
            what = f"not a Parquet file but, by its name, {OTHER_FORMATS[path.suffix.lower()]}"
            raise Refused(
                what, where=str(path), remedy=CONVERT.format(path=path, made=path.with_suffix(".parquet"))
            ) from error
        what = f"not a Parquet file: {text.explain(error)}"
        raise Refused(what, where=str(path), remedy="write it as Parquet, such as by DataFrame.to_parquet") from error
