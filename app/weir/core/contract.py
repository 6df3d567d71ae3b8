"""A contract: the named, versioned shape of the records of one topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNREGISTERED: Final = -1  # schema id of a contract that is read by and never written with


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
