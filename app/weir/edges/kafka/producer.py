"""An idempotent producer that writes whole batches and waits for their delivery."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa
from confluent_kafka import KafkaError

from weir.core.errors import Unavailable
from weir.edges.kafka import handshake
from weir.edges.kafka.admin import LOOK_S
from weir.edges.kafka.client import client_config
from weir.edges.kafka.errors import FatalError, weir_error
from weir.edges.kafka.librdkafka.producer import BatchProducer
from weir.setting_groups import KafkaSettings

# What the records after a lost one fail with; the lost one says why.
CONSEQUENCES = {KafkaError._GAPLESS_GUARANTEE, KafkaError._FATAL, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}

REQUEST_BYTES = 1_000_000  # what brokers and topics admit unless told otherwise, with room for the batch's header


class Producer:
    """Writes lists of values to a partition; `flush` returns when all of them are on the broker, or raises.

    One thread at a time. Idempotent: records of a partition keep their order, and retries do not repeat them.
    """

    def __init__(self, settings: KafkaSettings, client_id: str) -> None:
        self._settings, self._brokers, self._budget_s = settings, settings.brokers, settings.sink_budget_s
        self._failed: list[KafkaError] = []
        self._refusal = FatalError()
        config = client_config(settings, client_id) | {
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,  # the recorder drops what comes after a later record
            "acks": "all",
            "compression.type": settings.compression,
            "message.max.bytes": 8 * 1024 * 1024,  # a dead letter carries an oversized request whole
            "message.timeout.ms": 0,  # record by record it would make gaps; flush() has a budget
        }
        # librdkafka retries connections by itself; flush() tells the outcome
        self._producer = BatchProducer(config, REQUEST_BYTES, on_error=self._refusal, on_failure=self._failed.append)

    def write(self, topic: str, partition: int, values: pa.BinaryArray | Sequence[bytes]) -> None:
        """Queue values for one partition, in order; they leave with `flush`.

        values: binary[n] without nulls, or as many bytes.
        """
        array = values if isinstance(values, pa.Array) else pa.array(values, pa.binary())
        self._producer.produce(topic, partition, array)

    def flush(self) -> None:
        """Wait for delivery of everything written.

        Raises Unavailable, as `weir_error` words it, when the budget runs out or a record failed.
        """
        left, failed = self._flush(), self._failed.copy()
        if left or failed:
            self._producer.purge()  # what follows a lost record must be lost with it
        self._failed.clear()
        cause = next((error for error in failed if error.code() not in CONSEQUENCES), None)
        if cause is None:
            self._refusal.check(self._brokers)
        if failed:
            raise weir_error(cause or failed[0], self._brokers, f"{left + len(failed)} records were not delivered")
        if left:
            handshake.check(self._settings)
            raise Unavailable(
                f"{left} records were not delivered: no answer",
                where=self._brokers,
                remedy="check the brokers; the group replays from the last commit",
            )

    def _flush(self) -> int:
        """Records that are left when one has failed, the budget has run out, or the brokers turn this client away."""
        deadline_s = time.monotonic() + self._budget_s
        while left := self._producer.flush(min(LOOK_S, self._budget_s)):
            if self._failed or self._refusal.error is not None or time.monotonic() > deadline_s:
                return left
        return 0

    def close(self) -> None:
        """Deliver what is left, within the budget; give up the rest, so that nothing of it comes later on its own."""
        if self._flush():
            self._producer.purge()
        self._producer.close()
