"""The ASOF join gives what Feast's own point-in-time join gives, at the edges of ttl, ties and nulls too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore
from weir.edges.features.feast_offline_store import AsofDuckDBOfflineStore
from weir.edges.features.repository import apply
from weir.edges.features.training_frame import write_history
from weir.settings import load

HOUR_US = 3_600_000_000
BEGIN_US = 1_372_000_000_000_000 // HOUR_US * HOUR_US


def stamps(micros: np.ndarray) -> pa.Array:
    return pa.array(micros).cast(pa.timestamp("us", tz="UTC"))


def test_it_equals_feasts_own_join(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    store = apply(settings)
    rng = np.random.default_rng(4)
    n = 400
    planes, origins = np.array(["N1", "N2", "N3"]), np.array(["EWR", "JFK"])
    at = BEGIN_US + rng.integers(0, 24 * 40, n) * HOUR_US  # ties of time among them
    delay = pa.array(rng.normal(size=n).astype(np.float32), mask=rng.random(n) < 0.1)
    created = stamps(at + np.arange(n))  # but none of creation: which of two equal rows wins is anyone's guess
    write_history(
        settings,
        "plane_recent",
        pa.table(
            {
                "plane": planes[rng.integers(0, 3, n)],
                "last_arrdelay": delay,
                "event_timestamp": stamps(at),
                "created": created,
            }
        ),
    )
    weather = {
        name: rng.normal(size=n).astype(np.float32)
        for name in ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
    }
    write_history(
        settings,
        "origin_weather",
        pa.table(
            {
                "origin": origins[rng.integers(0, 2, n)],
                **weather,
                "event_timestamp": stamps(at),
                "created": created,
            }
        ),
    )
    m = 600
    asked = pd.DataFrame(
        {
            "plane": rng.choice(np.array(["N1", "N2", "N3", "N9", None], object), m),
            "origin": rng.choice(np.array(["EWR", "JFK", "LGA"], object), m),
            # whole hours: exactly at a row's time, and exactly at the end of its ttl
            "event_timestamp": pd.to_datetime(BEGIN_US + rng.integers(-5, 24 * 60, m) * HOUR_US, unit="us", utc=True),
            "row": np.arange(m),
        }
    )
    views = [store.get_feature_view(name) for name in ("plane_recent", "origin_weather")]
    refs = [f"{view.name}:{feature.name}" for view in views for feature in view.features]
    ours, feasts = (
        kind.get_historical_features(store.config, views, refs, asked, store.registry, store.project, full_names)
        .to_df()
        .sort_values("row")
        .reset_index(drop=True)
        for full_names in (True,)
        for kind in (AsofDuckDBOfflineStore, DuckDBOfflineStore)
    )
    assert 0.05 < feasts["plane_recent__last_arrdelay"].isna().mean() < 0.95
    pd.testing.assert_frame_equal(ours[sorted(ours)], feasts[sorted(ours)], check_dtype=False)
    assert isinstance(store._get_provider().offline_store, AsofDuckDBOfflineStore)
