"""Every metric: name, kind, unit, labels, meaning, and what to do when it looks wrong.

`python -m weir.metrics` prints the table that stands in infra/metrics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    Metric(
        "weir_worker_info",
        "gauge",
        "1",
        ("role", "service", "version", "digest", "engine"),
        "1 while the worker runs; digest: the bundle's first 12 characters, engine: what scores it; empty without one",
        "more than one digest for a service at a time: a roll-out is under way or stuck",
    ),
    Metric(
        "weir_worker_ready_seconds",
        "gauge",
        "seconds",
        ("role",),
        "from process start to the first poll for work",
        "above 15: look at the log for what it waited for",
    ),
    Metric(
        "weir_records_fetched_total",
        "counter",
        "records",
        ("role", "topic"),
        "records handed over by the consumer",
        "flat while producers produce: check the group's assignment and the broker",
    ),
    Metric(
        "weir_lag_records",
        "gauge",
        "records",
        ("role", "topic", "partition"),
        "end of the partition less the position acknowledged",
        "rising steadily: start another worker of the role, up to one per partition",
    ),
    Metric(
        "weir_lag_seconds",
        "gauge",
        "seconds",
        ("role", "topic", "partition"),
        "age of the oldest record not yet acknowledged; 0 when caught up",
        "above the service's promise: as for weir_lag_records; if one partition only, look for a hot key",
    ),
    Metric(
        "weir_committed_offset",
        "gauge",
        "offset",
        ("role", "topic", "partition"),
        "next offset that a restarted worker would read",
        "flat while records are fetched: a sink does not answer; see weir_retries_total",
    ),
    Metric(
        "weir_records_acknowledged_total",
        "counter",
        "records",
        ("role", "topic"),
        "records whose results were delivered",
        "compare with weir_records_fetched_total",
    ),
    Metric(
        "weir_rebalances_total",
        "counter",
        "rebalances",
        ("role",),
        "times the group gave this worker a new set of partitions",
        "more than a few an hour: workers restart or exceed the session time-out",
    ),
    Metric(
        "weir_assigned_partitions",
        "gauge",
        "partitions",
        ("role",),
        "partitions that this worker reads",
        "0 on one worker is normal when there are more workers than partitions",
    ),
    Metric(
        "weir_retries_total",
        "counter",
        "attempts",
        ("role", "sink"),
        "the recorder's writes that were tried again within WEIR_SINK_BUDGET_S; sink: clickhouse",
        "rising: ClickHouse is down or slow; the recorder stops when the budget is spent, and nothing is lost",
    ),
    # scoring
    Metric(
        "weir_scored_rows_total",
        "counter",
        "rows",
        ("service", "variant"),
        "rows scored and delivered",
        "the service's rate",
    ),
    Metric(
        "weir_dead_letters_total",
        "counter",
        "records",
        ("service", "stage", "reason"),
        "records rejected, by stage and reason (core.rejects)",
        "one reason jumps: a producer changed; query dead_letters for its detail column",
    ),
    Metric(
        "weir_dead_letter_share",
        "gauge",
        "share",
        ("service",),
        "share of dead letters over the last WEIR_DEAD_LETTER_WINDOW records",
        "past WEIR_DEAD_LETTER_LIMIT the worker stops: repair the producer, then restart",
    ),
    Metric(
        "weir_model_retries_total",
        "counter",
        "calls",
        ("service",),
        "calls of the model beyond one per micro-batch: a row made it raise, and is looked for by halving",
        "rising: `weir dead-letters list --reason model_failed`; nothing there: the model fails now and then",
    ),
    Metric(
        "weir_batch_rows",
        "histogram",
        "rows",
        ("service",),
        "records in a micro-batch, rejected ones included",
        "always 1 under load: chunks do not merge; raise WEIR_BATCH_MAX_WAIT_MS",
        ROWS,
    ),
    Metric(
        "weir_batches_total",
        "counter",
        "batches",
        ("service", "closed_by"),
        "micro-batches by what closed them",
        "mostly by rows: the worker is saturated",
    ),
    Metric(
        "weir_stage_seconds",
        "histogram",
        "seconds",
        ("service", "stage"),
        "time of one micro-batch in one stage; stage: wait, decode, lookup, assemble, run, encode or produce",
        "the stage that grew is the one to look at; lookup: the online store; produce: the broker",
        SECONDS,
    ),
    Metric(
        "weir_score_lag_seconds",
        "histogram",
        "seconds",
        ("service",),
        "from the oldest record's time in the broker to its prediction delivered",
        "above the service's promise: see weir_stage_seconds, then weir_lag_records",
        LAGS_S,
    ),
    Metric(
        "weir_cache_lookups_total",
        "counter",
        "keys",
        ("service", "result"),
        "distinct feature keys asked of the cache; result: hit or miss",
        "hit share falls: raise WEIR_CACHE_MAX_KEYS or WEIR_CACHE_TTL_S",
    ),
    Metric(
        "weir_feature_records_incomplete_total",
        "counter",
        "records",
        ("service",),
        "feature records read from the store that lack a feature asked for: another version of the view wrote them",
        "grows: the scorer's log names view and features; write the view with the definitions that the bundle reads",
    ),
    Metric(
        "weir_feature_values_total",
        "counter",
        "values",
        ("service", "view", "status"),
        "feature records per row by view and status (core.features.Status)",
        "not_found or stale rises: the feature worker is behind, or the join key changed its spelling; unavailable: "
        "see weir_feature_store_breaker",
    ),
    Metric(
        "weir_feature_store_breaker",
        "gauge",
        "state",
        ("service",),
        "whether the scorer asks the online store: 0 yes, 1 one trial, 2 no, since it does not answer in time",
        "2: start or relieve the store; rows are scored meanwhile as on_unavailable in the bundle's signature says",
    ),
    Metric(
        "weir_feature_age_seconds",
        "histogram",
        "seconds",
        ("service", "view"),
        "age of the oldest record of the view used in a micro-batch",
        "past the view's ttl: the feature worker is behind or its source is silent",
        AGES_S,
    ),
    # recording
    Metric(
        "weir_recorded_rows_total",
        "counter",
        "rows",
        ("table",),
        "rows inserted into ClickHouse",
        "compare with weir_scored_rows_total",
    ),
    Metric(
        "weir_unnamed_predictions_total",
        "counter",
        "rows",
        (),
        "predictions recorded with their features packed: no scorer has said what they are called",
        "rising: the log names the digests; see that scorers may write weir.bundles, they are named afterwards",
    ),
    Metric(
        "weir_shadow_rows_total",
        "counter",
        "rows",
        ("service", "variant"),
        "answered requests that a shadow has scored",
        "flat while weir_scored_rows_total rises: the shadow is behind or away; nothing that answers waits for it",
    ),
    Metric(
        "weir_shadow_unscored_total",
        "counter",
        "rows",
        ("service", "variant", "reason"),
        "answered requests of which a shadow says nothing",
        "rising: pairs are missing, and those that are left are no fair sample; the shadow's log names the bundles",
    ),
    Metric(
        "weir_repeats_dropped_total",
        "counter",
        "rows",
        ("table",),
        "repeats of a replaying scorer, dropped before the insert",
        "a burst after a crash is normal; a steady rate means two scorers of one group work on one partition",
    ),
    Metric(
        "weir_block_rows",
        "histogram",
        "rows",
        ("table",),
        "rows of one inserted block",
        "small under load: raise WEIR_BLOCK_MAX_WAIT_S, else ClickHouse has too many parts",
        ROWS,
    ),
    Metric(
        "weir_block_insert_seconds",
        "histogram",
        "seconds",
        ("table",),
        "time of one announced insert",
        "grows: look at system.merges and system.parts",
        SECONDS,
    ),
    Metric(
        "weir_blocks_replayed_total",
        "counter",
        "blocks",
        ("table",),
        "announced blocks repeated after a crash",
        "follows restarts; else look for rebalances",
    ),
    # features
    Metric(
        "weir_feature_writes_total",
        "counter",
        "records",
        ("view",),
        "records pushed to the online store",
        "flat: the events topic is silent or the worker is down",
    ),
    Metric(
        "weir_feature_write_seconds",
        "histogram",
        "seconds",
        (),
        "time of one push to the online store",
        "grows: the store's disk or network",
        SECONDS,
    ),
    Metric(
        "weir_feature_watermark_seconds",
        "gauge",
        "seconds",
        (),
        "event time up to which the online store is complete, seconds since the epoch",
        "time() less this is how old every feature is at least",
    ),
    Metric(
        "weir_canary_rows_total",
        "counter",
        "rows",
        ("service",),
        "rows of a feature service read both by the columnar reader and by Feast's get_online_features",
        "flat: the canary is down",
    ),
    Metric(
        "weir_canary_mismatches_total",
        "counter",
        "values",
        ("service",),
        "values on which the two readers differ",
        "any: stop trusting the features; the log names view, key and both values",
    ),
    Metric(
        "weir_canary_failures_total",
        "counter",
        "looks",
        ("service",),
        "comparisons of a feature service that ended in an error",
        "grows: nothing is compared; the canary's log has the error",
    ),
    # ledger
    Metric(
        "weir_ledger_complete",
        "gauge",
        "bool",
        ("service",),
        "1 when chunks tile the offsets and every record read was answered once; what is on its way is no fault",
        "0: run `weir ledger`; while the recorder catches up, wait for it",
    ),
    Metric(
        "weir_ledger_faults",
        "gauge",
        "offsets",
        ("service", "kind"),
        "offsets at fault; kind: gap, duplicate, missing, stray or unbalanced",
        "run `weir ledger`; it names the partitions",
    ),
    # monitors
    Metric(
        "weir_monitor_windows_total",
        "counter",
        "windows",
        ("service", "monitor"),
        "windows that were computed, for the first time or again",
        "flat while predictions come: see weir_monitor_waiting_windows and weir_monitor_failing",
    ),
    Metric(
        "weir_monitor_windows_again_total",
        "counter",
        "windows",
        ("service", "monitor"),
        "of them those that late records made anew",
        "a good part of all: callers are later than WEIR_MONITOR_LATENESS_S",
    ),
    Metric(
        "weir_monitor_failures_total",
        "counter",
        "queries",
        ("service", "monitor"),
        "queries of a monitor that failed; without a monitor, of all of a service",
        "the worker's log has the reason; `weir monitors check` finds what is wrong with a file",
    ),
    Metric(
        "weir_monitor_failing",
        "gauge",
        "bool",
        ("service", "monitor"),
        "1 while a monitor fails and is left alone",
        "1: as for weir_monitor_failures_total; an alert says so, too",
    ),
    Metric(
        "weir_monitor_waiting_windows",
        "gauge",
        "windows",
        ("service",),
        "windows with predictions that are not complete",
        "more than the newest few: `weir ledger` names what is missing",
    ),
    Metric(
        "weir_monitor_behind_seconds",
        "gauge",
        "seconds",
        ("service",),
        "event time from the first window that is not complete to the newest event recorded",
        "above a window and WEIR_MONITOR_LATENESS_S: as for weir_monitor_waiting_windows",
    ),
    Metric(
        "weir_learner_outcomes",
        "gauge",
        "outcomes",
        ("service", "learner"),
        "outcomes that the state of a learner has learned",
        "flat while outcomes come: `weir learners show NAME`",
    ),
    Metric(
        "weir_learner_stopped",
        "gauge",
        "bool",
        ("service", "learner"),
        "1 while a guard or a person has stopped a learner",
        "1: `weir learners show NAME` says why; `weir learners resume NAME` lets it go on",
    ),
    Metric(
        "weir_learner_delay_seconds",
        "histogram",
        "seconds",
        ("service", "learner"),
        "from the newest outcome to the state that was written with it",
        "above 5: ClickHouse or Kafka is slow, or more comes than one worker learns",
        (0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300),
    ),
    Metric(
        "weir_learner_served_seconds",
        "histogram",
        "seconds",
        ("service", "learner"),
        "from a state of a learner that was written to the scorer or shadow that answers with it",
        "no more of them while weir_learner_outcomes rises: the worker's log says why",
        (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
    ),
    Metric(
        "weir_learner_states_refused_total",
        "counter",
        "states",
        ("service", "learner"),
        "states of a learner that do not fit the bundle that serves it: the last one that did goes on",
        "rising: the worker's log says why; a learner whose file was changed wants `weir learners promote` again",
    ),
    Metric(
        "weir_alert_messages_total",
        "counter",
        "messages",
        ("receiver", "outcome"),
        "messages about alerts: sent, retried, refused by the receiver, or dropped",
        "refused or dropped ones: somebody was not notified; the worker's log says why",
    ),
    Metric(
        "weir_monitor_round_seconds",
        "histogram",
        "seconds",
        (),
        "one look at all services",
        "above WEIR_MONITOR_EVERY_S: the queries of some monitor are slow; `weir monitors explain` shows what it reads",
        SECONDS,
    ),
    Metric(
        "weir_monitor_rounds_failed_total",
        "counter",
        "rounds",
        (),
        "looks that ended because ClickHouse or Kafka did not answer; what was due is due again",
        "rising: see whether they are there",
    ),
)


def table() -> str:
    """METRICS as a Markdown page; infra/metrics.md holds it, and a test says when it is stale."""
    lines = [
        "# Metrics",
        "",
        "Generated from `app/weir/metrics.py` by `make generated`.",
        "",
        "| metric | kind | unit | labels | meaning | what to do |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{m.name}` | {m.kind} | {m.unit} | {', '.join(m.labels)} | {m.meaning} | {m.action} |" for m in METRICS
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
