"""librdkafka's C interface, called by the batch: what confluent-kafka offers for one message object a record.

Two calls carry the records, `rd_kafka_consume_batch_queue` and `rd_kafka_produce_batch`. Their messages are structures
at addresses that librdkafka gives; numpy and Arrow read and write these without a Python object a record. The library
is the one inside confluent-kafka's wheel, which stays the client of everything that is not a stream of records.

Source: rdkafka.h of librdkafka 2, whose functions and structures are its stable public interface.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException

from app.core.chunk import Partition
from app.core.errors import Unavailable

Addresses = npt.NDArray[np.uint64]

# struct rd_kafka_message_s
MESSAGE: Final = np.dtype({
    "names": ["err", "topic", "partition", "value", "value_len", "key", "key_len", "offset"],
    "formats": ["i4", "u8", "i4", "u8", "u8", "u8", "u8", "i8"],
    "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
    "itemsize": 72,
})  # fmt: skip

_TOPIC_AT: Final = 8            # of a message: where its topic's address is
_PRODUCER, _CONSUMER = 0, 1     # rd_kafka_type_t
_ASSIGN: Final = -175           # RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
_FATAL: Final = -150            # RD_KAFKA_RESP_ERR__FATAL
_QUEUED, _IN_FLIGHT = 1, 2      # RD_KAFKA_PURGE_F_QUEUE, RD_KAFKA_PURGE_F_INFLIGHT
POLL_MS: Final = 1              # rd_kafka_flush looks every 10 ms whether all is delivered: most of a small batch
_TEXT: Final = 512              # bytes for an error's text


class _TopicPartition(ctypes.Structure):
    """rd_kafka_topic_partition_t."""

    _fields_ = (
        ("topic", c_char_p), ("partition", c_int32), ("offset", c_int64), ("metadata", c_void_p),
        ("metadata_size", c_size_t), ("opaque", c_void_p), ("err", c_int), ("_private", c_void_p),
    )  # fmt: skip


class _TopicPartitionList(ctypes.Structure):
    """rd_kafka_topic_partition_list_t."""

    _fields_ = (("cnt", c_int), ("size", c_int), ("elems", POINTER(_TopicPartition)))


_List = POINTER(_TopicPartitionList)
_ON_REBALANCE = ctypes.CFUNCTYPE(None, c_void_p, c_int, _List, c_void_p)
_ON_ERROR = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)
_ON_DELIVERY = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_void_p)

# name -> what it returns, then what it takes
_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "rd_kafka_conf_new": (c_void_p,),
    "rd_kafka_conf_set": (c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t),
    "rd_kafka_conf_set_error_cb": (None, c_void_p, _ON_ERROR),
    "rd_kafka_conf_set_rebalance_cb": (None, c_void_p, _ON_REBALANCE),
    "rd_kafka_conf_set_dr_msg_cb": (None, c_void_p, _ON_DELIVERY),
    "rd_kafka_new": (c_void_p, c_int, c_void_p, c_char_p, c_size_t),
    "rd_kafka_destroy": (None, c_void_p),
    "rd_kafka_err2str": (c_char_p, c_int),
    "rd_kafka_fatal_error": (c_int, c_void_p, c_char_p, c_size_t),
    "rd_kafka_topic_name": (c_char_p, c_void_p),
    "rd_kafka_message_errstr": (c_char_p, c_void_p),
    "rd_kafka_message_timestamp": (c_int64, c_void_p, c_void_p),
    # consumer
    "rd_kafka_poll_set_consumer": (c_int, c_void_p),
    "rd_kafka_queue_get_consumer": (c_void_p, c_void_p),
    "rd_kafka_queue_destroy": (None, c_void_p),
    "rd_kafka_subscribe": (c_int, c_void_p, _List),
    "rd_kafka_consumer_poll": (c_void_p, c_void_p, c_int),
    "rd_kafka_consume_batch_queue": (c_size_t, c_void_p, c_int, c_void_p, c_size_t),
    "rd_kafka_consumer_close": (c_int, c_void_p),
    "rd_kafka_assign": (c_int, c_void_p, _List),
    "rd_kafka_assignment_lost": (c_int, c_void_p),
    "rd_kafka_committed": (c_int, c_void_p, _List, c_int),
    "rd_kafka_commit": (c_int, c_void_p, _List, c_int),
    "rd_kafka_query_watermark_offsets": (c_int, c_void_p, c_char_p, c_int32, c_void_p, c_void_p, c_int),
    "rd_kafka_get_watermark_offsets": (c_int, c_void_p, c_char_p, c_int32, c_void_p, c_void_p),
    "rd_kafka_pause_partitions": (c_int, c_void_p, _List),
    "rd_kafka_resume_partitions": (c_int, c_void_p, _List),
    "rd_kafka_topic_partition_list_new": (_List, c_int),
    "rd_kafka_topic_partition_list_add": (POINTER(_TopicPartition), _List, c_char_p, c_int32),
    "rd_kafka_topic_partition_list_destroy": (None, _List),
    # producer
    "rd_kafka_topic_new": (c_void_p, c_void_p, c_char_p, c_void_p),
    "rd_kafka_topic_destroy": (None, c_void_p),
    "rd_kafka_produce_batch": (c_int, c_void_p, c_int32, c_int, c_void_p, c_int),
    "rd_kafka_poll": (c_int, c_void_p, c_int),
    "rd_kafka_outq_len": (c_int, c_void_p),
    "rd_kafka_purge": (c_int, c_void_p, c_int),
}


@cache
def _library() -> ctypes.CDLL:
    """The library that confluent-kafka has loaded. Raises Unavailable."""
    files = metadata.files("confluent-kafka") or []
    inside = [str(file.locate()) for file in files if file.name.startswith("librdkafka") and ".so" in file.name]
    inside += [str(file.locate()) for file in files if file.name.startswith("librdkafka") and "dylib" in file.name]
    path = inside[0] if inside else ctypes.util.find_library("rdkafka")
    if path is None:
        raise Unavailable(
            "librdkafka is not beside confluent-kafka", where=str(metadata.distribution("confluent-kafka").version),
            remedy="install confluent-kafka as a wheel, or librdkafka where the loader finds it",
        )  # fmt: skip
    library = ctypes.CDLL(path)
    for name, (returns, *takes) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = returns, takes
    return library


@cache
def _destroy() -> Callable[[int], None]:
    """rd_kafka_message_destroy, keeping the interpreter's lock: letting go of it costs more than the call."""
    function = ctypes.PyDLL(_library()._name).rd_kafka_message_destroy
    function.restype, function.argtypes = None, [c_void_p]
    return function


def gather(addresses: Addresses, sizes: npt.NDArray[np.uint64]) -> pa.LargeBinaryArray:
    """n pieces of this process's memory, copied into one array; null where the address is 0.

    addresses, sizes: uint64[n], pieces that do not overlap. One copy in C: memory from the lowest to the highest piece
    is described as 2n strings, a piece and the gap after it in turns, of which the pieces are taken.
    """
    n = len(addresses)
    null = addresses == 0
    if null.all():
        return pa.nulls(n, pa.large_binary())
    base = int(addresses[~null].min())
    at = np.where(null, np.uint64(base), addresses)
    order = None if (at[1:] >= at[:-1]).all() else np.lexsort((sizes, at))
    begin = ((at if order is None else at[order]) - np.uint64(base)).astype(np.int64)
    offsets = np.empty(2 * n + 1, np.int64)
    offsets[0:-1:2] = begin
    offsets[1::2] = begin + (sizes if order is None else sizes[order]).astype(np.int64)
    offsets[-1] = offsets[-2]
    memory = pa.foreign_buffer(base, int(offsets[-1]))
    strings = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 2 * n, [None, pa.py_buffer(offsets), memory])
    place = np.arange(n)
    if order is not None:
        place[order] = np.arange(n)
    return strings.take(pa.array(2 * place, mask=null if null.any() else None))


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


class _Client:
    """A handle with its configuration; `on_error` hears of what librdkafka repairs by itself, and of fatal errors."""

    def __init__(self, kind: int, config: Mapping[str, object], on_error: Callable[[KafkaError], None]) -> None:
        self._lib, self._on_error = _library(), on_error
        self._callbacks: list[object] = [_ON_ERROR(self._hear)]  # kept as long as librdkafka may call them
        conf = self._lib.rd_kafka_conf_new()
        text = ctypes.create_string_buffer(_TEXT)
        for name, value in config.items():
            written = str(value).lower() if isinstance(value, bool) else str(value)
            if self._lib.rd_kafka_conf_set(conf, name.encode(), written.encode(), text, _TEXT):
                raise KafkaException(KafkaError(KafkaError._INVALID_ARG, text.value.decode()))
        self._lib.rd_kafka_conf_set_error_cb(conf, self._callbacks[0])
        self._configure(conf)
        self._handle = self._lib.rd_kafka_new(kind, conf, text, _TEXT)
        if not self._handle:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, text.value.decode()))

    def _configure(self, conf: int) -> None:
        """Set callbacks."""

    def _hear(self, _handle: int, code: int, reason: bytes, _opaque: int) -> None:
        self._on_error(self._error(code, reason))

    def _check(self, code: int) -> None:
        if code:
            raise KafkaException(self._error(code))

    def _error(self, code: int, reason: bytes | None = None) -> KafkaError:
        """The error of that code; for a fatal one, what made it so: librdkafka tells that only when it is asked."""
        fatal = code == _FATAL
        if fatal:
            text = ctypes.create_string_buffer(_TEXT)
            code, reason = self._lib.rd_kafka_fatal_error(self._handle, text, _TEXT), text.value
        said = self._lib.rd_kafka_err2str(code) if reason is None else reason
        return KafkaError(code, said.decode(errors="replace"), fatal)


class Consumer(_Client):
    """A consumer of a group. One thread at a time; callbacks come from `poll`, `commit` and `close`.

    What a rebalance callback raises is raised by the call that served it. Every method raises KafkaException.
    """

    def __init__(self, config: Mapping[str, object], on_error: Callable[[KafkaError], None]) -> None:
        self._rebalance: Callable[[int, set[Partition]], None] | None = None
        self._raised: BaseException | None = None
        super().__init__(_CONSUMER, config, on_error)
        self._check(self._lib.rd_kafka_poll_set_consumer(self._handle))
        self._queue = self._lib.rd_kafka_queue_get_consumer(self._handle)
        self._pointers = np.empty(0, np.uint64)

    def _configure(self, conf: int) -> None:
        self._callbacks.append(_ON_REBALANCE(self._on_rebalance))
        self._lib.rd_kafka_conf_set_rebalance_cb(conf, self._callbacks[-1])

    def subscribe(
        self,
        topics: Iterable[str],
        *,
        on_assign: Callable[[set[Partition]], None],
        on_revoke: Callable[[set[Partition]], None],
        on_lost: Callable[[set[Partition]], None],
    ) -> None:
        """Join the group. on_assign must `assign`, the others `unassign`; on_lost: the group has gone on without us."""

        def rebalance(code: int, sources: set[Partition]) -> None:
            if code == _ASSIGN:
                on_assign(sources)
            elif self._lib.rd_kafka_assignment_lost(self._handle):
                on_lost(sources)
            else:
                on_revoke(sources)

        self._rebalance = rebalance
        with _Partitions(dict.fromkeys((Partition(topic, -1) for topic in topics), 0)) as wanted:
            self._check(self._lib.rd_kafka_subscribe(self._handle, wanted))

    def poll(self, limit: int, timeout_s: float) -> tuple[list[Records], list[KafkaError]]:
        """What has been fetched, at most `limit` records by partition; and errors that came in their stead.

        Waits for the first record, timeout_s at most, and takes what else is there.
        """
        if len(self._pointers) < limit:
            self._pointers = np.empty(limit, np.uint64)
        first = self._lib.rd_kafka_consumer_poll(self._handle, int(timeout_s * 1000))
        self._reraise()
        if first is None:
            return [], []
        self._pointers[0] = first
        rest = self._lib.rd_kafka_consume_batch_queue(self._queue, 0, self._pointers[1:].ctypes.data, limit - 1)
        pointers = self._pointers[: 1 + rest].copy()
        try:
            self._reraise()
            return self._records(pointers)
        finally:
            deque(map(_destroy(), pointers.tolist()), maxlen=0)

    def _records(self, pointers: Addresses) -> tuple[list[Records], list[KafkaError]]:
        structures = gather(pointers, np.full(len(pointers), MESSAGE.itemsize, np.uint64))
        messages = np.frombuffer(structures.buffers()[2], MESSAGE, len(pointers))
        errors = []
        if messages["err"].any():
            errors = [self._message_error(pointers[i], messages["err"][i]) for i in np.flatnonzero(messages["err"])]
            pointers, messages = pointers[messages["err"] == 0], messages[messages["err"] == 0]
        found = []
        where = np.stack([messages["topic"], messages["partition"].astype(np.uint64)], axis=1)
        for topic, partition in dict.fromkeys(map(tuple, where[_heads(where)].tolist())):
            mine = np.flatnonzero((where[:, 0] == topic) & (where[:, 1] == partition))
            source = Partition(self._lib.rd_kafka_topic_name(topic).decode(), int(partition))
            found.append(self._of(source, pointers[mine], messages[mine]))
        return found, errors

    def _of(self, source: Partition, pointers: Addresses, messages: npt.NDArray[Any]) -> Records:
        times = [self._lib.rd_kafka_message_timestamp(int(pointer), None) for pointer in (pointers[0], pointers[-1])]
        return Records(
            source,
            gather(messages["value"], messages["value_len"]),
            gather(messages["key"], messages["key_len"]),
            messages["offset"].copy(),
            *times,
        )

    def _message_error(self, pointer: np.uint64, code: np.int32) -> KafkaError:
        return self._error(int(code), self._lib.rd_kafka_message_errstr(int(pointer)))

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        """Fetch these partitions from these offsets."""
        with _Partitions(offsets) as wanted:
            self._check(self._lib.rd_kafka_assign(self._handle, wanted))

    def unassign(self) -> None:
        """Fetch nothing."""
        self._check(self._lib.rd_kafka_assign(self._handle, None))

    def committed(self, sources: Iterable[Partition], timeout_s: float) -> dict[Partition, int | None]:
        """Committed offset by partition; None without one."""
        with _Partitions(dict.fromkeys(sources, 0)) as asked:
            self._check(self._lib.rd_kafka_committed(self._handle, asked, int(timeout_s * 1000)))
            answers = _read(asked)
        for _, _, code in answers:
            self._check(code)
        return {source: offset if offset >= 0 else None for source, offset, _ in answers}

    def commit(self, offsets: Mapping[Partition, int]) -> dict[Partition, KafkaError | None]:
        """Commit and wait for the answer, by partition."""
        with _Partitions(offsets) as wanted:
            self._check(self._lib.rd_kafka_commit(self._handle, wanted, 0))
            answers = _read(wanted)
        self._reraise()
        return {source: self._error(code) if code else None for source, _, code in answers}

    def bounds(self, source: Partition, timeout_s: float) -> tuple[int, int]:
        """First offset and end of a partition's log, as the broker says."""
        low, high = c_int64(), c_int64()
        topic, milliseconds = source.topic.encode(), int(timeout_s * 1000)
        self._check(self._lib.rd_kafka_query_watermark_offsets(
            self._handle, topic, source.partition, ctypes.byref(low), ctypes.byref(high), milliseconds
        ))  # fmt: skip
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
        with _Partitions(dict.fromkeys(sources, 0)) as wanted:
            self._check(self._lib.rd_kafka_pause_partitions(self._handle, wanted))

    def resume(self, sources: Iterable[Partition]) -> None:
        """Fetch again."""
        with _Partitions(dict.fromkeys(sources, 0)) as wanted:
            self._check(self._lib.rd_kafka_resume_partitions(self._handle, wanted))

    def close(self) -> None:
        """Leave the group; partitions that are still assigned are revoked on the way."""
        if self._handle is None:
            return
        code = self._lib.rd_kafka_consumer_close(self._handle)
        error = self._error(code) if code else None    # asks the handle
        self._lib.rd_kafka_queue_destroy(self._queue)
        self._lib.rd_kafka_destroy(self._handle)
        self._handle = None
        self._reraise()
        if error is not None:
            raise KafkaException(error)

    def _on_rebalance(self, _handle: int, code: int, partitions: Any, _opaque: int) -> None:
        try:
            if self._rebalance is not None:
                self._rebalance(code, {source for source, _, _ in _read(partitions)})
        except BaseException as error:  # nothing can be raised through C: the call that served this raises it
            self._raised = self._raised or error
            self._lib.rd_kafka_assign(self._handle, None)

    def _reraise(self) -> None:
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised


class BatchProducer(_Client):
    """Hands whole arrays to librdkafka, which reads them where they lie: they are kept until `flush` has returned 0.

    on_failure: hears of each record that cannot be delivered, from `flush`.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        on_error: Callable[[KafkaError], None],
        on_failure: Callable[[KafkaError], None],
    ) -> None:
        self._on_failure = on_failure
        self._topics: dict[str, int] = {}
        self._kept: list[pa.Array] = []
        super().__init__(_PRODUCER, config, on_error)

    def _configure(self, conf: int) -> None:
        self._callbacks.append(_ON_DELIVERY(self._on_delivery))
        self._lib.rd_kafka_conf_set_dr_msg_cb(conf, self._callbacks[-1])

    def produce(self, topic: str, partition: int, values: pa.BinaryArray) -> KafkaError | None:
        """Queue n values for one partition, in order; why the first one that is refused is.

        values: binary[n], no nulls.
        """
        handle = self._topics.get(topic)
        if handle is None:
            handle = self._topics[topic] = self._lib.rd_kafka_topic_new(self._handle, topic.encode(), None)
        _, offset_buffer, data = values.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[values.offset : values.offset + len(values) + 1]
        messages = np.zeros(len(values), MESSAGE)
        messages["value"] = offsets[:-1].astype(np.uint64) + np.uint64(data.address)
        messages["value_len"] = np.diff(offsets)
        self._kept.append(values)
        queued = self._lib.rd_kafka_produce_batch(handle, partition, 0, messages.ctypes.data, len(messages))
        if queued == len(messages):
            return None
        return self._error(int(messages["err"][messages["err"] != 0][0]))

    def flush(self, timeout_s: float) -> int:
        """Wait until everything is delivered or has failed; how many records are still under way."""
        deadline_s = time.monotonic() + timeout_s
        while left := int(self._lib.rd_kafka_outq_len(self._handle)):
            self._lib.rd_kafka_poll(self._handle, POLL_MS)
            if time.monotonic() > deadline_s:
                return left
        self._kept.clear()
        return 0

    def purge(self) -> None:
        """Give up what is queued, and no longer wait for what has been sent."""
        self._lib.rd_kafka_purge(self._handle, _QUEUED | _IN_FLIGHT)
        self._lib.rd_kafka_poll(self._handle, 0)           # their delivery reports

    def close(self) -> None:
        """Let go of everything, delivered or not."""
        if self._handle is None:
            return
        for topic in self._topics.values():
            self._lib.rd_kafka_topic_destroy(topic)
        self._lib.rd_kafka_destroy(self._handle)
        self._handle = None
        self._kept.clear()

    def _on_delivery(self, _handle: int, message: int, _opaque: int) -> None:
        code = ctypes.cast(message, POINTER(c_int)).contents.value
        if code:
            topic = ctypes.cast(message + _TOPIC_AT, POINTER(c_void_p)).contents.value
            said = self._lib.rd_kafka_err2str(code).decode()
            self._on_failure(KafkaError(code, f"{self._lib.rd_kafka_topic_name(topic).decode()}: {said}"))


class _Partitions:
    """A list of partitions with offsets, for the length of a call."""

    def __init__(self, offsets: Mapping[Partition, int]) -> None:
        lib = _library()
        self._list = lib.rd_kafka_topic_partition_list_new(len(offsets))
        for source, offset in offsets.items():
            added = lib.rd_kafka_topic_partition_list_add(self._list, source.topic.encode(), source.partition)
            added.contents.offset = offset

    def __enter__(self) -> Any:
        return self._list

    def __exit__(self, *_: object) -> None:
        _library().rd_kafka_topic_partition_list_destroy(self._list)


def _read(partitions: Any) -> list[tuple[Partition, int, int]]:
    """(partition, offset, error code) of every element."""
    if not partitions:
        return []
    found = partitions.contents
    return [
        (Partition(item.topic.decode(), item.partition), item.offset, item.err) for item in found.elems[: found.cnt]
    ]


def _heads(where: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """bool[n]: rows that differ from the row before."""
    heads = np.ones(len(where), np.bool_)
    heads[1:] = (where[1:] != where[:-1]).any(axis=1)
    return heads
