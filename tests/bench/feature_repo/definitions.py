"""Two views by two keys, 24 features: what a bench request looks up."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Float32, String

HISTORY = Path(os.environ.get("WEIR_HOME", ".weir")).resolve() / "features"


def _view(entity: Entity, name: str, count: int) -> FeatureView:
    history = FileSource(
        name=f"{name}_history",
        path=str(HISTORY / f"{name}.parquet"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    features = [Field(name=f"v{i:02}", dtype=Float32) for i in range(count)]
    return FeatureView(
        name=name,
        entities=[entity],
        ttl=timedelta(days=1),
        online=True,
        schema=[Field(name=entity.join_key, dtype=String), *features],
        source=PushSource(name=f"{name}_push", batch_source=history),
    )


customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.STRING)
shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
customer_recent = _view(customer, "customer_recent", 16)
shop_recent = _view(shop, "shop_recent", 8)
bench_v1 = FeatureService(name="bench_v1", features=[customer_recent, shop_recent])
