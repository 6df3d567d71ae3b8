"""The demo's project: the flights' contracts, features and learners, which stand in the source tree, not in a wheel."""

from __future__ import annotations

from pathlib import Path

from weir.core.errors import Refused
from weir.demo.signature import SERVICE
from weir.settings import ROOT, Settings


def events_topic(settings: Settings) -> str:
    """Topic of the events from which features of flights are made, as schemas/topics.yaml declares it."""
    return f"{settings.kafka.deployment}.events.flights"


def settled(settings: Settings) -> Settings:
    """These settings for the flights' service, with its contracts and features wherever the command runs.

    Raises Refused where Weir was installed without its source tree.
    """
    here = Path(__file__).parent
    schemas, features = ROOT / "schemas", ROOT / "feature_repo"
    if not (schemas / f"requests.{SERVICE}").is_dir() or not features.is_dir():
        raise Refused(
            "the demo's contracts and features are not part of the package",
            where=str(ROOT),
            remedy="run it in a clone of Weir's repository, after `make venv`",
        )
    return settings.having(
        service=SERVICE,
        schemas_dir=schemas,
        feature_repo_dir=features,
        prices_file=here / "prices.yaml",
        learners_dir=here / "learners",
    )
