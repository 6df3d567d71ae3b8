"""Training sets: features as they were at each row's time, by Feast's point-in-time join over DuckDB."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from weir.core.errors import Refused
from weir.edges.features.repository import feature_service, feature_store, service_plan
from weir.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

ROW = "weir_row"  # carried through the join, which keeps neither the order nor the index of its rows


def write_history(settings: Settings, view: str, table: pa.Table) -> None:
    """Replace the batch source of a view: join keys, features, `event_timestamp`, `created` (see rolling.history)."""
    target = settings.paths.home / "features" / f"{view}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    pq.write_table(table, draft, compression="zstd")
    draft.replace(target)


def training_frame(settings: Settings, rows: pd.DataFrame, service: str) -> pd.DataFrame:
    """Features of a service for n entity rows, each as of its own time and none older than its view's ttl.

    rows: the join keys, nulls allowed (nothing is found), and `event_timestamp` (UTC); other columns pass through.
    Returns the same rows in the same order under the same index, with a column "view__feature" for each feature, NaN
    where there was none. Raises Refused when Feast refuses the join or gives other rows than it was asked for.
    """
    store = feature_store(settings, history=True)
    features = feature_service(store, service)
    needed = {key for view in service_plan(store, features).views for key in view.join_keys} | {"event_timestamp"}
    if not needed <= set(rows.columns):
        raise Refused(
            f"training rows of {service} lack {', '.join(sorted(needed - set(rows.columns)))}",
            remedy="give every join key and event_timestamp",
        )
    asked = rows.assign(**{ROW: range(len(rows))})
    try:
        with warnings.catch_warnings():
            # ibis calls by its old name what DuckDB 2 renamed; nobody who trains a model can do anything about it
            warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
            joined = store.get_historical_features(entity_df=asked, features=features, full_feature_names=True).to_df()
    except (ValueError, KeyError, OSError) as error:
        raise Refused(
            f"the training join of {service} fails: {error}",
            where=str(settings.paths.home / "features"),
            remedy="compare the rows with the service's join keys, and run `weir apply`",
        ) from error
    joined = joined.sort_values(ROW, kind="stable")
    if joined[ROW].tolist() != list(range(len(rows))):
        raise Refused(
            f"the training join of {service} gave {len(joined)} rows for {len(rows)}",
            where=str(settings.paths.home / "features"),
            remedy="use the DuckDB offline store; others drop or repeat rows",
        )
    found = [name for name in joined.columns if name not in asked.columns]
    return rows.join(joined[found].set_axis(rows.index, axis=0))
