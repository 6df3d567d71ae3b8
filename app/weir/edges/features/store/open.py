"""Which online store the settings name."""

from __future__ import annotations

from weir.core.errors import Refused
from weir.edges.features.store.record_store import RecordStore
from weir.settings import Settings


def open_store(settings: Settings, project: str = "weir") -> RecordStore:
    """The store that WEIR_ONLINE_STORE names. Raises Refused for a word that names none, Unavailable."""
    if is_local(settings):
        from weir.edges.features.store.lmdb import LmdbStore  # noqa: PLC0415 - each store loads only its own client

        return LmdbStore(settings.paths.home / "features" / "online", project)
    if settings.features.online_store.startswith(("redis://", "rediss://", "unix://")):
        from weir.edges.features.store.redis import RedisStore  # noqa: PLC0415

        return RedisStore(settings.features.online_store, project)
    raise Refused(
        f"online store {settings.features.online_store!r} is unknown",
        remedy="set WEIR_ONLINE_STORE to lmdb or to a redis:// URL",
    )


def is_local(settings: Settings) -> bool:
    """Whether the store is on this machine and in this process: no network to wait for."""
    return settings.features.online_store == "lmdb"
