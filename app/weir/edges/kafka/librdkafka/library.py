"""The C library: its structures and the functions that are called."""

from __future__ import annotations

import ctypes
import ctypes.util
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from functools import cache
from importlib import metadata
from typing import Any, Final

import numpy as np

from weir.core.errors import Unavailable

# struct rd_kafka_message_s
MESSAGE: Final = np.dtype(
    {
        "names": ["err", "topic", "partition", "value", "value_len", "key", "key_len", "offset"],
        "formats": ["i4", "u8", "i4", "u8", "u8", "u8", "u8", "i8"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 72,
    }
)


class Message(ctypes.Structure):
    """The beginning of rd_kafka_message_t, for a look at one."""

    _fields_ = (("err", c_int), ("topic", c_void_p))


class TopicPartition(ctypes.Structure):
    """rd_kafka_topic_partition_t."""

    _fields_ = (
        ("topic", c_char_p),
        ("partition", c_int32),
        ("offset", c_int64),
        ("metadata", c_void_p),
        ("metadata_size", c_size_t),
        ("opaque", c_void_p),
        ("err", c_int),
        ("_private", c_void_p),
    )


# The offset of rd_kafka_topic_partition_t, for a look at many of them.
PLACE: Final = np.dtype({"names": ["offset"], "formats": ["i8"], "offsets": [16], "itemsize": 64})


class TopicPartitionList(ctypes.Structure):
    """rd_kafka_topic_partition_list_t."""

    _fields_ = (("cnt", c_int), ("size", c_int), ("elems", POINTER(TopicPartition)))


LIST = POINTER(TopicPartitionList)
ON_REBALANCE = ctypes.CFUNCTYPE(None, c_void_p, c_int, LIST, c_void_p)
ON_ERROR = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)
ON_COMMIT = ctypes.CFUNCTYPE(None, c_void_p, c_int, LIST, c_void_p)
DELIVERED, TROUBLE = 0x1, 0x8  # RD_KAFKA_EVENT_DR, RD_KAFKA_EVENT_ERROR

# name -> what it returns, then what it takes
_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "rd_kafka_conf_new": (c_void_p,),
    "rd_kafka_conf_set": (c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t),
    "rd_kafka_conf_set_error_cb": (None, c_void_p, ON_ERROR),
    "rd_kafka_conf_set_rebalance_cb": (None, c_void_p, ON_REBALANCE),
    "rd_kafka_conf_set_offset_commit_cb": (None, c_void_p, ON_COMMIT),
    "rd_kafka_conf_set_events": (None, c_void_p, c_int),
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
    "rd_kafka_queue_new": (c_void_p, c_void_p),
    "rd_kafka_queue_length": (c_size_t, c_void_p),
    "rd_kafka_set_log_queue": (c_int, c_void_p, c_void_p),
    "rd_kafka_event_log": (c_int, c_void_p, POINTER(c_char_p), POINTER(c_char_p), POINTER(c_int)),
    "rd_kafka_subscribe": (c_int, c_void_p, LIST),
    "rd_kafka_consumer_poll": (c_void_p, c_void_p, c_int),
    "rd_kafka_consume_batch_queue": (c_size_t, c_void_p, c_int, c_void_p, c_size_t),
    "rd_kafka_consumer_close": (c_int, c_void_p),
    "rd_kafka_assign": (c_int, c_void_p, LIST),
    "rd_kafka_assignment_lost": (c_int, c_void_p),
    "rd_kafka_committed": (c_int, c_void_p, LIST, c_int),
    "rd_kafka_position": (c_int, c_void_p, LIST),
    "rd_kafka_commit": (c_int, c_void_p, LIST, c_int),
    "rd_kafka_query_watermark_offsets": (c_int, c_void_p, c_char_p, c_int32, c_void_p, c_void_p, c_int),
    "rd_kafka_get_watermark_offsets": (c_int, c_void_p, c_char_p, c_int32, c_void_p, c_void_p),
    "rd_kafka_pause_partitions": (c_int, c_void_p, LIST),
    "rd_kafka_resume_partitions": (c_int, c_void_p, LIST),
    "rd_kafka_topic_partition_list_new": (LIST, c_int),
    "rd_kafka_topic_partition_list_add": (POINTER(TopicPartition), LIST, c_char_p, c_int32),
    "rd_kafka_topic_partition_list_destroy": (None, LIST),
    # producer
    "rd_kafka_topic_new": (c_void_p, c_void_p, c_char_p, c_void_p),
    "rd_kafka_topic_destroy": (None, c_void_p),
    "rd_kafka_produce_batch": (c_int, c_void_p, c_int32, c_int, c_void_p, c_int),
    "rd_kafka_flush": (c_int, c_void_p, c_int),
    "rd_kafka_queue_get_main": (c_void_p, c_void_p),
    "rd_kafka_queue_poll": (c_void_p, c_void_p, c_int),
    "rd_kafka_event_type": (c_int, c_void_p),
    "rd_kafka_event_error": (c_int, c_void_p),
    "rd_kafka_event_error_string": (c_char_p, c_void_p),
    "rd_kafka_event_message_next": (POINTER(Message), c_void_p),
    "rd_kafka_event_destroy": (None, c_void_p),
    "rd_kafka_outq_len": (c_int, c_void_p),
    "rd_kafka_purge": (c_int, c_void_p, c_int),
}


@cache
def library() -> ctypes.CDLL:
    """The library that confluent-kafka has loaded. Raises Unavailable."""
    files = metadata.files("confluent-kafka") or []
    inside = [str(file.locate()) for file in files if file.name.startswith("librdkafka") and ".so" in file.name]
    inside += [str(file.locate()) for file in files if file.name.startswith("librdkafka") and "dylib" in file.name]
    path = inside[0] if inside else ctypes.util.find_library("rdkafka")
    if path is None:
        raise Unavailable(
            "librdkafka is not beside confluent-kafka",
            where=str(metadata.distribution("confluent-kafka").version),
            remedy="install confluent-kafka as a wheel, or librdkafka where the loader finds it",
        )
    found = ctypes.CDLL(path)
    for name, (returns, *takes) in _FUNCTIONS.items():
        function = getattr(found, name)
        function.restype, function.argtypes = returns, takes
    return found
