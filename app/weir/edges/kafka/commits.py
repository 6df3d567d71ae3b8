"""Commits of what is acknowledged, by the thread that polls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException

from weir.core.chunk import Partition
from weir.edges.kafka.errors import FENCED, error_of, is_retriable, weir_error
from weir.edges.kafka.librdkafka.consumer import Answers, Consumer
from weir.setting_groups import KafkaSettings

Offsets = Mapping[Partition, int]


class Commits:
    """One request on its way at a time. on_committed: told of offsets that the group now has, in any order.

    A commit too late for its generation is no error: another worker repeats it. Others are tried again for
    settings.sink_budget_s. Every method raises Unavailable (made by `weir_error`) when that is over, or at once
    when trying is no use.
    """

    def __init__(self, consumer: Consumer, settings: KafkaSettings, on_committed: Callable[[Offsets], None]) -> None:
        self._consumer, self._settings, self._on_committed = consumer, settings, on_committed
        self._under_way = False
        self._fails_since: float | None = None

    def soon(self, due: Offsets) -> None:
        """Commit without waiting; the consumer hands the answer to `answered`.

        A broker that has gone silent may leave the answer open for a minute; the loss of the session is heard of by
        polling alone.
        """
        if not due or self._under_way:
            return
        self._under_way = True
        try:
            self._consumer.commit_soon(due)
        except KafkaException as error:
            self.answered({source: (offset, error_of(error)) for source, offset in due.items()})

    def now(self, due: Offsets, *, last: bool = False) -> None:
        """Commit and wait, before partitions are let go.

        last: no further commit follows, so that one which fails is reported at once, not when the budget has run out.
        """
        if not due:
            return
        try:
            answers = self._consumer.commit(due)
        except KafkaException as error:
            answers = {source: (offset, error_of(error)) for source, offset in due.items()}
        self.answered(answers, last=last)

    def answered(self, answers: Answers, *, last: bool = False) -> None:
        """What became of a commit."""
        self._under_way = False
        self._on_committed({source: offset for source, (offset, refused) in answers.items() if refused is None})
        errors = [error for _, error in answers.values() if error is not None and error.code() not in FENCED]
        if not errors:
            self._fails_since = None
            return
        self._fails_since = self._fails_since or time.monotonic()
        tried_s = time.monotonic() - self._fails_since
        if last or not is_retriable(errors[0]) or tried_s > self._settings.sink_budget_s:
            raise weir_error(errors[0], self._settings.brokers)

    def reset(self) -> None:
        """Partitions came or went: whatever was on its way is of another generation."""
        self._under_way, self._fails_since = False, None
