"""What an outcome's label may be: the classes that a service's bundles have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from weir.core.errors import WeirError
from weir.core.signature import Task
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import reports
from weir.operations import bundles
from weir.settings import Settings

NAMED: Final = 20  # classes that a message names


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one service. words: all that are known; none of a regression."""

    task: Task
    words: tuple[str, ...]

    def faults(self, outcomes: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
        """Why a label is none of the service's, by the number of the outcome. One that is withdrawn says nothing."""
        said = {number: one["label"] for number, one in outcomes.items() if not one["withdrawn"]}
        return {
            number: self._fault(label)
            for number, label in said.items()
            if label is not None and label not in self.words
        }

    def _fault(self, label: str) -> str:
        if self.task is Task.REGRESSION:
            return "label says a class, but the service predicts numbers: say them as `observed`"
        more = f" and {len(self.words) - NAMED:,} more" if len(self.words) > NAMED else ""
        return f"label {label!r} is no class of the service: there are {', '.join(self.words[:NAMED])}{more}"


def known(settings: Settings, service: str) -> Labels | None:
    """By all bundles of the service that are recorded, or else by those of this project; None where there are none."""
    return _recorded(settings, service) or _here(settings, service)


def _recorded(settings: Settings, service: str) -> Labels | None:
    try:
        with clickhouse.connect(settings.recording) as client:
            found = reports.told(client, service)
    except WeirError:
        return None
    return Labels(found.task, tuple(found.words)) if found else None


def _here(settings: Settings, service: str) -> Labels | None:
    try:
        found = [
            one.bundle.signature for one in bundles.listed(settings) if one.bundle and one.bundle.service == service
        ]
    except WeirError:
        return None
    if not found:
        return None
    alike = [one.labels for one in found if one.task is found[0].task]
    return Labels(found[0].task, tuple(reports.words_of(found[0].task, alike)))
