"""Who answered a request, and who a learner is judged beside: bundles, by the beginning of their digests.

As a rule they are one, the champion. Of a learner that was promoted it is the one that answered before, which goes on
in shadow: so the comparison goes on, too.
"""

from __future__ import annotations

from typing import Final

AND: Final = "/"


def of(answers: str, beside: str = "") -> str:
    """The pair as a word; `beside` where it is another than answers.

    >>> of("0123456789ab"), of("ba9876543210", "0123456789ab")
    ('0123456789ab', 'ba9876543210/0123456789ab')
    """
    return f"{answers}{AND}{beside}" if beside else answers


def beside(pair: str) -> str:
    """The bundle that the learner is judged beside.

    >>> beside("0123456789ab"), beside("ba9876543210/0123456789ab")
    ('0123456789ab', '0123456789ab')
    """
    return pair.rpartition(AND)[2]


def answering(pair: str) -> str:
    """The bundle that answered.

    >>> answering("0123456789ab"), answering("ba9876543210/0123456789ab")
    ('0123456789ab', 'ba9876543210')
    """
    return pair.partition(AND)[0]


def answers(pair: str) -> bool:
    """Whether the learner itself answered."""
    return AND in pair
