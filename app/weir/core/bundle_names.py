"""What the packed columns of a bundle's predictions mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

LISTS: Final = ("inputs", "views", "outputs", "texts", "doubles", "longs")  # of BundleNames, in their order


@dataclass(frozen=True, slots=True)
class BundleNames:
    """Names for the values that a prediction carries packed.

    digest: first 12 hex characters of the bundle's. inputs: in the order of its features. views: in the order of its
    feature ages and statuses. outputs: in their order, where it has several. texts: inputs that are words, in the order
    of its texts. doubles, longs: inputs that are numbers beside the matrix, in the order of its doubles and longs.
    categories: of each input that is a category its words, in the order of their codes. reference: what is normal, see
    core.reference, as JSON; empty where nobody has said it.
    """

    digest: str
    inputs: tuple[str, ...]
    views: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    doubles: tuple[str, ...] = ()
    longs: tuple[str, ...] = ()
    _: KW_ONLY
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reference: str = ""
