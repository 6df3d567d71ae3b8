"""An idempotent producer that writes whole batches and waits for their delivery."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from confluent_kafka import KafkaError, Message
from confluent_kafka import Producer as RdProducer

from app.core.errors import Unavailable
from app.edges.kafka import client_config
from app.settings import Settings


class Producer:
    """Writes lists of values to a partition; `flush` returns when all of them are on the broker, or raises.

    One writer thread at a time. Idempotent: records of a partition keep their order, and retries do not repeat them.
    """

    def __init__(self, settings: Settings, client_id: str) -> None:
        self._brokers, self._budget_s = settings.brokers, settings.sink_budget_s
        self._failed: list[KafkaError] = []
        self._lock = threading.Lock()
        self._producer = RdProducer(client_config(settings, client_id) | {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,                                # a micro-batch is written whole: nothing to wait for
            "compression.type": "lz4",
            "batch.num.messages": 10_000,
            "message.max.bytes": 8 * 1024 * 1024,          # a dead letter carries an oversized request whole
            "queue.buffering.max.messages": 1_000_000,
            "message.timeout.ms": int(settings.sink_budget_s * 1000),
            "delivery.report.only.error": True,            # a call per delivered record would cost a third of the write
            "on_delivery": self._on_failure,
            "error_cb": lambda error: None,                # librdkafka retries connections; flush() tells the outcome
        })

    def write(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """Queue values for one partition, in order. Raises Unavailable when a record is refused outright."""
        # librdkafka's batch call takes a dict a record: the only per-record Python object on the way out
        batch = [{"value": value} for value in values]
        if self._producer.produce_batch(topic, batch, partition) < len(batch):
            error = next(message["_error"] for message in batch if "_error" in message)
            raise Unavailable(
                f"cannot write to {topic}: {error!s}",
                where=self._brokers, remedy="check that the topic exists and admits records of this size",
            )

    def flush(self) -> None:
        """Wait for delivery of everything written. Raises Unavailable when the budget runs out or a record failed."""
        left = self._producer.flush(self._budget_s)
        with self._lock:
            failed, self._failed = self._failed, []
        if failed or left:
            reason = failed[0].str() if failed else "no answer"
            raise Unavailable(
                f"{left + len(failed)} records were not delivered: {reason}",
                where=self._brokers, remedy="check the brokers; the group replays from the last commit",
            )

    def close(self) -> None:
        """Deliver what is left, within the budget."""
        self._producer.flush(self._budget_s)

    def _on_failure(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            with self._lock:
                self._failed.append(error)
