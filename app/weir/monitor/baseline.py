"""What a monitor's windows are compared with, as its header says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # of a captured one
TAKEN: Final = frozenset({"reference", "season", "pair"})  # what `baseline` means beside names
SEASONS: Final = ("hour", "weekday", "hour_of_week")
USUAL_SEASON: Final = "hour_of_week"


class Against(StrEnum):
    """What a window is compared with."""

    NONE = "none"
    REFERENCE = "reference"  # the bundle's own
    FROZEN = "frozen"  # a captured window of production
    SEASON = "season"  # the same hours or weekdays before
    PAIR = "pair"  # another version or variant in the same window


@dataclass(frozen=True, slots=True)
class Baseline:
    """One of those. name: of a captured one; of a season, which times are alike.

    >>> [str(Baseline.of(text)) for text in ("reference", "season", "season weekday", "frozen july")]
    ['reference', 'season hour_of_week', 'season weekday', 'frozen july']
    """

    against: Against = Against.NONE
    name: str = ""

    @classmethod
    def of(cls, text: str) -> Baseline:
        """As a header says it. Raises ValueError with what it can say."""
        word, _, name = " ".join(text.split()).partition(" ")
        match word:
            case Against.FROZEN if is_name(name):
                return cls(Against.FROZEN, name)
            case Against.SEASON if not name or name in SEASONS:
                return cls(Against.SEASON, name or USUAL_SEASON)
            case Against.NONE | Against.REFERENCE | Against.PAIR if not name:
                return cls(Against(word))
            case Against.FROZEN:
                raise ValueError("write frozen and the name that `weir baseline capture` was given")
            case Against.SEASON:
                raise ValueError(f"write season and one of {', '.join(SEASONS)}")
        raise ValueError(f"write none, reference, pair, frozen NAME, or season and one of {', '.join(SEASONS)}")

    @property
    def asks_for(self) -> tuple[str, ...]:
        """Parameters one of which a monitor's SQL has to ask for, to be compared so; none where it need not."""
        match self.against:
            case Against.REFERENCE | Against.FROZEN:
                return ("baseline",)
            case Against.SEASON:
                return ("season", "base_from", "base_to")
        return ()

    def __str__(self) -> str:
        return f"{self.against} {self.name}".strip()


def is_name(name: str) -> bool:
    """Whether a captured baseline may be called so."""
    return bool(NAME.fullmatch(name)) and name not in TAKEN


NOTHING: Final = Baseline()
