"""Dead letters: what a record that was rejected is called."""

from __future__ import annotations

from weir.core.chunk import Partition


def letter_id(source: Partition, offset: int) -> str:
    """What commands and queries call the letter of the record that stood there: "topic/partition/offset"."""
    return f"{source.topic}/{source.partition}/{offset}"
