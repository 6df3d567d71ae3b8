"""A contract: the named, versioned shape of the records of one topic."""

from __future__ import annotations

from dataclasses import dataclass


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
