"""Monitors that fail: each is left alone for a while, and the others go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog

from weir.core.errors import Refused, Unavailable
from weir.monitor.left import Work
from weir.setting_groups import MonitoringSettings

DOUBLINGS: Final = 20  # of the pause after a failure; what comes behind is longer than the longest pause
# Errors that say what, where and what to do; of others the log has the place in the code.
FORESEEN: Final = (Refused, Unavailable)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Trouble:
    """A monitor of a service that fails. failures: in a row. again_s: monotonic time of the next try."""

    failures: int = 0
    again_s: float = 0.0


@dataclass(slots=True)
class Troubles:
    """Those of all monitors."""

    limits: MonitoringSettings
    _of: dict[Work, Trouble] = field(default_factory=dict)

    def rests(self, work: Work, now_s: float) -> bool:
        """Whether a monitor is left alone. now_s: monotonic."""
        trouble = self._of.get(work)
        return trouble is not None and now_s < trouble.again_s

    def fails(self, work: Work) -> bool:
        """Whether a monitor failed when it was last asked."""
        return work in self._of

    def over(self, work: Work) -> bool:
        """Note that a monitor has answered; whether it failed before."""
        return self._of.pop(work, None) is not None

    def failed(self, work: Work, error: Exception, now_s: float) -> bool:
        """Note that a monitor has failed; whether so often in a row that somebody must be told. now_s: monotonic."""
        trouble = self._of.setdefault(work, Trouble())
        trouble.failures += 1
        longest_s, doublings = self.limits.monitor_retry_max_s, min(trouble.failures, DOUBLINGS)
        pause_s = min(longest_s, self.limits.monitor_every_s * 2**doublings)
        trouble.again_s = now_s + pause_s
        log.error(
            "a monitor failed",
            reason=said(error),
            failures=trouble.failures,
            again_s=pause_s,
            exc_info=None if isinstance(error, FORESEEN) else error,
            **work._asdict(),
        )
        return trouble.failures == self.limits.monitor_failures


def said(error: Exception) -> str:
    """What an error says; of one that nobody foresaw its kind, too."""
    return str(error) if isinstance(error, FORESEEN) else f"{type(error).__name__}: {error}"
