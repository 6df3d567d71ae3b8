"""Names of a deployment's topics and consumer groups, and of the registry's subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Parts of names have no dot, which joins them: so no two names are the same, and no prefix covers another's.
DEPLOYMENT: Final = "[A-Za-z0-9][A-Za-z0-9-]{0,99}"
SERVICE: Final = "[A-Za-z_][A-Za-z0-9_-]{0,99}"  # with - as _ also a part of an Avro namespace
VARIANT: Final = "[A-Za-z0-9_-]{1,100}"


@dataclass(frozen=True, slots=True)
class Names:
    """Topics and consumer groups of one deployment: all begin with its name, so that several can share a cluster.

    schemas/topics.yaml declares the same names; a test holds the two together.

    >>> Names("weir").requests("fraud"), Names("staging").predictions
    ('weir.requests.fraud', 'staging.predictions')
    """

    deployment: str

    @property
    def predictions(self) -> str:
        """Topic of answers to requests."""
        return f"{self.deployment}.predictions"

    @property
    def shadows(self) -> str:
        """Topic of scores that answer nobody."""
        return f"{self.deployment}.shadows"

    @property
    def dead_letters(self) -> str:
        """Topic of records that were not scored."""
        return f"{self.deployment}.dead-letters"

    @property
    def ledger(self) -> str:
        """Topic of what scorers have read."""
        return f"{self.deployment}.ledger"

    @property
    def batches(self) -> str:
        """Topic of what each micro-batch took."""
        return f"{self.deployment}.batches"

    @property
    def bundles(self) -> str:
        """Topic of what the packed columns of predictions mean."""
        return f"{self.deployment}.bundles"

    @property
    def outcomes(self) -> str:
        """Topic of what came true."""
        return f"{self.deployment}.outcomes"

    @property
    def measurements(self) -> str:
        """Topic of what monitors found."""
        return f"{self.deployment}.measurements"

    @property
    def alerts(self) -> str:
        """Topic of what became of alerts."""
        return f"{self.deployment}.alerts"

    @property
    def alert_notes(self) -> str:
        """Topic of what people say of alerts."""
        return f"{self.deployment}.alert-notes"

    @property
    def actions(self) -> str:
        """Topic of what Weir proposes to do."""
        return f"{self.deployment}.actions"

    @property
    def labelled(self) -> str:
        """Topic of outcomes with the requests that they are of."""
        return f"{self.deployment}.labelled"

    @property
    def learner_snapshots(self) -> str:
        """Topic of the newest state of each learner."""
        return f"{self.deployment}.learner-snapshots"

    def requests(self, service: str) -> str:
        """Topic on which a scoring service is asked."""
        return f"{self.deployment}.requests.{service}"

    def scorers(self, service: str) -> str:
        """Group of all scorers of a service, whatever their variants: together they answer each request once."""
        return f"{self.deployment}.scorer.{service}"

    def shadow(self, service: str, variant: str) -> str:
        """Group of one shadow: every shadow of a service sees all of its predictions."""
        return f"{self.deployment}.shadow.{service}.{variant}"

    def recorder(self, database: str) -> str:
        """Group of the recorders of one database: every database gets everything."""
        return f"{self.deployment}.recorder.{database}"

    @property
    def monitor(self) -> str:
        """Group of the monitor workers: of several one works, and another when it is gone."""
        return f"{self.deployment}.monitor"

    @property
    def learner(self) -> str:
        """Group of the learner workers: of several one works, and another when it is gone."""
        return f"{self.deployment}.learner"

    @property
    def features(self) -> str:
        """Group of the feature worker."""
        return f"{self.deployment}.features"


def subject_of(topic: str) -> str:
    """The registry's subject for the values of a topic.

    >>> subject_of("weir.predictions")
    'weir.predictions-value'
    """
    return f"{topic}-value"
