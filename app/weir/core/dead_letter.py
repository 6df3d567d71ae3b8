"""Dead letters: what a record that was rejected is called."""

from __future__ import annotations

from weir.core.chunk import LogPartition


def letter_id(source: LogPartition, offset: int) -> str:
    """What commands and queries call the letter of the record that stood there: "topic/partition/offset@log"."""
    return f"{source.topic}/{source.partition}/{offset}@{source.log}"
