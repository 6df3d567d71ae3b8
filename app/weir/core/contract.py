"""A contract: the named, versioned shape of the records of one topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# 1970 to 2100, milliseconds: event times that a UUIDv7 and ClickHouse's dates can hold. A month is a partition of a
# table: an id from outside must not be able to make more of them than these.
EVENT_MS: Final = (0, 4_102_444_800_000)


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of one record type.

    subject: the registry's subject, "<topic>-value". schema: Avro JSON text, canonical enough to compare.
    schema_id: the registry's id, as it stands in the Confluent frame.
    """

    subject: str
    version: int
    schema: str
    schema_id: int


def subject_of(topic: str) -> str:
    """The registry's subject for the values of a topic.

    >>> subject_of("weir.predictions")
    'weir.predictions-value'
    """
    return f"{topic}-value"


def requests_topic(service: str) -> str:
    """The topic on which a scoring service is asked.

    >>> requests_topic("flight-delay")
    'weir.requests.flight-delay'
    """
    return f"weir.requests.{service}"
