"""Both channels of drift of one who answers: the loss that rises fast, and the mean that wanders off slowly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from weir.core.signature import Task
from weir.learn import losses
from weir.learn.drift import Drift, SlowDrift
from weir.learn.incidents import Incident, Incidents
from weir.learn.learner import Slow
from weir.learn.model import Floats


@dataclass(frozen=True, slots=True)
class Alarms:
    """What was found, in the order of time. opened: incidents at their first alarm; over: those that are."""

    incidents: tuple[Incident, ...]
    drifts: tuple[Drift, ...]
    opened: tuple[Incident, ...] = ()
    over: tuple[Incident, ...] = ()


class Watch:
    """Both at work."""

    def __init__(self, task: Task, terms: Slow) -> None:
        self._task = task
        self._fast, self._slow = Incidents(bounded=task is not Task.REGRESSION), SlowDrift(task, terms)

    @property
    def alarms(self) -> Alarms:
        """What they have found so far."""
        fast = self._fast
        return Alarms(tuple(fast.found), tuple(self._slow.found), tuple(fast.opened), tuple(fast.over))

    def kept(self) -> dict[str, Any]:
        """What both go on from, for JSON; without what is over."""
        return {"fast": self._fast.kept(), "slow": self._slow.kept()}

    def restore(self, said: Mapping[str, Any]) -> None:
        """What `kept` gave, through JSON."""
        self._fast.restore(said["fast"])
        self._slow.restore(said["slow"])

    def take(self, at_ms: npt.NDArray[np.int64], said: Floats, y: Floats) -> None:
        """Outcomes more, as they became known: at_ms int64[n], ascending; said float64[n, m]; y float64[n].

        What has no number said of it is left out.
        """
        there = np.isfinite(said).all(1)
        at_ms, said, y = at_ms[there], said[there], y[there]
        self._fast.take(at_ms, losses.loss(self._task, said, y))
        self._slow.take(at_ms, losses.residual(self._task, said, y))
