"""The Feast repository: its objects, its registry, and what they mean to the hot path. Its import takes seconds."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from feast import Entity, FeatureService, FeatureStore, FeatureView, FileSource
from feast.data_source import DataSource, PushSource
from feast.errors import FeastModuleImportError, FeatureServiceNotFoundException
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig, load_repo_config
from feast.types import from_feast_to_pyarrow_type

from weir.core.errors import Refused
from weir.core.features import ServicePlan, ViewPlan
from weir.edges.features.plan import save
from weir.settings import Settings

DTYPES = {"Float32": "float32", "Float64": "float64", "Int32": "int32", "Int64": "int64", "Bool": "bool"}
KEY_TYPES = {"String": "STRING", "Int64": "INT64", "Int32": "INT64"}  # integers of either width make the same key
MAX_NAME_BYTES = 200  # project, view and a key together make a stored key, which LMDB bounds
KINDS = (Entity, FeatureView, OnDemandFeatureView, FeatureService, DataSource)


def feature_store(settings: Settings, *, history: bool = False) -> FeatureStore:
    """Feast's own view of the repository, for training joins, checks and tools.

    history: past values are asked for; else the offline store's libraries need not be here, as in a worker's image.
    Raises Refused.
    """
    config = settings.paths.feature_repo_dir / "feature_store.yaml"
    if not config.is_file():
        raise Refused(
            "there is no feature repository",
            where=str(config.parent),
            remedy="set WEIR_FEATURE_REPO_DIR to a directory with feature_store.yaml",
        )
    (settings.paths.home / "features").mkdir(parents=True, exist_ok=True)
    with _environment(settings):
        return FeatureStore(config=_config(config.resolve(), history=history))


def _config(path: Path, *, history: bool) -> RepoConfig:
    try:
        return load_repo_config(path.parent, path)
    except FeastModuleImportError:
        if history:
            raise
    said = yaml.safe_load(os.path.expandvars(path.read_text(encoding="utf-8")))
    config = RepoConfig(**{name: value for name, value in said.items() if name != "offline_store"})
    config.repo_path = path.parent
    return config


def apply(settings: Settings) -> FeatureStore:
    """Make the registry say what the files in feature_repo/ say; what they no longer define is removed from it.

    Online records stay, also those of a view that is gone: scorers may still read them, and so may those of an older
    version that is brought back. Batch sources that do not exist yet are made, empty, so that training joins give nulls
    rather than errors. Raises Refused when a file cannot be read or a view cannot be stored.
    """
    store = feature_store(settings)
    with _environment(settings):
        objects = _definitions(settings.paths.feature_repo_dir.resolve())
    for view in (item for item in objects if isinstance(item, FeatureView)):
        _check_name(view.name)
        _ensure_history(view)
    kept = {(_kind(item), item.name) for item in objects}
    gone = [item for item in _registered(store) if (_kind(item), item.name) not in kept and item.name != "__dummy"]
    store.apply(objects)
    for item in gone:
        _forget(store, item)
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
    save(settings, plans, [view_plan(view) for view in _views(feature_store(settings))])
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
    ttl = getattr(view, "ttl", None)  # on-demand views that are written have none
    return ViewPlan(
        view.name,
        key_names,
        names,
        tuple(dtypes[name] for name in names),
        ttl.total_seconds() if ttl else 0.0,
        tuple(keys[name] for name in key_names),
    )


def service_plan(store: FeatureStore, service: FeatureService) -> ServicePlan:
    """The features of a service, its views in its own order, the features of each by name.

    Raises Refused for a view that has no records of its own: on demand, under another name, offline, without entity.
    """
    known = {view.name: view for view in _views(store)}
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
        plans.append(view_plan(view).only(sorted(field.name for field in projection.features)))
    return ServicePlan(store.project, service.name, tuple(plans))


def _views(store: FeatureStore) -> list[FeatureView]:
    return [*store.list_feature_views(), *store.list_stream_feature_views()]


def _registered(store: FeatureStore) -> list[Any]:
    """Everything in the registry, what refers to others first."""
    return [
        *store.list_feature_services(),
        *store.list_on_demand_feature_views(),
        *_views(store),
        *store.list_entities(),
        *store.list_data_sources(),
    ]


def _forget(store: FeatureStore, item: Any) -> None:
    """Remove an object from the registry, and nothing else."""
    registry = store.registry
    delete = {
        Entity: registry.delete_entity,
        FeatureService: registry.delete_feature_service,
        DataSource: registry.delete_data_source,
    }.get(_kind(item), registry.delete_feature_view)
    delete(item.name, store.project)


def _check_name(view: str) -> None:
    fault = (
        "two underscores: they part view and feature in `view__feature`"
        if "__" in view
        else "characters that are no letters, digits, underscores, hyphens or dots"
        if not re.fullmatch(r"[\w.-]+", view)
        else f"more than {MAX_NAME_BYTES} bytes"
        if len(view.encode()) > MAX_NAME_BYTES
        else ""
    )
    if fault:
        raise Refused(f"feature view name {view[:MAX_NAME_BYTES]} has {fault}", remedy="give the view another name")


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
    """Feast objects of every .py file, sources included, each name once.

    No bytecode is kept: the directory is the user's, and Python would take it for that of a file which was changed
    within the same second, if the new text is as long as the old.
    """
    found: dict[tuple[type, str], Any] = {}
    keeps_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
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
        sys.dont_write_bytecode = keeps_none
    for item in [item for item in found.values() if isinstance(item, FeatureView)]:
        for source in (item.batch_source, item.stream_source):
            if source is not None:
                found[DataSource, source.name] = source
    return list(found.values())


def _ensure_history(view: FeatureView) -> None:
    source = view.batch_source
    if isinstance(source, PushSource):
        source = source.batch_source
    if not view.features or not isinstance(source, FileSource) or "://" in source.path or Path(source.path).exists():
        return
    fields = [(column.name, from_feast_to_pyarrow_type(column.dtype)) for column in view.entity_columns]
    fields += [(field.name, from_feast_to_pyarrow_type(field.dtype)) for field in view.features]
    times = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
    fields += [(name, pa.timestamp("us", tz="UTC")) for name in times]
    Path(source.path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.schema(fields).empty_table(), source.path)
