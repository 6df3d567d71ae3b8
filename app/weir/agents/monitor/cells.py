"""Cells of outcomes, which figures of many days are read from: counted by the active monitor worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog
from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.core.signature import Task
from weir.edges.clickhouse import outcome_cells

EVERY_S: Final = 30  # of a service; a count takes some seconds of CPU at most

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Cells:
    """When each service's cells are due again."""

    _due_s: dict[str, float] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)

    def keep(self, client: Client, service: str, task: Task, now_s: float) -> None:
        """Count cells of hours that lack them, where that is due. now_s: monotonic.

        Without cells figures are joined: a refusal is told once and tried again, and holds up nothing. Raises
        Unavailable.
        """
        if now_s < self._due_s.get(service, now_s):
            return
        self._due_s[service] = now_s + EVERY_S
        try:
            outcome_cells.keep(client, service, task)
            self._refused.pop(service, None)
        except Refused as error:
            if self._refused.get(service) != str(error):
                self._refused[service] = str(error)
                log.warning("outcomes are not counted by hour", service=service, reason=str(error))
