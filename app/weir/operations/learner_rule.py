"""The rule that takes what learners propose whose files say `promotion: automatic`, in the place of a person.

The learner worker that is active is the one who runs it. What it does is written to the topic of actions first, under
an id that the proposal makes: of several with that id the first in the log counts, and whoever comes after a worker
that was killed finishes it. So a proposal takes effect once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from weir.agents.learner.books import READ_S, Book
from weir.core.chunk import Partition
from weir.core.errors import Refused, WeirError
from weir.edges.bundles import folder
from weir.edges.kafka.log_reader import LogReader
from weir.learn.learner import Learner, Promotion
from weir.learn.proposals import BACK
from weir.monitor.action import Action
from weir.operations import learner_promotion as promotion
from weir.operations import serving
from weir.operations.learner_promotion import Evidence, Taken, Taker
from weir.settings import Settings

RULE: Final = "rule of learners/"
REST_MS: Final = 7 * 86_400_000  # between two changes by rules of one service; evidence of 20 days takes longer anyway
AGAIN_S: Final = 10.0  # between two looks, where something stands that cannot be taken yet

log = structlog.get_logger(__name__)
Proposals = Sequence[tuple[Learner, Action | None]]


class Rule:
    """One thread at a time. monotonic_s: for pauses."""

    def __init__(self, settings: Settings, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        # What the environment names was named when `weir up` began; what answers now is what was chosen since.
        self._settings, self._monotonic_s = settings.having(bundle="", service=""), monotonic_s
        self._book: Book | None = None
        self._again_s = 0.0
        self._done: set[str] = set()  # proposals
        self._finished: set[str] = set()  # services of which nothing is left unfinished
        self._said: set[str] = set()

    def forget(self) -> None:
        """Another may take proposals from here on: what is done is read again."""
        self._done.clear()
        self._finished.clear()
        self._again_s = 0.0

    def __call__(self, found: Proposals, now_ms: int) -> list[Action]:
        """Take what stands, and finish what was begun: what was done. What cannot be done is said once, and not raised.

        found: of all learners the proposal that stands, if one does. now_ms: the wall's clock.
        """
        mine = [each for each in found if each[0].promotion is Promotion.AUTOMATIC]
        begun = {one.service for one, _ in mine} - self._finished
        todo = [(one, each) for one, each in mine if each is not None and each.action_id not in self._done]
        if not (begun or todo) or self._monotonic_s() < self._again_s:
            return []
        self._again_s = self._monotonic_s() + AGAIN_S
        done: list[Action] = []
        for service in sorted(begun):
            with self._said_of(service):
                self._finish(service)
                self._finished.add(service)
        for learner, proposal in todo:
            with self._said_of(learner.name):
                done += self._take(learner, proposal, now_ms)
                self._done.add(proposal.action_id)
        return done

    @contextmanager
    def _said_of(self, of: str) -> Iterator[None]:
        """What keeps the rule from acting is said, once, and tried again."""
        try:
            yield
        except (WeirError, OSError) as error:
            if (what := f"{of}: {error}") not in self._said:
                log.warning("the rule of a learner waits", of=of, reason=str(error))
            self._said.add(what)

    def _take(self, learner: Learner, proposal: Action, now_ms: int) -> list[Action]:
        """Take a proposal, unless somebody has. Raises Unavailable; Refused where it must not be taken now."""
        by = Taker(f"{RULE}{learner.name}.yaml", proposal.begin_ms, proposal.end_ms, now_ms)
        kind = promotion.TAKEN_BACK if proposal.kind == BACK else promotion.TAKEN
        before = self._taken(learner.service)
        if any((one.kind, one.proposed_by, one.begin_ms, one.end_ms) == (kind, by.name, *_time(by)) for one in before):
            self._finish(learner.service)
            return []
        self._rested(before, now_ms)
        deed = self._back(learner, proposal, by) if proposal.kind == BACK else self._promote(learner, proposal, by)
        promotion.say(self._settings, deed)
        self._finish(learner.service)
        return [deed]

    def _rested(self, before: Sequence[Action], now_ms: int) -> None:
        by_rule = [one.at_ms for one in before if one.proposed_by.startswith(RULE)]
        if by_rule and now_ms - by_rule[-1] < REST_MS:
            at = datetime.fromtimestamp((by_rule[-1] + REST_MS) / 1000, UTC)
            raise Refused("a rule has changed who answers a few days ago", remedy=f"it may again at {at:%F %R} UTC")

    def _promote(self, learner: Learner, proposal: Action, by: Taker) -> Action:
        todo = promotion.possible(self._settings, learner.name)
        _same(proposal, answers=todo.champion.bundle.short_digest, champion=todo.champion.bundle.short_digest)
        todo = promotion.Plan(todo.name, todo.service, todo.row, todo.champion, _evidence(proposal))
        done = promotion.built(self._settings, todo)
        promotion.begin_shadow(self._settings, done)
        return promotion.promoted(todo, done, by)

    def _back(self, learner: Learner, proposal: Action, by: Taker) -> Action:
        done = promotion.way_back(self._settings, learner.name)
        _same(proposal, answers=done.shadow.short_digest, champion=done.answers.short_digest)
        promotion.begin_shadow(self._settings, done)
        return promotion.taken_back(learner.name, done, by, _evidence(proposal))

    # ---- what is written, and whether it has taken effect

    def _finish(self, service: str) -> None:
        """Let the last change take effect, if a rule made it, and nobody has chosen another bundle since."""
        before = self._taken(service)
        if not before or not before[-1].proposed_by.startswith(RULE):
            return
        deed = before[-1]
        if promotion.settled(self._settings).get(service) == deed.action_id:
            return
        now = serving.answering(self._settings, service)
        answers, shadow = deed.parameters["answers"], deed.parameters["shadow"]
        if now.bundle.short_digest not in (answers, shadow):
            log.warning("another bundle was chosen meanwhile", service=service, serving=now.bundle.short_digest)
            promotion.mark_settled(self._settings, deed)
            return
        at = self._found(answers, now.path), self._found(shadow, now.path)
        done = Taken(service, folder.read(at[0]).bundle, at[0], folder.read(at[1]).bundle, at[1])
        promotion.settle(self._settings, done, deed)
        log.warning("a rule changed who answers", service=service, kind=deed.kind, reason=deed.sentence)

    def _found(self, digest: str, known: Path) -> Path:
        return known if known.name.startswith(digest) else folder.find(digest, self._settings)

    def _taken(self, service: str) -> list[Action]:
        """Changes of who answers, in the order of the log; of one that was written twice the first."""
        topic = self._settings.kafka.names.actions
        self._book = self._book or Book(self._settings, topic)
        values = LogReader(self._settings.kafka, Partition(topic, 0)).read(READ_S)
        rows = [row for _, row in self._book.decoded(values) if row["service"] == service]
        found: dict[str, Action] = {}
        for row in rows:
            if row["kind"] in (promotion.TAKEN, promotion.TAKEN_BACK):
                found.setdefault(row["action_id"], Action.of(row))
        return list(found.values())


def _time(of: Taker) -> tuple[int, int]:
    return of.begin_ms, of.end_ms


def _same(proposal: Action, *, answers: str, champion: str) -> None:
    """Raises Refused where the proposal compared other bundles than those that it would change."""
    compared = proposal.evidence.get("answers"), proposal.evidence.get("champion")
    if compared != (answers, champion):
        what = f"it was compared with {compared[1] or 'a bundle that the log does not name'}, and {answers} answers now"
        raise Refused(what, remedy="days on which that one answers are evidence: they are counted from here on")


def _evidence(proposal: Action) -> Evidence:
    at = datetime.fromtimestamp(proposal.at_ms / 1000, UTC)
    return Evidence(proposal.action_id, at, proposal.sentence, proposal.evidence)
