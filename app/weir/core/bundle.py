"""What a bundle says of itself; its files are read and checked in edges.bundle_store."""

from __future__ import annotations

from dataclasses import dataclass, field

from weir.core.signature import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The content of bundle.yaml, and the digest that names the folder.

    service: the scoring service whose requests it answers. name, version: the model's.
    digest: sha256 over the sorted (file name, file sha256) pairs of everything in the folder, hex; the folder's name.
    feature_service, feature_fingerprint: Feast service and the hash of its definitions; empty without features.
    training_from, training_to: ISO dates, inclusive. tolerance: largest accepted |score - golden score|.
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
    tolerance: float = 1e-6
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def short_digest(self) -> str:
        """First 12 characters: what predictions and logs carry."""
        return self.digest[:12]
