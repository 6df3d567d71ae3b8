"""The Feast repository: its objects, its registry, and what they mean to the hot path. Its import takes seconds."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureService, FeatureStore, FeatureView, FileSource
from feast.data_source import DataSource, PushSource
from feast.errors import FeatureServiceNotFoundException
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import load_repo_config

from weir.core.errors import Refused
from weir.core.feature_fingerprint import fingerprint
from weir.core.features import ServicePlan, ViewPlan
from weir.edges.features.plan import save
from weir.edges.features.store.record_layout import layout_of
from weir.settings import Settings

DTYPES = {"Float32": "float32", "Float64": "float64", "Int32": "int32", "Int64": "int64", "Bool": "bool"}
KEY_TYPES = {"String": "STRING", "Int64": "INT64", "Int32": "INT64"}  # integers of either width make the same key
ARROW = {"float32": pa.float32(), "float64": pa.float64(), "int32": pa.int32(), "int64": pa.int64(), "bool": pa.bool_()}
KINDS = (Entity, FeatureView, OnDemandFeatureView, FeatureService, DataSource)


def feature_store(settings: Settings) -> FeatureStore:
    """Feast's own view of the repository, for training joins, checks and tools. Raises Refused."""
    config = settings.paths.feature_repo_dir / "feature_store.yaml"
    if not config.is_file():
        raise Refused(
            "there is no feature repository",
            where=str(config.parent),
            remedy="set WEIR_FEATURE_REPO_DIR to a directory with feature_store.yaml",
        )
    (settings.paths.home / "features").mkdir(parents=True, exist_ok=True)
    with _environment(settings):
        return FeatureStore(config=load_repo_config(settings.paths.feature_repo_dir.resolve(), config))


def apply(settings: Settings) -> FeatureStore:
    """Make the registry say what the files in feature_repo/ say; what they no longer define is removed.

    Batch sources that do not exist yet are made, empty, so that training joins give nulls rather than errors.
    Raises Refused when a file cannot be read or a view cannot be served.
    """
    store = feature_store(settings)
    with _environment(settings):
        objects = _definitions(settings.paths.feature_repo_dir.resolve())
    views = [item for item in objects if isinstance(item, FeatureView)]
    for view in views:
        plan = view_plan(view)
        layout_of(plan)  # refuses what has no place in a record
        _ensure_history(view, plan)
    kept = {(_kind(item), item.name) for item in objects}
    registered = [
        *store.list_feature_services(),
        *store.list_feature_views(),
        *store.list_on_demand_feature_views(),
        *store.list_entities(),
        *store.list_data_sources(),
    ]
    gone = [item for item in registered if (_kind(item), item.name) not in kept and item.name != "__dummy"]
    store.apply(objects, objects_to_delete=gone, partial=False)
    return store


def service_plans(settings: Settings) -> tuple[ServicePlan, ...]:
    """Every feature service in the registry, resolved. Raises Refused: none is there, or see `service_plan`."""
    store = feature_store(settings)
    services = store.list_feature_services()
    if not services:
        raise Refused(
            "the registry has no feature service",
            where=str(settings.paths.home / "features" / "registry.db"),
            remedy="define one in feature_repo/ and run `weir apply`",
        )
    return tuple(service_plan(store, service) for service in sorted(services, key=lambda item: str(item.name)))


def export(settings: Settings) -> tuple[ServicePlan, ...]:
    """Write the plans of every feature service in the registry, for those who read without Feast; returns them.

    Raises Refused for a service that the hot path cannot serve, Unavailable when the repository was never applied.
    """
    plans = service_plans(settings)
    save(settings, plans)
    return plans


def feature_service(store: FeatureStore, name: str) -> FeatureService:
    """A feature service of the registry. Raises Refused."""
    try:
        return store.get_feature_service(name)
    except FeatureServiceNotFoundException:
        raise Refused(
            f"feature service {name} is not in the registry", remedy="define it in feature_repo/ and run `weir apply`"
        ) from None


def view_plan(view: FeatureView) -> ViewPlan:
    """How a view is stored: join keys and features sorted by name, since Feast keeps no order of a view's fields."""
    dtypes = {field.name: DTYPES.get(str(field.dtype), str(field.dtype)) for field in view.features}
    keys = {column.name: KEY_TYPES.get(str(column.dtype), str(column.dtype)) for column in view.entity_columns}
    names, key_names = tuple(sorted(dtypes)), tuple(sorted(keys))
    return ViewPlan(
        view.name,
        key_names,
        names,
        tuple(dtypes[name] for name in names),
        view.ttl.total_seconds() if view.ttl else 0.0,
        tuple(keys[name] for name in key_names),
    )


def service_plan(store: FeatureStore, service: FeatureService) -> ServicePlan:
    """The whole views of a service, in its order; a record is read whole, so picking features would save nothing.

    Raises Refused for a view that has no records of its own: on demand, under another name, offline, without entity.
    """
    known = {view.name: view for view in store.list_feature_views()}
    plans = []
    for projection in service.feature_view_projections:
        view = known.get(projection.name)
        fault = (
            "is computed on demand"
            if view is None
            else "is used under another name"
            if projection.name_alias or projection.join_key_map
            else "is not online"
            if not view.online
            else "has no entity"
            if view_plan(view).join_keys == ("__dummy_id",)
            else ""
        )
        if view is None or fault:
            raise Refused(
                f"feature view {projection.name} of service {service.name} {fault}",
                remedy="use plain online feature views; derive values in the model or in the request",
            )
        plans.append(view_plan(view))
    views = tuple(plans)
    return ServicePlan(store.project, service.name, views, fingerprint(store.project, service.name, views))


def _kind(item: object) -> type:
    kinds: tuple[type, ...] = KINDS
    return next(kind for kind in kinds if isinstance(item, kind))


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """The variables that feature_store.yaml and definitions.py read, as these settings have them; then put back."""
    wanted = {"WEIR_HOME": str(settings.paths.home.resolve()), "WEIR_ONLINE_STORE": settings.features.online_store}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _definitions(directory: Path) -> list[Any]:
    """Feast objects of every .py file, sources included, each name once."""
    found: dict[tuple[type, str], Any] = {}
    sys.path.insert(0, str(directory))
    try:
        for file in sorted(directory.glob("*.py")):
            spec = importlib.util.spec_from_file_location(f"feature_repo_{file.stem}", file)
            if spec is None or spec.loader is None:
                raise Refused("a feature definition cannot be read", where=str(file), remedy="check the file")
            module = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except Exception as error:  # a user's file can raise anything; the line says where
                raise Refused(
                    f"a feature definition fails: {type(error).__name__}: {error}",
                    where=str(file),
                    remedy="correct the file and run `weir apply` again",
                ) from error
            for item in vars(module).values():
                if isinstance(item, KINDS):
                    found[_kind(item), item.name] = item
    finally:
        sys.path.remove(str(directory))
    for item in [item for item in found.values() if isinstance(item, FeatureView)]:
        for source in (item.batch_source, item.stream_source):
            if source is not None:
                found[DataSource, source.name] = source
    return list(found.values())


def _ensure_history(view: FeatureView, plan: ViewPlan) -> None:
    source = view.batch_source
    if isinstance(source, PushSource):
        source = source.batch_source
    if not isinstance(source, FileSource) or "://" in source.path or Path(source.path).exists():
        return
    keys = {"String": pa.string(), "Int64": pa.int64(), "Int32": pa.int32()}
    fields = [(column.name, keys.get(str(column.dtype), pa.string())) for column in view.entity_columns]
    fields += [(name, ARROW[dtype]) for name, dtype in zip(plan.features, plan.dtypes, strict=True)]
    times = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
    fields += [(name, pa.timestamp("us", tz="UTC")) for name in times]
    Path(source.path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.schema(fields).empty_table(), source.path)
