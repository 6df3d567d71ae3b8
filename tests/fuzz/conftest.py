"""Says what was tried."""

from __future__ import annotations

import pytest

from tests.fuzz import cases


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
