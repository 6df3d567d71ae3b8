"""What the packed columns of predictions mean, as recorded; and names for those recorded without."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.block import Marks
from weir.core.bundle_names import LISTS, BundleNames
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering, url_of

COLUMNS: Final = ("features", "feature_age_s", "feature_status", "outputs", "texts", "doubles", "longs")  # in `packed`
_SIZES: Final = """arrayMap(n -> reinterpretAsInt32(substring(packed[5], 4 * n - 3, 4)),
                          arrayEnumerate({texts:Array(String)}))"""
_NUMBERS: Final = """mapFromArrays({{{names}:Array(String)}},
            arrayMap(n -> reinterpretAs{kind}(substring(packed[{at}], {size} * n - {before}, {size})),
                     arrayEnumerate({{{names}:Array(String)}})))"""


def _numbers(at: int, kind: str, size: int, names: str) -> str:
    """A map of numbers out of packed[at], each of `size` bytes."""
    return _NUMBERS.format(at=at, kind=kind, size=size, before=size - 1, names=names)


# By table. Only rows whose bytes are as many as the names ask for; what stays packed can be looked at.
FITS: Final = {
    "predictions": f"""
        notEmpty(packed) AND digest = {{digest:String}} AND length(packed[1]) = 4 * length({{inputs:Array(String)}})
            AND length(packed[2]) = 4 * length({{views:Array(String)}})
            AND length(packed[3]) = length({{views:Array(String)}})
            AND length(packed[4]) = 4 * length({{outputs:Array(String)}})
            AND NOT arrayExists(size -> size < -1, {_SIZES})
            AND length(packed[5]) = 4 * length({{texts:Array(String)}}) + arraySum(size -> greatest(size, 0), {_SIZES})
            AND length(packed[6]) = 8 * length({{doubles:Array(String)}})
            AND length(packed[7]) = 8 * length({{longs:Array(String)}})
    """,
    "shadows": """
        notEmpty(packed) AND digest = {digest:String} AND length(packed[1]) = 4 * length({outputs:Array(String)})
    """,
}
NAMED: Final = {
    "predictions": f"""
        features = {_numbers(1, "Float32", 4, "inputs")},
        feature_age_s = {_numbers(2, "Int32", 4, "views")},
        feature_status = {_numbers(3, "Int8", 1, "views")},
        outputs = {_numbers(4, "Float32", 4, "outputs")},
        texts = mapFromArrays(
            arrayFilter((name, size) -> size >= 0, {{texts:Array(String)}}, {_SIZES}),
            arrayMap(text -> substring(packed[5], text.2 - text.1 + 1 + 4 * length({{texts:Array(String)}}), text.1),
                     arrayFilter(text -> text.1 >= 0,
                                 arrayZip({_SIZES}, arrayCumSum(size -> greatest(size, 0), {_SIZES}))))),
        doubles = {_numbers(6, "Float64", 8, "doubles")},
        longs = {_numbers(7, "Int64", 8, "longs")}
    """,
    "shadows": f"outputs = {_numbers(1, 'Float32', 4, 'outputs')}",
}


WORDS: Final = ("request_id", "service", "digest", "version", "variant", "tenant", "team", "decision", "log_id")
PACKED: Final = (
    *(*WORDS, "log_partition", "log_offset", "event_time", "score"),
    *(f"packed[{at}] AS {column}" for at, column in enumerate(COLUMNS, 1)),
)


def read(client: Client) -> dict[str, BundleNames]:
    """Every bundle that was described, by digest. Raises Unavailable, Refused."""
    found = sql_files.rows(client, "bundles/names")
    return {
        row["digest"]: BundleNames(
            row["digest"],
            *(tuple(row[name]) for name in LISTS),
            categories={name: tuple(words) for name, words in row["categories"]},
            reference=row["reference"],
        )
        for row in found
    }


def unnamed(client: Client) -> dict[str, int]:
    """Predictions and shadows without names, by digest. Raises Unavailable, Refused."""
    return {row["digest"]: row["rows"] for row in sql_files.rows(client, "bundles/unnamed")}


def packed(
    client: Client, names: BundleNames, after: Marks, until: Marks | None = None, limit: int = 0
) -> pa.RecordBatch:
    """Predictions that can be named, under contract predictions and with where they were read.

    after, until: (log, partition) -> offset: only those behind the one, and up to the other where it is given.
    limit: how many, the first by log and offset; 0 for all. Raises Unavailable, Refused.
    """
    bounds = [_within("after", after, ">"), *([] if until is None else [_within("until", until, "<=")])]
    where = " AND ".join([FITS["predictions"], *(text for text, _ in bounds)])
    sql = f"""SELECT {", ".join(PACKED)} FROM predictions WHERE {where}
              ORDER BY log_id, log_partition, log_offset {f"LIMIT {limit}" if limit else ""}"""
    asked = {key: value for _, parameters in bounds for key, value in parameters.items()}
    with answering(url_of(client)):
        found = client.query_arrow(sql, parameters=_asked(where, _parameters(names) | asked), use_strings=False)
    words = {name: found[name].cast(pa.string()) for name in WORDS}
    columns = {name: words.get(name, found[name]).combine_chunks() for name in found.column_names}
    return pa.RecordBatch.from_pydict(columns)


def name(client: Client, names: BundleNames, counted: Marks) -> bool:
    """Name what was recorded of the bundle before its names were known; whether there was any that they fit.

    counted: (log, partition) -> offset of predictions: only those up to there. Raises Unavailable, Refused.
    """
    until, marks = _within("until", counted, "<=")
    parameters, named = _parameters(names) | marks, False
    with answering(url_of(client)):
        for table, all_of in FITS.items():
            fits = f"{all_of} AND {until}" if table == "predictions" else all_of
            asked = _asked(fits, parameters)
            if client.query(f"SELECT count() FROM {table} WHERE {fits}", parameters=asked).result_rows[0][0]:
                update = f"ALTER TABLE {table} UPDATE {NAMED[table]}, packed = [] WHERE {fits}"
                client.raw_query(update, _asked(update, parameters), {"mutations_sync": 1})  # its names may be many
                named = True
    return named


def _parameters(names: BundleNames) -> dict[str, Any]:
    return {"digest": names.digest} | {field: list(getattr(names, field)) for field in LISTS}


def _within(which: str, marks: Marks, how: str) -> tuple[str, dict[str, Any]]:
    """A condition on where a row was read, and its parameters; a log that is not in the marks has the offset -1."""
    where = "concat(log_id, '/', toString(log_partition))"
    text = f"log_offset {how} transform({where}, {{{which}_logs:Array(String)}}, {{{which}:Array(Int64)}}, toInt64(-1))"
    logs = [f"{log}/{partition}" for log, partition in marks]
    return text, {f"{which}_logs": [*logs, ""], which: [*marks.values(), -1]}


def _asked(text: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Those parameters that a statement has: ClickHouse takes no others."""
    return {name: value for name, value in parameters.items() if f"{{{name}:" in text}
