"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import prometheus_client  # noqa: F401  before any test imports feast, which would switch it to files shared by processes
import pytest

from tests.redis_server import redis_server

if TYPE_CHECKING:
    from pathlib import Path

    from app.edges.embedded import Stack
    from app.settings import Settings


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Broker, ClickHouse and schema registry, started once; use topics and databases of your own."""
    from app.edges.embedded import Stack  # tests without it need no extras
    from app.settings import Settings

    with Stack(Settings(home=tmp_path_factory.mktemp("home"))) as running:
        yield running
        running.check()  # a service that died under the tests is a failure, not a detail


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis server; tests that ask for it are skipped where there is none."""
    with redis_server() as url:
        yield url


@pytest.fixture(params=["lmdb", "redis"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty home, once with the embedded online store and once with Redis."""
    from app.settings import Settings

    url = "lmdb" if request.param == "lmdb" else request.getfixturevalue("redis_url")
    return Settings(home=tmp_path, online_store=url)
