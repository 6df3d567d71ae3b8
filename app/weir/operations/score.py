"""What a bundle would answer to the rows of a file: the scorer's own code, without a broker or an online store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv
from pyarrow import json as json_lines

from weir.core.arrow import floats_of, place_of
from weir.core.decide import decide, words
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.core.signature import Dtype, Input, Signature, Source
from weir.edges.bundles.opened import Opened
from weir.operations import text_file
from weir.operations.trial import TYPES, GivenFeatures, ask, envelope
from weir.wire.request_contract import field_name

ROWS: Final = 4096  # at a time


def read(path: Path) -> pa.Table:
    """The rows of a Parquet, CSV or JSON Lines file, by its suffix. Raises Refused for another one, or a broken one."""
    kind = path.suffix.lower()
    if kind not in (".parquet", ".csv", ".jsonl", ".ndjson"):
        raise Refused(f"{path} is no .parquet, .csv or .jsonl", remedy="give rows in one of these forms")
    if kind != ".parquet":
        with path.open("rb") as lines:
            text_file.check(lines, str(path))
    if kind == ".csv":
        with path.open(encoding="utf-8-sig") as lines:
            text_file.check_separator(lines.readline(), str(path))
    try:
        if kind == ".parquet":
            with pq.ParquetFile(path) as file:  # read_table would load the dataset engine
                return file.read()
        return csv.read_csv(path) if kind == ".csv" else json_lines.read_json(path)
    except pa.ArrowInvalid as error:
        raise Refused(f"{path} cannot be read: {error}", remedy="give Parquet, CSV or JSON Lines") from error


def score(opened: Opened, plan: ServicePlan | None, table: pa.Table) -> pa.Table:
    """What becomes of each of n rows.

    Gives score float32[n] and decision string[n], of several classes score_<class> float32[n] for each, all null where
    the row is rejected, and rejected string[n], the reason, null where it is scored.
    plan: the applied feature service; None for a bundle without features.
    table: a column for each input, as a caller writes it (a category by its name), called as the request field or the
    feature; or as the model calls it, where only characters differ that no field can have. An input without a column is
    missing in each row; so is a feature of which a row has none.
    Raises Refused when a column has a type that no request can have or is called as the model calls it, or no column is
    of an input.
    """
    signature = opened.bundle.signature
    table = table.rename_columns(_fields(table.column_names, signature))
    named = set(table.column_names)
    for item in signature.inputs:
        if item.name in named and item.ref not in named:
            what = f"column {item.name} is called as the model calls it; a request calls it {item.ref}"
            raise Refused(what, remedy=f"rename it to {item.ref}")
    if not any(item.ref in named for item in signature.inputs):
        wanted = ", ".join(item.ref for item in signature.inputs[:5])
        raise Refused("no column is an input of the bundle", remedy=f"name the columns {wanted}, ...")
    if signature.looked_up and plan is None:
        remedy = "run `weir apply` where the feature repository is"
        raise Refused(f"feature service {opened.bundle.feature_service} was not applied here", remedy=remedy)
    parts = [table.slice(first, ROWS) for first in range(0, table.num_rows, ROWS)]
    return pa.concat_tables([_scored(opened, plan, part) for part in parts or [table]])


def _fields(names: Sequence[str], signature: Signature) -> list[str]:
    """The columns' names, those of the model that are no fields written as fields."""
    known = {item.name: item.ref for item in signature.inputs if field_name(item.name) == item.ref}
    return [name if known.get(name, name) in names else known[name] for name in names]


def _scored(opened: Opened, plan: ServicePlan | None, table: pa.Table) -> pa.Table:
    signature, n = opened.bundle.signature, table.num_rows
    lookup = None
    if plan is not None and signature.looked_up:
        lookup = _features(table, signature, plan.reading(signature.looked_up))
    done = ask(opened, _requests(table, signature), lookup)
    outputs, scored = np.zeros((n, signature.width), np.float32), np.zeros(n, np.bool_)
    for part in done.parts:
        outputs[part.rows.origin], scored[part.rows.origin] = part.rows.outputs, True
    rejected: list[str | None] = [None] * n
    for row, reason, detail in zip(done.rejects.record.tolist(), done.rejects.reason, done.rejects.detail, strict=True):
        rejected[row] = f"{reason}: {detail}"
    found, none = decide(signature, outputs), ~scored
    columns = {
        "score": pa.array(found.score, pa.float32(), mask=none),
        "decision": pc.if_else(pa.array(scored), words(signature, found.index), pa.scalar(None, pa.string())),
    }
    for i, name in enumerate(signature.outputs):
        columns[f"score_{name}"] = pa.array(outputs[:, i].copy(), pa.float32(), mask=none)
    return pa.table({**columns, "rejected": pa.array(rejected, pa.string())})


def _requests(table: pa.Table, signature: Signature) -> pa.RecordBatch:
    columns = envelope(signature, table.num_rows)
    for item in signature.of(Source.REQUEST):
        columns[item.ref] = _cast(table, item.ref, TYPES[item.dtype])
    return pa.RecordBatch.from_pydict(columns)


def _features(table: pa.Table, signature: Signature, plan: ServicePlan) -> GivenFeatures:
    values = np.full((table.num_rows, len(plan.columns)), np.nan, plan.value_dtype)
    for item in signature.of(Source.FEATURE):
        values[:, plan.columns.index(item.ref)] = _feature(table, item)
    views = [column.partition("__")[0] for column in plan.columns]
    has = ~np.isnan(values)
    found = [has[:, [name == view.name for name in views]].any(axis=1) for view in plan.views]
    return GivenFeatures(plan, values, np.stack(found, axis=1))


def _feature(table: pa.Table, item: Input) -> npt.NDArray[np.float64]:
    """A column of features as a reader gives it: a word's code, a time in seconds since 1970; NaN for none."""
    if item.dtype is Dtype.CATEGORY:
        column = pc.index_in(_cast(table, item.ref, pa.string()), value_set=pa.array(item.categories, pa.string()))
    elif item.dtype is Dtype.AGE:
        times = _cast(table, item.ref, pa.timestamp("ms")).cast(pa.int64())
        column = pc.divide(times.cast(pa.float64()), 1000.0)
    else:
        column = _cast(table, item.ref, pa.float64())
    return floats_of(column)


def _cast(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    """A column as requests have it; all null where there is none. Raises Refused naming it."""
    if place_of(name, table) is None:
        return pa.nulls(table.num_rows, kind)
    try:
        return table.column(name).combine_chunks().cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        what = f"column {name} is {table.schema.field(name).type}, and requests have {kind}: {error}"
        raise Refused(what, remedy="write it as a caller does") from error
