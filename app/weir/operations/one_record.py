"""One record that a person has Weir write: a note, an entry, an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.producer import Producer
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.settings import Settings
from weir.wire.encode import Encoder


def write(settings: Settings, topic: str, client: str, row: Mapping[str, Any]) -> None:
    """Write a row to the first partition of a topic, durably. client: who writes, as brokers are told.

    Raises Unavailable, Refused.
    """
    encoder = Encoder(contract_of(settings, Registry(settings.registry), topic))
    partitions_of(settings.kafka, topic)
    producer = Producer(settings.kafka, client)
    try:
        producer.write(topic, 0, [encoder.record(row)])
        producer.flush()
    finally:
        producer.close()
