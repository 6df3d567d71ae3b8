"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import prometheus_client  # noqa: F401  before any test imports feast, which would switch it to files shared by processes
import pytest

if TYPE_CHECKING:
    from app.edges.embedded import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Broker, ClickHouse and schema registry, started once; use topics and databases of your own."""
    from app.edges.embedded import Stack  # tests without it need no extras
    from app.settings import Settings

    with Stack(Settings(home=tmp_path_factory.mktemp("home"))) as running:
        yield running
        running.check()  # a service that died under the tests is a failure, not a detail
