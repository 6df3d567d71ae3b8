"""Golden and baseline rows, as a data scientist has them in a Parquet file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weir.core.arrow import place_of
from weir.core.errors import Refused, shortened
from weir.core.signature import Dtype, Signature
from weir.edges.bundles import text, words

TEXTS: Final = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".txt": "text",
    ".json": "JSON",
    ".jsonl": "JSON lines",
    ".xlsx": "a workbook",
}
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


def _parquet(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:  # read_table would load the dataset engine
            return file.read()
    except (pa.ArrowException, OSError) as error:
        if path.suffix.lower() in TEXTS:
            what = f"not a Parquet file but, by its name, {TEXTS[path.suffix.lower()]}"
            raise Refused(
                what, where=str(path), remedy=CONVERT.format(path=path, made=path.with_suffix(".parquet"))
            ) from error
        what = f"not a Parquet file: {text.explain(error)}"
        raise Refused(what, where=str(path), remedy="write it as Parquet, such as by DataFrame.to_parquet") from error
