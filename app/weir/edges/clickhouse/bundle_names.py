"""What the packed columns of predictions mean, as recorded; and names for those recorded without."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver import Client

from weir.core.bundle_names import BundleNames
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering

# Only rows whose bytes are as many as the names ask for; what stays packed can be looked at.
FITS: Final = """
    notEmpty(packed) AND digest = {digest:String} AND length(packed[1]) = 4 * length({inputs:Array(String)})
        AND length(packed[2]) = 4 * length({views:Array(String)}) AND length(packed[3]) = length({views:Array(String)})
"""
FITTING: Final = f"SELECT count() FROM predictions WHERE {FITS}"
NAME_ROWS: Final = f"""
    ALTER TABLE predictions UPDATE
        features = mapFromArrays({{inputs:Array(String)}},
            arrayMap(n -> reinterpretAsFloat32(substring(packed[1], 4 * n - 3, 4)),
                     arrayEnumerate({{inputs:Array(String)}}))),
        feature_age_s = mapFromArrays({{views:Array(String)}},
            arrayMap(n -> reinterpretAsInt32(substring(packed[2], 4 * n - 3, 4)),
                     arrayEnumerate({{views:Array(String)}}))),
        feature_status = mapFromArrays({{views:Array(String)}},
            arrayMap(n -> reinterpretAsInt8(substring(packed[3], n, 1)),
                     arrayEnumerate({{views:Array(String)}}))),
        packed = []
    WHERE {FITS}
"""


def read(client: Client) -> dict[str, BundleNames]:
    """Every bundle that was described, by digest. Raises Unavailable, Refused."""
    return {
        row["digest"]: BundleNames(row["digest"], tuple(row["inputs"]), tuple(row["views"]))
        for row in sql_files.rows(client, "bundles/names")
    }


def unnamed(client: Client) -> dict[str, int]:
    """Predictions without names, by digest. Raises Unavailable, Refused."""
    return {row["digest"]: row["rows"] for row in sql_files.rows(client, "bundles/unnamed")}


def fits_any(client: Client, names: BundleNames) -> bool:
    """Whether there are rows without names that `name` would name. Raises Unavailable, Refused."""
    with answering(_where(client)):
        return bool(client.query(FITTING, parameters=_parameters(names)).result_rows[0][0])


def name(client: Client, names: BundleNames) -> None:
    """Name the bundle's predictions that were recorded before its names were known. Raises Unavailable, Refused."""
    with answering(_where(client)):
        client.command(NAME_ROWS, parameters=_parameters(names), settings={"mutations_sync": 1})


def _parameters(names: BundleNames) -> dict[str, str | list[str]]:
    return {"digest": names.digest, "inputs": list(names.inputs), "views": list(names.views)}


def _where(client: Client) -> str:
    return str(getattr(client, "url", "ClickHouse"))
