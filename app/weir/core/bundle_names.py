"""What the packed columns of a bundle's predictions mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BundleNames:
    """Names for the values that a prediction carries packed.

    digest: first 12 hex characters of the bundle's. inputs: in the order of its features. views: in the order of its
    feature ages and statuses. outputs: in their order, where it has several. texts: inputs that are words, in the order
    of its texts.
    """

    digest: str
    inputs: tuple[str, ...]
    views: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
