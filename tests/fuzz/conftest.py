"""The embedded ClickHouse under fire; and what was tried, said at the end."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.fuzz import cases
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.integration.test_clickhouse_facade import Facade

TABLE = b"CREATE TABLE default.lines (n UInt32, s String) ENGINE = MergeTree ORDER BY n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A long run may take as long as it takes; a single hang is still found by its own bound."""
    if cases.LONG_CASES:
        for item in items:
            if "fuzz" in item.path.parts:
                item.add_marker(pytest.mark.timeout(0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line a target, and where the report is."""
    if not cases.TRIED:
        return
    terminalreporter.section("fuzzing: cases tried")
    for target, count in sorted(cases.TRIED.items()):
        terminalreporter.write_line(f"{target:24} {count:>12,}")
    terminalreporter.write_line(f"{'total':24} {cases.TRIED.total():>12,}")
    path = cases.report()
    if path:
        terminalreporter.write_line(f"report: {path}")


@pytest.fixture(scope="session")
def facade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facade]:
    """The embedded ClickHouse as its own process, with a table; it must end well, and never have raised."""
    from tests.integration.test_clickhouse_facade import Facade

    running = Facade(tmp_path_factory.mktemp("facade"), free_port())
    assert running.ask(body=TABLE, headers={})[0] == http.client.OK
    yield running
    assert running.child.stop() == 0
    assert b"Traceback" not in running.child.log.read_bytes()
