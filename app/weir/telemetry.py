"""What happens in a worker, as events, and the metrics that they move.

An event is one small value per micro-batch, block or check; `samples` says which metrics it moves. Nothing is counted
per row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from typing_extensions import override

from weir.core.breaker import BreakerState
from weir.core.features import Status
from weir.core.rejects import Reason, Stage
from weir.metrics import METRICS, Metric

Sample: TypeAlias = tuple[str, tuple[str, ...], float]


class Event(Protocol):
    """Something that happened, once per micro-batch, block or check."""

    __slots__ = ()

    def samples(self) -> Iterator[Sample]:
        """(metric, label values in its order, value): added to counters, set in gauges, observed by histograms."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted(Event):
    """A worker is about to poll for work. ready_s: seconds since the process began."""

    role: str
    version: str
    ready_s: float
    service: str = ""
    digest: str = ""
    engine: str = ""

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_worker_info", (self.role, self.service, self.version, self.digest, self.engine), 1
        yield "weir_worker_ready_seconds", (self.role,), self.ready_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFetched(Event):
    """The consumer handed over one chunk of `records` records."""

    role: str
    topic: str
    records: int

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_records_fetched_total", (self.role, self.topic), self.records


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkCommitted(Event):
    """A partition's acknowledged position moved by `records`. offset: next to read."""

    role: str
    topic: str
    partition: int
    offset: int
    records: int

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_committed_offset", (self.role, self.topic, str(self.partition)), self.offset
        yield "weir_records_acknowledged_total", (self.role, self.topic), self.records


@dataclass(frozen=True, slots=True, kw_only=True)
class LagMeasured(Event):
    """How far a partition is behind: records not acknowledged, and the age of the oldest of them (0 without one)."""

    role: str
    topic: str
    partition: int
    records: int
    seconds: float

    @override
    def samples(self) -> Iterator[Sample]:
        labels = (self.role, self.topic, str(self.partition))
        yield "weir_lag_records", labels, self.records
        yield "weir_lag_seconds", labels, self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionsAssigned(Event):
    """The group gave this worker `partitions` partitions in all."""

    role: str
    partitions: int

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_rebalances_total", (self.role,), 1
        yield "weir_assigned_partitions", (self.role,), self.partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRetried(Event):
    """A write failed and is tried again. sink: "clickhouse"."""

    role: str
    sink: str

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_retries_total", (self.role, self.sink), 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchScored(Event):
    """One micro-batch went the whole way: its predictions and dead letters are delivered.

    rows: variant -> rows scored.
    closed_by: what closed the batch ("rows", "wait", ...).
    stage_s: stage -> the batch's seconds in it; "wait" is from the fetch to the batch's start.
    lag_s: from the oldest record's time in the broker to delivery.
    rejected: (stage, reason) -> records.
    dead_letter_share: over the last window, see Settings.
    cache_hits, cache_lookups: distinct keys over all views.
    incomplete_records: feature records read that lack a feature asked for, or cannot be read.
    feature_status: (view, status) -> rows.
    feature_oldest_s: view -> age of the oldest record used.
    model_retries: calls of the model beyond the first.
    store: the breaker of the online store, if there is one.
    """

    service: str
    rows: Mapping[str, int]
    closed_by: str
    stage_s: Mapping[str, float]
    lag_s: float
    rejected: Mapping[tuple[Stage, Reason], int] = field(default_factory=dict)
    dead_letter_share: float = 0.0
    cache_hits: int = 0
    cache_lookups: int = 0
    incomplete_records: int = 0
    feature_status: Mapping[tuple[str, Status], int] = field(default_factory=dict)
    feature_oldest_s: Mapping[str, float] = field(default_factory=dict)
    model_retries: int = 0
    store: BreakerState | None = None

    @override
    def samples(self) -> Iterator[Sample]:
        service = self.service
        for variant, rows in self.rows.items():
            yield "weir_scored_rows_total", (service, variant), rows
        yield "weir_batch_rows", (service,), sum(self.rows.values()) + sum(self.rejected.values())
        yield "weir_batches_total", (service, self.closed_by), 1
        for stage, seconds in self.stage_s.items():
            yield "weir_stage_seconds", (service, stage), seconds
        yield "weir_score_lag_seconds", (service,), self.lag_s
        for (where, reason), records in self.rejected.items():
            yield "weir_dead_letters_total", (service, where.value, reason.value), records
        yield "weir_dead_letter_share", (service,), self.dead_letter_share
        yield "weir_model_retries_total", (service,), self.model_retries
        if self.store is not None:
            yield "weir_feature_store_breaker", (service,), self.store
        yield "weir_cache_lookups_total", (service, "hit"), self.cache_hits
        yield "weir_cache_lookups_total", (service, "miss"), self.cache_lookups - self.cache_hits
        yield "weir_feature_records_incomplete_total", (service,), self.incomplete_records
        for (view, status), rows in self.feature_status.items():
            yield "weir_feature_values_total", (service, view, status.name.lower()), rows
        for view, age_s in self.feature_oldest_s.items():
            yield "weir_feature_age_seconds", (service, view), age_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRecorded(Event):
    """An announced block is in ClickHouse. repeats: rows dropped before. replayed: announced before a crash."""

    table: str
    rows: int
    insert_s: float
    repeats: int = 0
    replayed: bool = False

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_recorded_rows_total", (self.table,), self.rows
        yield "weir_repeats_dropped_total", (self.table,), self.repeats
        yield "weir_block_rows", (self.table,), self.rows
        yield "weir_block_insert_seconds", (self.table,), self.insert_s
        yield "weir_blocks_replayed_total", (self.table,), int(self.replayed)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionsUnnamed(Event):
    """Predictions were recorded whose bundle no scorer has described."""

    rows: int

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_unnamed_predictions_total", (), self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowScored(Event):
    """A shadow has scored a batch of answers, and what it wrote is delivered. unscored: reason -> answers."""

    service: str
    variant: str
    rows: int
    unscored: Mapping[str, int]

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_shadow_rows_total", (self.service, self.variant), self.rows
        for reason, rows in self.unscored.items():
            yield "weir_shadow_unscored_total", (self.service, self.variant, str(reason)), rows


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesApplied(Event):
    """One push to the online store. records: view -> written. watermark_us: event time up to which it is complete."""

    records: Mapping[str, int]
    write_s: float
    watermark_us: int

    @override
    def samples(self) -> Iterator[Sample]:
        for view, records in self.records.items():
            yield "weir_feature_writes_total", (view,), records
        yield "weir_feature_write_seconds", (), self.write_s
        yield "weir_feature_watermark_seconds", (), self.watermark_us / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryChecked(Event):
    """The columnar read of a feature service was compared with Feast's on `rows` rows; `mismatches` values differed.

    failures: looks that ended in an error.
    """

    service: str
    rows: int
    mismatches: int
    failures: int = 0

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_canary_rows_total", (self.service,), self.rows
        yield "weir_canary_mismatches_total", (self.service,), self.mismatches
        yield "weir_canary_failures_total", (self.service,), self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChecked(Event):
    """The ledger was asked. gaps, duplicates, missing, stray: offsets at fault; unbalanced: entries."""

    service: str
    gaps: int
    duplicates: int
    missing: int
    stray: int
    unbalanced: int

    @override
    def samples(self) -> Iterator[Sample]:
        faults = {
            "gap": self.gaps,
            "duplicate": self.duplicates,
            "missing": self.missing,
            "stray": self.stray,
            "unbalanced": self.unbalanced,
        }
        yield "weir_ledger_complete", (self.service,), int(not any(faults.values()))
        for kind, count in faults.items():
            yield "weir_ledger_faults", (self.service, kind), count


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsMeasured(Event):
    """A monitor was computed over `windows` windows of a service, of which `again` were known before."""

    service: str
    monitor: str
    windows: int
    again: int

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_monitor_windows_total", (self.service, self.monitor), self.windows
        yield "weir_monitor_windows_again_total", (self.service, self.monitor), self.again
        yield "weir_monitor_failing", (self.service, self.monitor), 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorFailed(Event):
    """A monitor of a service could not be computed, and is left alone for a while."""

    service: str
    monitor: str

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_monitor_failures_total", (self.service, self.monitor), 1
        yield "weir_monitor_failing", (self.service, self.monitor), 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMonitored(Event):
    """All monitors of a service had their turn. waiting: windows that are not complete. behind_s: of event time."""

    service: str
    waiting: int
    behind_s: float

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_monitor_waiting_windows", (self.service,), self.waiting
        yield "weir_monitor_behind_seconds", (self.service,), self.behind_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEnded(Event):
    """The monitor worker looked at all services, or gave up. seconds: that it took."""

    seconds: float
    failed: bool

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_monitor_round_seconds", (), self.seconds
        yield "weir_monitor_rounds_failed_total", (), int(self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSent(Event):
    """A message about alerts to a receiver. outcome: sent, retried, refused or dropped."""

    receiver: str
    outcome: str

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_alert_messages_total", (self.receiver, self.outcome), 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerPublished(Event):
    """A state of a learner was written. learned: outcomes in it. delay_s: since the newest outcome came."""

    service: str
    learner: str
    learned: int
    stopped: bool
    delay_s: float

    @override
    def samples(self) -> Iterator[Sample]:
        labels = (self.service, self.learner)
        yield "weir_learner_outcomes", labels, self.learned
        yield "weir_learner_stopped", labels, int(self.stopped)
        yield "weir_learner_delay_seconds", labels, self.delay_s


@dataclass(frozen=True, slots=True, kw_only=True)
class StateServed(Event):
    """A scorer or shadow answers with a newer state of a learner. delay_s: since it was written."""

    service: str
    learner: str
    delay_s: float

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_learner_served_seconds", (self.service, self.learner), self.delay_s


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRefused(Event):
    """A state of a learner does not fit the bundle that serves it: the last one that did goes on."""

    service: str
    learner: str

    @override
    def samples(self) -> Iterator[Sample]:
        yield "weir_learner_states_refused_total", (self.service, self.learner), 1


EVENTS = (
    WorkerStarted,
    ChunkFetched,
    ChunkCommitted,
    LagMeasured,
    PartitionsAssigned,
    WriteRetried,
    BatchScored,
    BlockRecorded,
    PredictionsUnnamed,
    ShadowScored,
    FeaturesApplied,
    CanaryChecked,
    LedgerChecked,
    WindowsMeasured,
    MonitorFailed,
    ServiceMonitored,
    RoundEnded,
    AlertSent,
    LearnerPublished,
    StateServed,
    StateRefused,
)


class Telemetry:
    """The metrics of one process, in a registry of their own, with the process's memory, CPU time and open files.

    Thread-safe. `emit` of a micro-batch costs some tens of microseconds, whatever its rows.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._metrics = {metric.name: _make(metric, self.registry) for metric in METRICS}
        self._children: dict[tuple[str, tuple[str, ...]], Counter | Gauge | Histogram] = {}

    def emit(self, event: Event) -> None:
        """Move the metrics that the event names. Raises KeyError for an unknown metric, ValueError for wrong labels."""
        for name, labels, value in event.samples():
            child = self._children.get((name, labels))
            if child is None:
                metric = self._metrics[name]
                child = self._children[name, labels] = metric.labels(*labels) if labels else metric
            if isinstance(child, Counter):
                child.inc(value)
            elif isinstance(child, Gauge):
                child.set(value)
            else:
                child.observe(value)

    def value(self, name: str, **labels: str) -> float:
        """A sample's present value, for tests and for the demo's report; 0.0 when it has never moved."""
        return self.registry.get_sample_value(name, labels) or 0.0


def _make(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.meaning, metric.labels, registry=registry, buckets=metric.buckets)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(metric.name, metric.meaning, metric.labels, registry=registry)
