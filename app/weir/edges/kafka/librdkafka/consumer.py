"""A consumer of a group, whose records come as arrays."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Mapping
from ctypes import c_int64
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException

from weir.core.chunk import Partition
from weir.edges.kafka.librdkafka.client import CONSUMER, Client
from weir.edges.kafka.librdkafka.each import each
from weir.edges.kafka.librdkafka.followed import TELLING, Followed
from weir.edges.kafka.librdkafka.library import MESSAGE, ON_COMMIT, ON_REBALANCE, library
from weir.edges.kafka.librdkafka.memory import Addresses, gather
from weir.edges.kafka.librdkafka.partitions import Partitions, Positions, notes, read

Answers = dict[Partition, tuple[int, KafkaError | None]]  # the offset of a commit, and what is wrong with it
_ASSIGN: Final = -175  # RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS


@dataclass(frozen=True, slots=True)
class Records:
    """n records of one partition, in the order of the log.

    values, keys: large_binary[n], null for none. offsets: int64[n]. oldest_ms, newest_ms: broker time of the first
    and the last record, milliseconds since the epoch.
    """

    source: Partition
    values: pa.LargeBinaryArray
    keys: pa.LargeBinaryArray
    offsets: npt.NDArray[np.int64]
    oldest_ms: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll gave.

    came_s: when its first record was there, monotonic seconds. errors: in records' stead. positions: the offset after
    the last one that was handed over or passed over (transaction markers, aborted records), by partition; without
    those of which nothing has come yet. ids: topic -> id of the log that it was read from, in base64, where known.
    """

    came_s: float
    records: list[Records]
    errors: list[KafkaError]
    positions: Mapping[Partition, int]
    ids: Mapping[str, str]


class Consumer(Client):
    """A consumer of a group. One thread at a time; callbacks come from `poll`, `commit` and `close`.

    logs: topic -> log, see weir.edges.kafka.logs; noted with every commit.
    What a rebalance callback raises is raised by the call that served it. Every method raises KafkaException.
    """

    def __init__(self, config: Mapping[str, object], on_error: Callable[[KafkaError], None]) -> None:
        self.logs: Mapping[str, str] = {}
        self._rebalance: Callable[[int, set[Partition]], None] | None = None
        self._on_commit: Callable[[Answers], None] | None = None
        self._raised: BaseException | None = None
        super().__init__(CONSUMER, {**config, **TELLING}, on_error)
        self._followed = Followed(self._handle)
        self._check(self._lib.rd_kafka_poll_set_consumer(self._handle))
        self._queue = self._lib.rd_kafka_queue_get_consumer(self._handle)
        self._pointers = np.empty(0, np.uint64)
        self._positions = Positions(())

    def _configure(self, conf: int) -> None:
        self._callbacks.append(ON_REBALANCE(self._on_rebalance))
        self._lib.rd_kafka_conf_set_rebalance_cb(conf, self._callbacks[-1])
        self._callbacks.append(ON_COMMIT(self._on_committed))
        self._lib.rd_kafka_conf_set_offset_commit_cb(conf, self._callbacks[-1])

    def subscribe(
        self,
        topics: Iterable[str],
        *,
        on_assign: Callable[[set[Partition]], None],
        on_revoke: Callable[[set[Partition]], None],
        on_lost: Callable[[set[Partition]], None],
        on_commit: Callable[[Answers], None],
    ) -> None:
        """Join the group. on_assign must `assign`, on_revoke and on_lost `unassign`.

        on_lost: the group has gone on without us. on_commit: what became of a `commit_soon`.
        """

        def rebalance(code: int, sources: set[Partition]) -> None:
            if code == _ASSIGN:
                on_assign(sources)
            elif self._lib.rd_kafka_assignment_lost(self._handle):
                on_lost(sources)
            else:
                on_revoke(sources)

        self._rebalance, self._on_commit = rebalance, on_commit
        with Partitions(dict.fromkeys((Partition(topic, -1) for topic in topics), 0)) as wanted:
            self._check(self._lib.rd_kafka_subscribe(self._handle, wanted))

    def poll(self, limit: int, timeout_s: float, enough: int = 1, wait_s: float = 0.0) -> Polled:
        """Whatever has been fetched, at most `limit` records.

        Waits for the first record, timeout_s at most; then, wait_s at most, until there are `enough`.
        """
        if len(self._pointers) < limit:
            self._pointers = np.empty(limit, np.uint64)
        first = self._lib.rd_kafka_consumer_poll(self._handle, int(timeout_s * 1000))
        self._reraise()
        came_s = time.monotonic()
        if first is None:
            return self._polled(came_s, [], [])
        self._pointers[0] = first
        count = 1
        for most, for_s in ((min(enough, limit), wait_s), (limit, 0.0)):
            if count < most:
                room = self._pointers[count:].ctypes.data
                count += self._lib.rd_kafka_consume_batch_queue(self._queue, int(for_s * 1000), room, most - count)
        pointers = self._pointers[:count].copy()
        try:
            self._reraise()
            return self._polled(came_s, *self._records(pointers))
        finally:
            _destroy()(pointers)

    def _polled(self, came_s: float, records: list[Records], errors: list[KafkaError]) -> Polled:
        self._followed.update()  # after the records
        return Polled(came_s, records, errors, self._positions.ask(self._handle), self._followed.ids)

    def _records(self, pointers: Addresses) -> tuple[list[Records], list[KafkaError]]:
        structures = gather(pointers, np.full(len(pointers), MESSAGE.itemsize, np.uint64))
        messages = np.frombuffer(structures.buffers()[2], MESSAGE, len(pointers))
        errors = []
        if messages["err"].any():
            errors = [self._message_error(pointers[i], messages["err"][i]) for i in np.flatnonzero(messages["err"])]
            pointers, messages = pointers[messages["err"] == 0], messages[messages["err"] == 0]
        if not len(messages):
            return [], errors
        heads = _heads(messages)
        places = zip(messages["topic"][heads].tolist(), messages["partition"][heads].tolist(), strict=True)
        if len(set(places)) < len(heads):  # a partition stands in several places
            order = np.lexsort((messages["partition"], messages["topic"]))
            pointers, messages = pointers[order], messages[order]
            heads = _heads(messages)
        values = gather(messages["value"], messages["value_len"])
        keys = gather(messages["key"], messages["key_len"])
        return [
            Records(
                self._source(messages[head]),
                values[head:end],
                keys[head:end],
                messages["offset"][head:end].copy(),
                self._time(pointers[head]),
                self._time(pointers[end - 1]),
            )
            for head, end in pairwise([*heads.tolist(), len(messages)])
        ], errors

    def _source(self, message: Any) -> Partition:
        return Partition(self._lib.rd_kafka_topic_name(int(message["topic"])).decode(), int(message["partition"]))

    def _time(self, pointer: np.uint64) -> int:
        return int(self._lib.rd_kafka_message_timestamp(int(pointer), None))

    def _message_error(self, pointer: np.uint64, code: np.int32) -> KafkaError:
        return self._error(int(code), self._lib.rd_kafka_message_errstr(int(pointer)))

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        """Fetch these partitions from these offsets."""
        self._watch(offsets)
        with Partitions(offsets) as wanted:
            self._check(self._lib.rd_kafka_assign(self._handle, wanted))

    def unassign(self) -> None:
        """Fetch nothing."""
        self._watch(())
        self._check(self._lib.rd_kafka_assign(self._handle, None))

    def _watch(self, sources: Iterable[Partition]) -> None:
        self._positions.close()
        self._positions = Positions(sources)

    def committed(self, sources: Iterable[Partition], timeout_s: float) -> dict[Partition, int | None]:
        """Committed offset by partition; None without one, and where it is of another log than the topic is now.

        A broker forgets a topic's offsets with the topic, but not one that is committed just then, under the same name.
        """
        with Partitions(dict.fromkeys(sources, 0)) as asked:
            self._check(self._lib.rd_kafka_committed(self._handle, asked, int(timeout_s * 1000)))
            answers, noted = read(asked), notes(asked)
        for _, _, code in answers:
            self._check(code)
        return {
            source: offset if offset >= 0 and self._is_of_this_log(source, noted) else None
            for source, offset, _ in answers
        }

    def _is_of_this_log(self, source: Partition, noted: Mapping[Partition, str]) -> bool:
        """Not every broker keeps notes, and other tools make none: such an offset is taken as it is."""
        return noted.get(source, "") in ("", self.logs.get(source.topic, ""))

    def commit(self, offsets: Mapping[Partition, int]) -> Answers:
        """Commit and wait for the answer; meanwhile no callback is served."""
        with Partitions(offsets, self.logs) as wanted:
            self._check(self._lib.rd_kafka_commit(self._handle, wanted, 0))
            answers = self._answers(wanted)
        self._reraise()
        return answers

    def commit_soon(self, offsets: Mapping[Partition, int]) -> None:
        """Commit without waiting; a later call hands the answer to on_commit, and raises what that raises."""
        with Partitions(offsets, self.logs) as wanted:
            self._check(self._lib.rd_kafka_commit(self._handle, wanted, 1))

    def bounds(self, source: Partition, timeout_s: float) -> tuple[int, int]:
        """First offset and end of a partition's log, as the broker says."""
        low, high = c_int64(), c_int64()
        topic, milliseconds = source.topic.encode(), int(timeout_s * 1000)
        self._check(
            self._lib.rd_kafka_query_watermark_offsets(
                self._handle, topic, source.partition, ctypes.byref(low), ctypes.byref(high), milliseconds
            )
        )
        return low.value, high.value

    def end(self, source: Partition) -> int | None:
        """End of a partition's log as of the last fetch; None before the first."""
        low, high = c_int64(), c_int64()
        code = self._lib.rd_kafka_get_watermark_offsets(
            self._handle, source.topic.encode(), source.partition, ctypes.byref(low), ctypes.byref(high)
        )
        return high.value if not code and high.value >= 0 else None

    def pause(self, sources: Iterable[Partition]) -> None:
        """Stop fetching; what was prefetched is thrown away."""
        with Partitions(dict.fromkeys(sources, 0)) as wanted:
            self._check(self._lib.rd_kafka_pause_partitions(self._handle, wanted))

    def resume(self, sources: Iterable[Partition]) -> None:
        """Fetch again."""
        with Partitions(dict.fromkeys(sources, 0)) as wanted:
            self._check(self._lib.rd_kafka_resume_partitions(self._handle, wanted))

    def close(self) -> None:
        """Leave the group; partitions that are still assigned are revoked on the way."""
        if self._handle is None:
            return
        code = self._lib.rd_kafka_consumer_close(self._handle)
        self._watch(())
        error = self._error(code) if code else None  # asks the handle
        self._lib.rd_kafka_queue_destroy(self._queue)
        self._followed.close()
        self._lib.rd_kafka_destroy(self._handle)
        self._handle = None
        self._reraise()
        if error is not None:
            raise KafkaException(error)

    def _answers(self, partitions: Any, code: int = 0) -> Answers:
        """Those of a list; code: what befell the whole request."""
        return {
            source: (offset, self._error(own or code) if own or code else None)
            for source, offset, own in read(partitions)
        }

    def _on_committed(self, _handle: int, code: int, partitions: Any, _opaque: int) -> None:
        """An answer that comes when the topic is another log tells nothing of that one: its offsets are left out."""
        try:
            if self._on_commit is not None and partitions:
                answers, noted = self._answers(partitions, code), notes(partitions)
                mine = {source: told for source, told in answers.items() if self._is_of_this_log(source, noted)}
                self._on_commit(mine)
        except BaseException as error:  # nothing can be raised through C: the call that served this raises it
            self._raised = self._raised or error

    def _on_rebalance(self, _handle: int, code: int, partitions: Any, _opaque: int) -> None:
        try:
            if self._rebalance is not None:
                self._rebalance(code, {source for source, _, _ in read(partitions)})
        except BaseException as error:  # nothing can be raised through C: the call that served this raises it
            self._raised = self._raised or error
            self._lib.rd_kafka_assign(self._handle, None)

    def _reraise(self) -> None:
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised


@cache
def _destroy() -> Callable[[Addresses], None]:
    return each(library()._name, "rd_kafka_message_destroy")


def _heads(messages: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Indices of messages of another partition than the one before."""
    other = np.ones(len(messages), np.bool_)
    other[1:] = messages["topic"][1:] != messages["topic"][:-1]
    other[1:] |= messages["partition"][1:] != messages["partition"][:-1]
    return np.flatnonzero(other)
