"""What the packed columns of predictions mean, as recorded; and names for those recorded without."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core.bundle_names import LISTS, BundleNames
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering, url_of

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


def read(client: Client) -> dict[str, BundleNames]:
    """Every bundle that was described, by digest, without its categories: no column has them.

    Raises Unavailable, Refused.
    """
    found = sql_files.rows(client, "bundles/names")
    return {row["digest"]: BundleNames(row["digest"], *(tuple(row[name]) for name in LISTS)) for row in found}


def unnamed(client: Client) -> dict[str, int]:
    """Predictions and shadows without names, by digest. Raises Unavailable, Refused."""
    return {row["digest"]: row["rows"] for row in sql_files.rows(client, "bundles/unnamed")}


def name(client: Client, names: BundleNames) -> bool:
    """Name what was recorded of the bundle before its names were known; whether there was any that they fit.

    Raises Unavailable, Refused.
    """
    parameters = {field: list(value) if isinstance(value, tuple) else value for field, value in asdict(names).items()}
    named = False
    with answering(url_of(client)):
        for table, fits in FITS.items():
            asked = _asked(fits, parameters)
            if client.query(f"SELECT count() FROM {table} WHERE {fits}", parameters=asked).result_rows[0][0]:
                update = f"ALTER TABLE {table} UPDATE {NAMED[table]}, packed = [] WHERE {fits}"
                client.raw_query(update, _asked(update, parameters), {"mutations_sync": 1})  # its names may be many
                named = True
    return named


def _asked(text: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Those parameters that a statement has: ClickHouse takes no others."""
    return {name: value for name, value in parameters.items() if f"{{{name}:" in text}
