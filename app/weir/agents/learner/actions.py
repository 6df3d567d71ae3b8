"""What learners call for, on the topic of actions: each is written once, however often a worker is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import structlog

from weir.agents.learner.books import READ_S, Book
from weir.core.chunk import Partition
from weir.edges.kafka.log_reader import LogReader
from weir.edges.kafka.producer import Producer
from weir.learn.learner import Learner
from weir.learn.proposals import BACK, PROMOTE
from weir.monitor.action import Action
from weir.settings import Settings

BY: Final = "learners/"

log = structlog.get_logger(__name__)


class Rule(Protocol):
    """Takes proposals of learners whose files say so."""

    def __call__(self, found: Sequence[tuple[Learner, Action | None]], now_ms: int) -> list[Action]:
        """Take what stands, of every learner; what was done, which is written already."""

    def forget(self) -> None:
        """Another may take them from here on."""


class Actions:
    """Those that are written, and new ones. One thread at a time. Raises Unavailable, Refused.

    tell: hears of each that is new. What learners of one service find of its champion is one, whoever finds it first.
    rule: takes what may be taken without a person.
    """

    def __init__(self, settings: Settings, tell: Callable[[Sequence[Action]], None], rule: Rule | None = None) -> None:
        self._settings, self._tell, self._rule = settings, tell, rule
        self._topic = settings.kafka.names.actions
        self._book: Book | None = None
        self._producer: Producer | None = None
        self._written: set[tuple[Any, ...]] | None = None

    def forget(self) -> None:
        """Another may write from here on: what is written is read again before the next."""
        self._written = None
        if self._rule is not None:
            self._rule.forget()

    def take(self, found: Sequence[tuple[Learner, Action | None]], now_ms: int) -> None:
        """Let the rule take proposals that stand, and tell of what it did."""
        if self._rule is not None and (done := self._rule(found, now_ms)):
            self._tell(done)

    def write(self, found: Sequence[Action]) -> None:
        """Write those that nobody has written, durably, and tell of them."""
        if not found:
            return
        self._book = self._book or Book(self._settings, self._topic)
        if self._written is None:
            values = LogReader(self._settings.kafka, Partition(self._topic, 0)).read(READ_S)
            self._written = {_named(Action.of(row)) for _, row in self._book.decoded(values)}
        first = {_named(one): one for one in reversed(found)}
        new = [one for named, one in reversed(first.items()) if named not in self._written]
        if not new:
            return
        self._producer = self._producer or Producer(self._settings.kafka, "weir-learner")
        self._producer.write(self._topic, 0, [self._book.encoder.record(one.row()) for one in new])
        self._producer.flush()
        self._written.update(map(_named, new))
        for one in new:
            log.warning("a learner calls for an action", kind=one.kind, service=one.service, reason=one.sentence)
        self._tell(new)


def _named(one: Action) -> tuple[Any, ...]:
    """What makes it another one."""
    by = one.proposed_by if one.kind in (PROMOTE, BACK) or not one.proposed_by.startswith(BY) else BY
    return one.kind, one.service, one.subject, by, one.begin_ms, one.end_ms
