"""The fast channel of drift: the loss rises within hundreds of outcomes. What it finds is an incident, not yet a drift.

ADWIN and Page-Hinkley, as River has them, see each outcome as it becomes known. Neighbouring outcomes go together, so
that both find true changes often, which pass: alarms of one bad time are one incident, and it is over by itself when
there was none for a while.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.learn.detectors import Adwin, PageHinkley
from weir.learn.losses import minute_of, tame
from weir.learn.model import Floats

Whole = npt.NDArray[np.int64]
BEGIN: Final = 1000  # outcomes that the usual loss and its spread are taken from, first
CALM_MS: Final = 24 * 3_600_000  # without an alarm, and an incident is over: so there are at most one a day
ADWIN, PAGE_HINKLEY = "ADWIN", "Page-Hinkley"
ALLOWED: Final = 0.1  # standard deviations that the loss may rise by unseen by Page-Hinkley
RECENT: Final = 200  # outcomes whose mean has to be above what is usual: an alarm after a good time is none
NUMBERS: Final = ("mean", "spread", "n", "total", "bad", "bad_total")  # of its state
THRESHOLD: Final = 100.0  # in standard deviations: of chance alone a skewed loss passes it once in 40,000 outcomes


@dataclass(frozen=True, slots=True)
class Incident:
    """A time in which the loss was higher. begin_ms, last_ms: of its first and last alarm. end_ms: None while it lasts.

    by: detectors that saw it. alarms, outcomes: how many until the last one. loss: the largest that the mean of the
    last RECENT outcomes was at an alarm. usual: mean of all outcomes before that were in no incident.
    """

    begin_ms: int
    last_ms: int
    end_ms: int | None
    by: tuple[str, ...]
    alarms: int
    outcomes: int
    loss: float
    usual: float

    @property
    def name(self) -> str:
        """By the time at which it began, UTC."""
        return f"incident-{minute_of(self.begin_ms)}"


class Incidents:
    """Those of one loss. opened: of each what there was at its first alarm; over: those that are."""

    def __init__(self, *, bounded: bool = True) -> None:
        """bounded: no loss is far beyond all others, as that of a chance is; of numbers such a one counts as less."""
        self._bounded, self._most = bounded, np.inf
        self._adwin, self._page_hinkley = Adwin(), PageHinkley(ALLOWED, THRESHOLD)
        self._first: list[float] = []
        self._mean, self._spread = 0.0, 0.0
        self._n, self._total = 0, 0.0  # outside of incidents
        self._bad, self._bad_total = 0, 0.0  # since the incident began
        self._recent: deque[float] = deque(maxlen=RECENT)
        self.opened: list[Incident] = []
        self.over: list[Incident] = []
        self._now: Incident | None = None

    @property
    def found(self) -> list[Incident]:
        """All, in the order of time; the last one may last."""
        return [*self.over, *((self._now,) if self._now else ())]

    def kept(self) -> dict[str, Any]:
        """What it goes on from, for JSON; without those that are over."""
        return {
            "adwin": self._adwin.kept(),
            "page_hinkley": self._page_hinkley.kept(),
            "most": None if np.isinf(self._most) else self._most,
            "first": list(self._first) if not self._spread else [],
            "numbers": {name: getattr(self, f"_{name}") for name in NUMBERS},
            "recent": list(self._recent),
            "now": None if self._now is None else asdict(self._now),
        }

    def restore(self, said: Mapping[str, Any]) -> None:
        """What `kept` gave, through JSON."""
        self._adwin.restore(said["adwin"])
        self._page_hinkley.restore(said["page_hinkley"])
        self._first = list(said["first"])
        self._most = np.inf if said.get("most") is None else said["most"]
        for name in NUMBERS:
            setattr(self, f"_{name}", said["numbers"][name])
        self._recent.extend(said["recent"])
        now = said["now"]
        self._now = None if now is None else Incident(**{**now, "by": tuple(now["by"])})

    def take(self, at_ms: Whole, loss: Floats) -> None:
        """Outcomes more, as they became known: at_ms int64[n], ascending; loss float64[n]."""
        begin = 0
        if not self._spread:
            begin = min(len(loss), BEGIN - len(self._first))
            self._first += loss[:begin].tolist()
            if len(self._first) < BEGIN:
                return
            if not self._bounded:
                first, self._most = tame(np.array(self._first))
                self._first = first.tolist()
            self._mean, self._spread = float(np.mean(self._first)), float(np.std(self._first)) or 1.0
            self._n, self._total = BEGIN, float(np.sum(self._first))
            self._recent.extend(self._first[-RECENT:])
        counted = np.minimum(loss[begin:], self._most)
        for at, value in zip(at_ms[begin:].tolist(), counted.tolist(), strict=True):
            self._one(at, value)

    def _one(self, at_ms: int, loss: float) -> None:
        if self._now and at_ms - self._now.last_ms >= CALM_MS:
            self.over.append(replace(self._now, end_ms=self._now.last_ms + CALM_MS))
            self._n, self._total = self._n + self._bad, self._total + self._bad_total
            self._now = None
        self._recent.append(loss)
        by = self._seen_by((loss - self._mean) / self._spread)
        recent = sum(self._recent) / len(self._recent) if by else 0.0
        if recent <= (self._now.usual if self._now else self._total / self._n):
            by = []
        if self._now is None and not by:
            self._n, self._total = self._n + 1, self._total + loss
            return
        if self._now is None:
            self._bad, self._bad_total = 0, 0.0
            self._now = Incident(at_ms, at_ms, None, (), 0, 0, 0.0, self._total / self._n)
        self._bad, self._bad_total = self._bad + 1, self._bad_total + loss
        if by:
            names = tuple(sorted({*self._now.by, *by}))
            self._now = replace(
                self._now,
                last_ms=at_ms,
                by=names,
                alarms=self._now.alarms + 1,
                outcomes=self._bad,
                loss=max(self._now.loss, recent),
            )
            if self._now.alarms == 1:
                self.opened.append(self._now)

    def _seen_by(self, value: float) -> list[str]:
        """Which detectors see the loss rise with it."""
        before = self._adwin.mean
        changed, rises = self._adwin.update(value), self._page_hinkley.update(value)
        by = [ADWIN] if changed and self._adwin.mean > before else []
        return [*by, PAGE_HINKLEY] if rises else by
