"""Every metric and every event: name, kind, unit, labels, meaning, and what to do when it looks wrong.

An event is one small value per micro-batch, block or check; `samples` says which metrics it moves. Nothing is counted
per row. `python -m app.telemetry` prints the table that stands in infra/metrics.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from app.core.breaker import BreakerState
from app.core.features import Status
from app.core.rejects import Reason, Stage

# Importing feast sets this variable, and children inherit it; prometheus_client then writes every value through a
# memory-mapped file (2.5 us instead of 1.1 us) and gauges change their meaning. A Weir worker is one process.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAGS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
AGES_S = (60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0)
ROWS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. buckets: upper bounds in `unit`, for histograms only. action: what the reader does when it is off."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    meaning: str
    action: str
    buckets: tuple[float, ...] = ()


METRICS: tuple[Metric, ...] = (
    # every worker
    Metric("weir_worker_info", "gauge", "1", ("role", "service", "version", "digest"),
           "1 while the worker runs; digest: the bundle's first 12 characters, empty without one",
           "more than one digest for a service at a time: a roll-out is under way or stuck"),
    Metric("weir_worker_ready_seconds", "gauge", "seconds", ("role",),
           "from process start to the first poll for work",
           "above 15: look at the log for what it waited for"),
    Metric("weir_records_fetched_total", "counter", "records", ("role", "topic"),
           "records handed over by the consumer",
           "flat while producers produce: check the group's assignment and the broker"),
    Metric("weir_lag_records", "gauge", "records", ("role", "topic", "partition"),
           "end of the partition less the position acknowledged",
           "rising steadily: start another worker of the role, up to one per partition"),
    Metric("weir_lag_seconds", "gauge", "seconds", ("role", "topic", "partition"),
           "age of the oldest record not yet acknowledged; 0 when caught up",
           "above the service's promise: as for weir_lag_records; if one partition only, look for a hot key"),
    Metric("weir_committed_offset", "gauge", "offset", ("role", "topic", "partition"),
           "next offset that a restarted worker would read",
           "flat while records are fetched: a sink does not answer; see weir_retries_total"),
    Metric("weir_records_acknowledged_total", "counter", "records", ("role", "topic"),
           "records whose results were delivered",
           "compare with weir_records_fetched_total"),
    Metric("weir_rebalances_total", "counter", "rebalances", ("role",),
           "times the group gave this worker a new set of partitions",
           "more than a few an hour: workers restart or exceed the session time-out"),
    Metric("weir_assigned_partitions", "gauge", "partitions", ("role",),
           "partitions that this worker reads",
           "0 on one worker is normal when there are more workers than partitions"),
    Metric("weir_retries_total", "counter", "attempts", ("role", "sink"),
           "writes tried again within WEIR_SINK_BUDGET_S",
           "rising: the sink is down or slow; the worker stops when the budget is spent, and nothing is lost"),
    # scoring
    Metric("weir_scored_rows_total", "counter", "rows", ("service", "variant"),
           "rows scored and delivered",
           "the service's rate"),
    Metric("weir_dead_letters_total", "counter", "records", ("service", "stage", "reason"),
           "records turned away, by stage and reason (core.rejects)",
           "one reason jumps: a producer changed; query dead_letters for its detail column"),
    Metric("weir_dead_letter_share", "gauge", "share", ("service",),
           "share of dead letters over the last WEIR_DEAD_LETTER_WINDOW records",
           "past WEIR_DEAD_LETTER_LIMIT the worker stops: repair the producer, then restart"),
    Metric("weir_model_retries_total", "counter", "calls", ("service",),
           "calls of the model beyond one per micro-batch: a row made it raise, and is looked for by halving",
           "rising: `weir dead-letters list --reason model_failed`; nothing there: the model fails now and then"),
    Metric("weir_batch_rows", "histogram", "rows", ("service",),
           "records in a micro-batch, rejected ones included",
           "always 1 under load: chunks do not merge; raise WEIR_BATCH_MAX_WAIT_MS", ROWS),
    Metric("weir_batches_total", "counter", "batches", ("service", "closed_by"),
           "micro-batches by what closed them",
           "mostly by rows: the worker is saturated"),
    Metric("weir_stage_seconds", "histogram", "seconds", ("service", "stage"),
           "time of one micro-batch in one stage of the path",
           "the stage that grew is the one to look at; lookup: the online store; produce: the broker", SECONDS),
    Metric("weir_score_lag_seconds", "histogram", "seconds", ("service",),
           "from the oldest record's time in the broker to its prediction delivered",
           "above the service's promise: see weir_stage_seconds, then weir_lag_records", LAGS_S),
    Metric("weir_cache_lookups_total", "counter", "keys", ("service", "result"),
           "distinct feature keys asked of the cache; result: hit or miss",
           "hit share falls: raise WEIR_CACHE_MAX_KEYS or WEIR_CACHE_TTL_S"),
    Metric("weir_feature_values_total", "counter", "values", ("service", "view", "status"),
           "feature records per row by view and status (core.features.Status)",
           "not_found or stale rises: the feature worker is behind, or the join key changed its spelling; unavailable: "
           "see weir_feature_store_breaker"),
    Metric("weir_feature_store_breaker", "gauge", "state", ("service",),
           "whether the scorer asks the online store: 0 yes, 1 one trial, 2 no, since it does not answer in time",
           "2: start or relieve the store; rows are scored meanwhile as on_unavailable in the bundle's signature says"),
    Metric("weir_feature_age_seconds", "histogram", "seconds", ("service", "view"),
           "age of the oldest record of the view used in a micro-batch",
           "past the view's ttl: the feature worker is behind or its source is silent", AGES_S),
    # recording
    Metric("weir_recorded_rows_total", "counter", "rows", ("table",),
           "rows inserted into ClickHouse",
           "compare with weir_scored_rows_total"),
    Metric("weir_repeats_dropped_total", "counter", "rows", ("table",),
           "repeats of a replaying scorer, dropped before the insert",
           "a burst after a crash is normal; a steady rate means two scorers of one group work on one partition"),
    Metric("weir_block_rows", "histogram", "rows", ("table",),
           "rows of one inserted block",
           "small under load: raise WEIR_BLOCK_MAX_WAIT_S, else ClickHouse has too many parts", ROWS),
    Metric("weir_block_insert_seconds", "histogram", "seconds", ("table",),
           "time of one announced insert",
           "grows: look at system.merges and system.parts", SECONDS),
    Metric("weir_blocks_replayed_total", "counter", "blocks", ("table",),
           "announced blocks repeated after a crash",
           "follows restarts; else look for rebalances"),
    # features
    Metric("weir_feature_writes_total", "counter", "records", ("view",),
           "records pushed to the online store",
           "flat: the events topic is silent or the worker is down"),
    Metric("weir_feature_write_seconds", "histogram", "seconds", (),
           "time of one push to the online store",
           "grows: the store's disk or network", SECONDS),
    Metric("weir_feature_watermark_seconds", "gauge", "seconds", (),
           "event time up to which the online store is complete, seconds since the epoch",
           "time() less this is how old every feature is at least"),
    Metric("weir_canary_rows_total", "counter", "rows", ("service",),
           "rows read both by the columnar reader and by Feast's get_online_features",
           "flat: the canary is down"),
    Metric("weir_canary_mismatches_total", "counter", "values", ("service",),
           "values on which the two readers differ",
           "any: stop trusting the features; the log names view, key and both values"),
    # ledger
    Metric("weir_ledger_complete", "gauge", "bool", ("service",),
           "1 when chunks tile the offsets and every scored row is recorded once",
           "0 for longer than the recorder's lag: run `weir ledger`"),
    Metric("weir_ledger_faults", "gauge", "offsets", ("service", "kind"),
           "offsets at fault; kind: gap, duplicate or missing",
           "run `weir ledger`; it names the partitions"),
)

Sample: TypeAlias = tuple[str, tuple[str, ...], float]


class Event(Protocol):
    """Something that happened, once per micro-batch, block or check."""

    def samples(self) -> Iterator[Sample]:
        """(metric, label values in its order, value): added to counters, set in gauges, observed by histograms."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted:
    """A worker is about to poll for work. ready_s: seconds since the process began."""

    role: str
    version: str
    ready_s: float
    service: str = ""
    digest: str = ""

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_worker_info", (self.role, self.service, self.version, self.digest), 1
        yield "weir_worker_ready_seconds", (self.role,), self.ready_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFetched:
    """The consumer handed over one chunk of `records` records."""

    role: str
    topic: str
    records: int

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_records_fetched_total", (self.role, self.topic), self.records


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkCommitted:
    """A partition's acknowledged position moved by `records`. offset: next to read."""

    role: str
    topic: str
    partition: int
    offset: int
    records: int

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_committed_offset", (self.role, self.topic, str(self.partition)), self.offset
        yield "weir_records_acknowledged_total", (self.role, self.topic), self.records


@dataclass(frozen=True, slots=True, kw_only=True)
class LagMeasured:
    """How far a partition is behind: records not acknowledged, and the age of the oldest of them (0 without one)."""

    role: str
    topic: str
    partition: int
    records: int
    seconds: float

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        labels = (self.role, self.topic, str(self.partition))
        yield "weir_lag_records", labels, self.records
        yield "weir_lag_seconds", labels, self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionsAssigned:
    """The group gave this worker `partitions` partitions in all."""

    role: str
    partitions: int

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_rebalances_total", (self.role,), 1
        yield "weir_assigned_partitions", (self.role,), self.partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRetried:
    """A write failed and is tried again. sink: "kafka", "clickhouse", "online_store", "registry"."""

    role: str
    sink: str

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_retries_total", (self.role, self.sink), 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchScored:
    """One micro-batch went the whole way: its predictions and dead letters are delivered.

    rows: scored. rejected: (stage, reason) -> records. closed_by: what closed the batch ("rows", "wait", ...).
    wait_s: fetch to batch start; the other times are the batch's in that stage.
    lag_s: from the oldest record's time in the broker to delivery.
    cache_hits, cache_lookups: distinct keys over all views. feature_status: (view, status) -> rows.
    feature_oldest_s: view -> age of the oldest record used. dead_letter_share: over the last window, see Settings.
    model_retries: calls of the model beyond the first. store: the breaker of the online store, if there is one.
    """

    service: str
    variant: str
    rows: int
    closed_by: str
    wait_s: float
    decode_s: float
    lookup_s: float
    assemble_s: float
    run_s: float
    encode_s: float
    produce_s: float
    lag_s: float
    rejected: Mapping[tuple[Stage, Reason], int] = field(default_factory=dict)
    dead_letter_share: float = 0.0
    cache_hits: int = 0
    cache_lookups: int = 0
    feature_status: Mapping[tuple[str, Status], int] = field(default_factory=dict)
    feature_oldest_s: Mapping[str, float] = field(default_factory=dict)
    model_retries: int = 0
    store: BreakerState | None = None

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        service = self.service
        yield "weir_scored_rows_total", (service, self.variant), self.rows
        yield "weir_batch_rows", (service,), self.rows + sum(self.rejected.values())
        yield "weir_batches_total", (service, self.closed_by), 1
        for stage in ("wait", "decode", "lookup", "assemble", "run", "encode", "produce"):
            yield "weir_stage_seconds", (service, stage), getattr(self, f"{stage}_s")
        yield "weir_score_lag_seconds", (service,), self.lag_s
        for (where, reason), records in self.rejected.items():
            yield "weir_dead_letters_total", (service, where.value, reason.value), records
        yield "weir_dead_letter_share", (service,), self.dead_letter_share
        yield "weir_model_retries_total", (service,), self.model_retries
        if self.store is not None:
            yield "weir_feature_store_breaker", (service,), self.store
        yield "weir_cache_lookups_total", (service, "hit"), self.cache_hits
        yield "weir_cache_lookups_total", (service, "miss"), self.cache_lookups - self.cache_hits
        for (view, status), rows in self.feature_status.items():
            yield "weir_feature_values_total", (service, view, status.name.lower()), rows
        for view, age_s in self.feature_oldest_s.items():
            yield "weir_feature_age_seconds", (service, view), age_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRecorded:
    """An announced block is in ClickHouse. repeats: rows dropped before. replayed: announced before a crash."""

    table: str
    rows: int
    insert_s: float
    repeats: int = 0
    replayed: bool = False

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_recorded_rows_total", (self.table,), self.rows
        yield "weir_repeats_dropped_total", (self.table,), self.repeats
        yield "weir_block_rows", (self.table,), self.rows
        yield "weir_block_insert_seconds", (self.table,), self.insert_s
        yield "weir_blocks_replayed_total", (self.table,), int(self.replayed)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesApplied:
    """One push to the online store. records: view -> written. watermark_us: event time up to which it is complete."""

    records: Mapping[str, int]
    write_s: float
    watermark_us: int

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        for view, records in self.records.items():
            yield "weir_feature_writes_total", (view,), records
        yield "weir_feature_write_seconds", (), self.write_s
        yield "weir_feature_watermark_seconds", (), self.watermark_us / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryChecked:
    """The columnar read was compared with Feast's on `rows` rows; `mismatches` values differed."""

    service: str
    rows: int
    mismatches: int

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_canary_rows_total", (self.service,), self.rows
        yield "weir_canary_mismatches_total", (self.service,), self.mismatches


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChecked:
    """The ledger was asked. gaps, duplicates, missing: offsets at fault."""

    service: str
    gaps: int
    duplicates: int
    missing: int

    def samples(self) -> Iterator[Sample]:
        """See Event."""
        yield "weir_ledger_complete", (self.service,), int(self.gaps == self.duplicates == self.missing == 0)
        yield "weir_ledger_faults", (self.service, "gap"), self.gaps
        yield "weir_ledger_faults", (self.service, "duplicate"), self.duplicates
        yield "weir_ledger_faults", (self.service, "missing"), self.missing


EVENTS = (WorkerStarted, ChunkFetched, ChunkCommitted, LagMeasured, PartitionsAssigned, WriteRetried, BatchScored,
          BlockRecorded, FeaturesApplied, CanaryChecked, LedgerChecked)


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


def table() -> str:
    """METRICS as a Markdown page; infra/metrics.md holds it, and a test says when it is stale."""
    lines = ["# Metrics", "", "Generated from `app/telemetry.py` by `make generated`.", "",
             "| metric | kind | unit | labels | meaning | what to do |", "|---|---|---|---|---|---|"]
    lines += [f"| `{m.name}` | {m.kind} | {m.unit} | {', '.join(m.labels)} | {m.meaning} | {m.action} |"
              for m in METRICS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
