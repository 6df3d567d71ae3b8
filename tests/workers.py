"""Several workers share the tests (`pytest -n 2`, by pytest-xdist): what stays together, and what begins first.

A file stays together, so that what its tests share is made once; of a file that runs on two brokers, each half does.
So does a folder whose tests start many processes each: one of them at a time is enough for a machine. These take
longest and begin first, since what begins last decides when all are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest

IN_TURN = ("tests/chaos/", "tests/guide/", "tests/kafka/", "tests/console/")
# A worker starts each broker once when it comes to its tests, and ends it when it comes to those of the other.
ORDER = (*IN_TURN, "tests/toolchains/", "kafka:tests/integration/", "tests/integration/", "tests/sql/")


def together(nodeid: str) -> str:
    """What a test has in common with those that stay with it."""
    path, _, name = nodeid.partition("::")
    on_kafka = path.startswith("tests/integration/") and "[kafka" in name
    return next((folder for folder in IN_TURN if path.startswith(folder)), f"kafka:{path}" if on_kafka else path)


def turn(nodeid: str) -> int:
    """The place of a test's kind in the order; those of no kind come last."""
    scope = together(nodeid)
    return next((at for at, kind in enumerate(ORDER) if scope.startswith(kind)), len(ORDER))


class Schedule(LoadScopeScheduling):
    """Gives what stays together to whoever is free, in the order of collection."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
