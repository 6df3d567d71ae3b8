"""Names of topics, and of the registry's subjects."""

from __future__ import annotations

from typing import Final

PREDICTIONS: Final = "weir.predictions"
DEAD_LETTERS: Final = "weir.dead-letters"
LEDGER: Final = "weir.ledger"
OUTCOMES: Final = "weir.outcomes"


def subject_of(topic: str) -> str:
    """The registry's subject for the values of a topic.

    >>> subject_of("weir.predictions")
    'weir.predictions-value'
    """
    return f"{topic}-value"


def requests_topic(service: str) -> str:
    """The topic on which a scoring service is asked.

    >>> requests_topic("fraud")
    'weir.requests.fraud'
    """
    return f"weir.requests.{service}"
