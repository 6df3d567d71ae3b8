"""Learners as pages show them: the files of the project, what those that live say of themselves, what they call for."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from weir.core.errors import Refused, WeirError
from weir.core.numbers import UNKNOWN, whole
from weir.monitor.verdict import State as Health
from weir.web.console.asking import Asker

if TYPE_CHECKING:
    from weir.learn.learner import Learner
    from weir.operations.learner_states import State

SAME_S: Final = 2.0  # for which the panels of a page share what was read from Kafka
AWAY_S: Final = 15.0  # for which a broker that did not answer is not asked again
BY: Final = "learners/"  # who proposes
CALLS: Final = 500  # that pages look at
KINDS: Final = {
    "drift": "alarm",
    "incident": "look",
    "incident-over": "ok",
    "retrain": "look",
    "promote": "ok",
    "promote-back": "look",
}  # others are done
CALLED: Final = {
    "drift": "drift",
    "incident": "incident",
    "incident-over": "incident over",
    "retrain": "retraining",
    "promote": "promotion",
    "promote-back": "way back",
    "promoted": "promoted",
    "promoted-back": "taken back",
}
PROPOSALS: Final = ("promote", "promote-back")
TAKEN: Final = ("promoted", "promoted-back")  # by a person or a rule
WORDS: Final = {
    "log_loss": "log loss",
    "brier": "Brier",
    "auc": "AUC",
    "accuracy": "accuracy",
    "mae": "mean error",
    "rmse": "RMSE",
    "squared_error": "squared error",
    "absolute_error": "mean error",
}
WHO: Final = {"learner": "the learner", "champion": "the champion", "last": "the last class or value"}


@dataclass(frozen=True, slots=True)
class Learned:
    """All that is known. files: by name; refused: what is wrong with others, by name. states: of those that live.

    waiting: outcomes that no worker has read; None where nobody knows. away: why Kafka did not say. answering: by
    service the learner that answers, where one does, as WEIR_HOME knows.
    """

    files: Mapping[str, Learner]
    refused: Mapping[str, Sequence[Refused]]
    states: Mapping[str, State] = field(default_factory=dict)
    waiting: int | None = None
    away: WeirError | None = None
    answering: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Of all, sorted."""
        return sorted({*self.files, *self.refused, *self.states})

    def answers(self, name: str) -> bool:
        """Whether it answers for its service."""
        return name in self.answering.values()

    def decides(self, name: str) -> str:
        """Who promotes it and takes it back, in words; empty where there is no file."""
        file = self.files.get(name)
        return "" if file is None else "its rule decides" if file.promotion == "automatic" else "a person decides"

    def health(self, name: str) -> tuple[Health, str]:
        """How a learner stands, in a word or two."""
        state = self.states.get(name)
        if name in self.refused:
            return Health.LOOK, "its file is refused"
        if state is None:
            return Health.UNKNOWN, "not known" if self.away else "no state yet"
        if state.stop is not None:
            return Health.LOOK, f"stopped by {stopped_by(state.stop)}"
        return Health.OK, "learns" if name in self.files or not self.files else "its file is gone"


def exist(asker: Asker) -> bool:
    """Whether there are learners: files of the project, or calls of theirs that are recorded. Raises Unavailable."""
    return any(asker.settings.paths.learners_dir.glob("*.y*ml")) or bool(calls(asker))


def look(asker: Asker) -> Learned:
    """All of it. Where Kafka does not answer that is said, and the files are there. Raises Refused."""
    from weir.operations import serving
    from weir.operations.learner_states import declared

    found, said = declared(asker.settings)
    followed: _Followed = asker.once(("learners",), math.inf, lambda: _Followed(asker))
    return replace(followed.look(found, said), answering=serving.promoted(asker.settings))


class _Followed:
    """What is on Kafka, asked once for the panels of a page, and rarely while it does not answer."""

    def __init__(self, asker: Asker) -> None:
        from weir.operations.learner_states import States

        self._asker, self._states = asker, States(asker.settings)
        self._away: tuple[float, WeirError] | None = None

    def look(self, found: Mapping[str, Learner], refused: Mapping[str, Sequence[Refused]]) -> Learned:
        away = self._away
        if away is not None and time.monotonic() < away[0]:
            return Learned(found, refused, away=away[1])
        try:
            states, waiting = self._asker.once(("states",), SAME_S, lambda: self._ask(frozenset(found)))
        except WeirError as error:
            self._away = time.monotonic() + AWAY_S, error
            return Learned(found, refused, away=error)
        self._away = None
        return Learned(found, refused, states, waiting)

    def _ask(self, wanted: frozenset[str]) -> tuple[Mapping[str, State], int | None]:
        states = self._states.look(wanted)
        return states, self._states.waiting() if states else None


def calls(asker: Asker, service: str = "", learner: str = "") -> list[dict[str, Any]]:
    """What learners call for and what people took, the newest CALLS: drift, retraining of a champion, promotions.

    Raises Unavailable, Refused.
    """
    rows = asker.sql("learners/calls", service=service, limit=CALLS)
    return [row for row in rows if not learner or _about(row) in ("", learner)]


def _about(row: Mapping[str, Any]) -> str:
    """The learner that an action is about; empty where it is about the champion."""
    if row["kind"] in PROPOSALS:
        return str(row["proposed_by"].removeprefix(BY))
    return str(json.loads(row["parameters"])["learner"]) if row["kind"] in TAKEN else ""


def sentence(text: str) -> str:
    """What an action says, as a sentence begins."""
    return f"{text[:1].upper()}{text[1:]}" if text else ""


def stopped_by(stop: Mapping[str, Any]) -> str:
    """Who has stopped it."""
    guard = str(stop["guard"])
    return str(stop["evidence"].get("by", "a person")) if guard == "operator" else f"guard {guard.replace('_', ' ')}"


def word(name: str) -> str:
    """What a figure is called."""
    return WORDS.get(name, name.replace("_", " "))


def who(name: str) -> str:
    """Who answers, as a sentence calls him."""
    return WHO.get(name, f"“{name}”")


def number(value: float | None) -> str:
    """A figure of an answer, four digits behind the point."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.4f}"


def day(at_ms: int | None) -> datetime | None:
    """A time."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)


def outcomes(count: int) -> str:
    """So many of them.

    >>> outcomes(1), outcomes(12)
    ('1 outcome', '12 outcomes')
    """
    return f"{whole(count)} outcome{'' if count == 1 else 's'}"
