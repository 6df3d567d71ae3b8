"""Which log a consumer follows under a topic's name. It goes over to one that was made anew, and only its log tells.

Fetches name a topic by its id (KIP-516). When a broker tells librdkafka of another id, it writes a line, then takes the
id, then fetches on from the old offset (`rd_kafka_topic_metadata_update` in rdkafka_topic.c). So whoever
reads the lines after the records has heard of the log that the records are of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ctypes import byref, c_char_p, c_int
from typing import Final

from weir.edges.kafka.librdkafka.library import library

TELLING: Final = {"debug": "metadata", "log_level": 7, "log.queue": True}  # the configuration that makes it say so
_CHANGED: Final = re.compile(r"Topic (\S+) changed id from \S+ to (\S+)")


class Followed:
    """The ids that the log of one consumer tells of. `update` often: lines wait until they are read."""

    def __init__(self, handle: int) -> None:
        self._lib = library()
        self._lines = self._lib.rd_kafka_queue_new(handle)
        self._lib.rd_kafka_set_log_queue(handle, self._lines)
        self.ids: Mapping[str, str] = {}  # topic -> id in base64, as the broker gave it

    def update(self) -> None:
        """Read what was said since."""
        while self._lib.rd_kafka_queue_length(self._lines):
            event = self._lib.rd_kafka_queue_poll(self._lines, 0)
            if event is None:
                return
            self._read(event)
            self._lib.rd_kafka_event_destroy(event)

    def _read(self, event: int) -> None:
        facility, line, level = c_char_p(), c_char_p(), c_int()
        if self._lib.rd_kafka_event_log(event, byref(facility), byref(line), byref(level)) or line.value is None:
            return
        if said := _CHANGED.search(line.value.decode(errors="replace")):
            self.ids = {**self.ids, said[1]: said[2]}

    def close(self) -> None:
        """Let go of the queue, before the consumer is destroyed."""
        self._lib.rd_kafka_queue_destroy(self._lines)
