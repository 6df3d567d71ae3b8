"""The project's objectives as pages show them: what alerts of them are held to, and the promises of a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from weir.core import numbers
from weir.edges.clickhouse import slos
from weir.monitor.burn import BurnMonitor
from weir.web.console.asking import FILES_S, Asker
from weir.web.console.drawing.chart import Rule

WITHIN: Final = "health/within"  # its subjects are milliseconds


def burns(asker: Asker) -> Mapping[str, BurnMonitor]:
    """The monitors of their burn rates, by name; of those files that are objectives."""
    return asker.once(("objectives",), FILES_S, lambda: slos.looked(asker.settings, asker.monitors())[0])


def has(asker: Asker, service: str) -> bool:
    """Whether the project has an objective for a service."""
    return any(one.objective.service == service for one in burns(asker).values())


def promises(asker: Asker, service: str) -> list[Rule]:
    """Within what time a service has promised to answer, by its objectives."""
    found = {
        int(one.objective.subject)
        for one in burns(asker).values()
        if one.objective.service == service and one.asks.name == WITHIN and one.objective.subject.isdigit()
    }
    return [Rule(at=float(ms), label=f"promise {numbers.figure(ms, 'ms')}", soft=True) for ms in sorted(found)]
