"""Writes single records with keys, for topics of which the newest record of a key counts."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from weir.core.errors import Unavailable
from weir.edges.kafka.client import client_config
from weir.edges.kafka.errors import FatalError, error_of, weir_error
from weir.setting_groups import KafkaSettings


class KeyedProducer:
    """Idempotent. One thread at a time. Raises Unavailable or Refused, as `weir_error` words it."""

    def __init__(self, settings: KafkaSettings, client_id: str) -> None:
        self._settings, self._refusal = settings, FatalError()
        self._failed: list[KafkaError] = []
        config = client_config(settings, client_id) | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": settings.compression,
            "message.max.bytes": 8 * 1024 * 1024,
            "message.timeout.ms": round(settings.sink_budget_s * 1000),
            "error_cb": self._refusal,
        }
        try:
            self._producer = Producer(config)
        except KafkaException as error:
            raise weir_error(error_of(error), settings.brokers) from error

    def write(self, topic: str, key: str, value: bytes) -> None:
        """Queue a record for partition 0; it leaves with `flush`."""
        self._producer.produce(topic, value, key, partition=0, on_delivery=self._delivered)

    def flush(self) -> None:
        """Wait until all records are on the broker."""
        left = self._producer.flush(self._settings.sink_budget_s)
        failed, self._failed = self._failed, []
        self._refusal.check(self._settings.brokers)
        if failed:
            raise weir_error(failed[0], self._settings.brokers, f"{len(failed)} records were not delivered")
        if left:
            self._producer.purge()
            what = f"{left} records were not delivered: no answer"
            raise Unavailable(what, where=self._settings.brokers, remedy="check the brokers")

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)
