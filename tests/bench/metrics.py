"""What a worker tells about itself, read over HTTP.

During what is counted only the recorder is asked, whose rate is its own numbers; everything else asks before and after.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.bench.stand import Worker

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Samples of several workers, added up: (name, labels) -> value."""

    samples: dict[tuple[str, Labels], float]

    def total(self, name: str, **labels: str) -> float:
        """Sum of all samples of this name with these labels."""
        wanted = set(labels.items())
        return sum(value for (found, where), value in self.samples.items() if found == name and wanted <= where)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums by the values of one label."""
        found: dict[str, float] = defaultdict(float)
        for (sample, where), value in self.samples.items():
            if sample == name:
                found[dict(where).get(label, "")] += value
        return dict(found)

    def since(self, before: Metrics) -> Metrics:
        """What was added since."""
        return Metrics({key: value - before.samples.get(key, 0.0) for key, value in self.samples.items()})


def scrape(workers: Iterable[Worker]) -> Metrics:
    """All workers' metrics; a worker that does not answer yet adds nothing."""
    samples: dict[tuple[str, Labels], float] = defaultdict(float)
    for worker in workers:
        for family in text_string_to_metric_families(page(worker)):
            for sample in family.samples:
                samples[sample.name, frozenset(sample.labels.items())] += sample.value
    return Metrics(dict(samples))


def page(worker: Worker) -> str:
    """The text of /metrics; empty while nobody listens there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return ""
