"""Features of the flights: the only place where they are defined. `weir apply` reads this file.

Every view is kept by the feature worker from `weir.events.flights` (weir.demo.rolling says how each number is counted)
and holds, for each clock hour, the state up to that hour. `ttl` is the age past which a value says nothing any more: it
bounds training joins and is the default of "stale" when scoring.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Float32, String

HISTORY = Path(os.environ.get("WEIR_HOME", ".weir")).resolve() / "features"  # hourly snapshots, as Parquet


def _entity(name: str, description: str) -> Entity:
    return Entity(name=name, join_keys=[name], value_type=ValueType.STRING, description=description)


def _view(name: str, entities: list[Entity], features: str, ttl: timedelta, description: str) -> FeatureView:
    """A view of Float32 features that is pushed to, with its history as the batch source."""
    history = FileSource(
        name=f"{name}_history",
        path=str(HISTORY / f"{name}.parquet"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    keys = [Field(name=entity.join_key, dtype=String) for entity in entities]
    return FeatureView(
        name=name,
        entities=entities,
        ttl=ttl,
        online=True,
        description=description,
        schema=keys + [Field(name=feature, dtype=Float32) for feature in features.split()],
        source=PushSource(name=f"{name}_push", batch_source=history),
    )


carrier = _entity("carrier", "IATA code of the airline: UA")
origin = _entity("origin", "IATA code of the airport of departure: EWR")
dest = _entity("dest", "IATA code of the airport of arrival: IAH")
route = _entity("route", "origin and destination: EWR-IAH")
flight_number = _entity("flight_number", "carrier, number and destination, the same flight every day: UA1545-IAH")
plane = _entity("plane", "tail number: N14228")

origin_recent = _view(
    "origin_recent",
    [origin],
    "depdelay_1h ndep_1h depdelay_3h gone_3h",
    timedelta(days=2),
    "departures: mean delay (min) and number in 1 h, mean delay in 3 h, flights of the last 3 h that are gone",
)
carrier_origin_recent = _view(
    "carrier_origin_recent", [carrier, origin], "depdelay_3h", timedelta(days=2), "mean departure delay (min) in 3 h"
)
carrier_recent = _view(
    "carrier_recent", [carrier], "late_24h", timedelta(days=2), "share of arrivals 15 min late or more in 24 h"
)
dest_recent = _view("dest_recent", [dest], "arrdelay_6h", timedelta(days=2), "mean arrival delay (min) in 6 h")
route_recent = _view("route_recent", [route], "late_7d", timedelta(days=8), "share of late arrivals in 7 days")
flight_recent = _view(
    "flight_recent", [flight_number], "late_21d", timedelta(days=22), "share of late arrivals in 21 days"
)
plane_recent = _view("plane_recent", [plane], "last_arrdelay", timedelta(days=14), "delay (min) of its last arrival")
origin_weather = _view(
    "origin_weather",
    [origin],
    "temp dewp humid wind_dir wind_speed wind_gust precip pressure visib",
    timedelta(hours=6),
    "last published observation: degF, degF, %, deg, mph, mph, inch, mbar, miles",
)

flight_delay_v1 = FeatureService(
    name="flight_delay_v1",
    features=[
        origin_recent,
        carrier_origin_recent,
        carrier_recent,
        dest_recent,
        route_recent,
        flight_recent,
        plane_recent,
        origin_weather,
    ],
    description="What the flight-delay model reads from the online store.",
)
