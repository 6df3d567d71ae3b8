"""What a bundle says of itself; its files are read and checked in edges.bundles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from weir.core.runtime import Versions
from weir.core.signature import Signature, Source
from weir.core.topics import SERVICE

STATE_PREFIX: Final = "learner."  # of a graph's inputs that are the state of a learner
RELATIVE: Final = 1e-5  # of a golden score; float32 sums of a hundred trees in another order differ by 1e-6 of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """The learner whose states a bundle serves: its model.onnx takes the state as inputs, and has one of its own.

    name: learners/<name>.yaml. state: names the one that the bundle was built with. model, window: what the learner's
    state belongs to; a state of another is none of this bundle's. columns: inputs of the signature, in its order.
    """

    name: str
    state: str
    model: str
    window: int
    columns: tuple[str, ...]


ASKED_FOR: Final = "asked for by action "  # how training_snapshot begins where `weir train` has made it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The content of bundle.yaml, and the digest that names the folder.

    service: the scoring service whose requests it answers. name, version: the model's.
    digest: sha256 over the sorted (file name, file sha256) pairs of everything in the folder, hex; the folder's name.
    feature_service, feature_fingerprint: Feast service and the hash of its definitions; empty without features.
    training_from, training_to: ISO dates, inclusive.
    training_snapshot: which state of the data that was, in the words of whoever keeps it; empty when not said.
    built_with: what the golden rows were proved with.
    tolerance: accepted is |score - golden score| <= max(tolerance, RELATIVE * |golden score|).
    learner: whose states it serves; None of a model that stays as it was trained.
    """

    service: str
    name: str
    version: str
    owner: str
    signature: Signature
    digest: str
    feature_service: str = ""
    feature_fingerprint: str = ""
    training_from: str = ""
    training_to: str = ""
    training_snapshot: str = ""
    built_with: Versions = field(default_factory=Versions)
    tolerance: float = 1e-6
    metrics: dict[str, float] = field(default_factory=dict)
    learner: Learned | None = None

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))

    def _faults(self) -> Iterator[str]:
        empty = [name for name in ("service", "name", "version", "owner") if not str(getattr(self, name)).strip()]
        yield from (f"{name} is empty" for name in empty)
        if "service" not in empty and not re.fullmatch(SERVICE, self.service):
            yield f"service {self.service!r} cannot name a topic: letters, digits, - and _, no digit first"
        if not 0 <= self.tolerance <= 1:
            yield f"tolerance is {self.tolerance:g}, not a difference of two scores"
        if self.signature.of(Source.FEATURE) and not self.feature_service:
            yield f"input {self.signature.of(Source.FEATURE)[0].name} is a feature: give feature_service"
        if self.learner and (unknown := sorted({*self.learner.columns} - {*self.signature.names})):
            yield f"learner {self.learner.name} takes {unknown[0]}, which is no input"
        if self.learner and (self.learner.name in ("", ".", "..") or {*self.learner.name} & {*"/\\\0"}):
            yield f"learner {self.learner.name!r} cannot name a folder, which its states have"
        if self.feature_service and not self.signature.of(Source.FEATURE):
            yield f"no input reads a feature of feature_service {self.feature_service}"

    @property
    def short_digest(self) -> str:
        """First 12 characters: what predictions and logs carry."""
        return self.digest[:12]

    @property
    def waits(self) -> bool:
        """Whether it answers only where it is named, and is never the newest: of a learner, or of `weir train`."""
        return self.learner is not None or self.training_snapshot.startswith(ASKED_FOR)
