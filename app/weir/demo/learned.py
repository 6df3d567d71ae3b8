"""What learners would have said of the flights, with the outcomes alone that were known when each was asked about.

The files are in learners/. They begin with the first flight of the replay and know nothing then; the champion was
trained on the half year before.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from weir.agents.learner import files
from weir.demo.flights import Flights, Progress
from weir.edges.clickhouse import client as clickhouse
from weir.learn.prequential import ALL
from weir.operations import learner_replay
from weir.settings import Settings

HYBRID: Final = "hybrid"
BEHIND: Final = 0.01  # that its AUC may be below the champion's: it knows nothing in July
KNOWN_AFTER: Final = timedelta(days=3)  # a flight has landed by then, and its day is closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """One learner. outcomes: that it has learned. blind: requests before it knew any. stopped: by which guard, and why.

    word, why: what closed days propose. months: a row for each month and who answers; "all" last. drifts: of the
    champion; retraining: how often it would have been asked for. cpu_s: of this process.
    """

    name: str
    service: str
    model: str
    outcomes: int
    blind: int
    stopped: str
    word: str
    why: Sequence[str]
    days: int
    months: Sequence[Mapping[str, Any]]
    drifts: int
    retraining: int
    cpu_s: float

    @property
    def figures(self) -> dict[str, Mapping[str, Any]]:
        """Of all months, by who answers."""
        return {row["who"]: row for row in self.months if row["month"] == ALL}

    @property
    def auc_behind(self) -> float | None:
        """By how much its AUC is below the champion's; None where there is none."""
        found = self.figures
        if not {"learner", "champion"} <= found.keys() or "auc" not in found["learner"]:
            return None
        return float(found["champion"]["auc"] - found["learner"]["auc"])


def replayed(
    settings: Settings, services: Collection[str], flights: Flights, first: int, rows: int, progress: Progress
) -> list[Learned]:
    """Each learner of the demo whose service was asked, over the requests [first, first + rows).

    Raises Unavailable, Refused.
    """
    begin, newest = (flights.requests["event_time"][row].as_py() for row in (first, first + rows - 1))
    client = clickhouse.connect(settings.recording)
    named = [path.stem for path in sorted(settings.paths.learners_dir.glob("*.yaml"))]
    chosen = [one for one in (files.named(settings, name) for name in named) if one.service in services]
    found = []
    for number, learner in enumerate(chosen):
        progress(number, len(chosen), "learners replayed")
        began = time.process_time()
        done = learner_replay.replay(client, learner, begin=begin, end=newest + KNOWN_AFTER, known="occurred")
        found.append(
            Learned(
                name=learner.name,
                service=learner.service,
                model=str(learner),
                outcomes=done.outcomes,
                blind=done.blind,
                stopped=f"{done.stop.guard}: {done.stop.what}" if done.stop else "",
                word=done.comparison.word.value,
                why=done.comparison.why,
                days=done.comparison.days,
                months=done.rows,
                drifts=len(done.alarms.drifts),
                retraining=len(done.retraining),
                cpu_s=time.process_time() - began,
            )
        )
    progress(len(chosen), len(chosen), "learners replayed")
    return found
