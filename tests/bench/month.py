"""A month of one service, made where it is stored: through Kafka ten million predictions would take minutes.

30 days, evenly spread: predictions with their outcomes, the ledger, batches, and histograms of 30 inputs as the
recorder counts them. A twentieth of the outcomes never comes. Scores are the chances by which the outcomes come true.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver import Client
from weir.core.topics import Names
from weir.edges.clickhouse import costs, results

SERVICE: Final = "month"
TOPIC: Final = Names("weir").requests(SERVICE)
BEGIN: Final = datetime(2026, 1, 5, tzinfo=UTC)
DAYS, FEATURES = 30, 30
ENTRY: Final = 1000  # predictions of a batch, and of an entry of the ledger
LABELLED: Final = 0.95
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
BUNDLE: Final = """
    INSERT INTO bundles (digest, sha256, service, model, version, inputs, task, classes, decisions, threshold, role,
                         written_at)
    SELECT 'd', 'd', {service:String}, 'm', '1', arrayMap(i -> concat('f', toString(i)), range({features:UInt32})),
           'binary', ['no', 'yes'], ['no', 'yes'], 0.5, 'scorer', {begin:DateTime}
"""
# Of prediction k all is made of k: its id of its time and k, its score and what comes true of hashes of k.
OF_K: Final = """
    toInt64({begin_ms:Int64} + intDiv(number * {gap_us:Int64}, 1000)) AS ms, leftPad(lower(hex(ms)), 12, '0') AS digits,
    toUUID(concat(substring(digits, 1, 8), '-', substring(digits, 9, 4), '-7', leftPad(hex(number % 4096), 3, '0'),
                  '-8000-', leftPad(hex(number), 12, '0'))) AS id,
    toFloat32(pow((cityHash64(number) % 1000003) / 1000003, 2)) AS chance
"""
# The batch of prediction k is called after its first; it is scored when its last is there.
BATCH_OF_K: Final = """
    {first:Int64} + intDiv(toInt64(number) - {first:Int64}, {entry:Int64}) * {entry:Int64} AS low,
    least(low + {entry:Int64}, {first:Int64} + {count:Int64}) AS end,
    fromUnixTimestamp64Milli(toInt64({begin_ms:Int64} + intDiv(end * {gap_us:Int64}, 1000) + 4), 'UTC') AS scored
"""
PREDICTIONS: Final = f"""
    INSERT INTO predictions (prediction_id, request_id, service, model, version, digest, variant, tenant, score,
                             decision, event_time, scored_at, source_log, source_topic, source_partition, source_offset,
                             batch_id, features)
    WITH {OF_K}, {BATCH_OF_K}, range({{features:UInt32}}) AS inputs
    SELECT id, toString(number), {{service:String}}, 'm', '1', 'd', 'champion', concat('t', toString(number % 5)),
           chance, if(chance >= 0.5, 'yes', 'no'), fromUnixTimestamp64Milli(ms, 'UTC'),
           scored, 'log', {{topic:String}}, 0, number, low,
           mapFromArrays(arrayMap(i -> concat('f', toString(i)), inputs),
               arrayMap(i -> toFloat32((cityHash64(number, i) % 1009) / 1009), inputs))
    FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""
OUTCOMES: Final = f"""
    INSERT INTO outcomes (service, prediction_id, label, revision, occurred_at, received_at, log_id, log_topic,
                          log_partition, log_offset)
    WITH {OF_K}, fromUnixTimestamp64Milli(toInt64(ms + 60000 * (number % 120)), 'UTC') AS at
    SELECT {{service:String}}, id, if((cityHash64(number, 'label') % 1000003) / 1000003 < chance, 'yes', 'no'), 1,
           at, at, 'log', 'weir.outcomes', 0, number
    FROM numbers({{first:UInt64}}, {{count:UInt64}})
    WHERE cityHash64(number, 'known') % 1000 < {{labelled:UInt32}}
"""
# Of entry and batch `number` of a time.
SPAN: Final = """
    {first:Int64} + number * {entry:Int64} AS low,
    least(low + {entry:Int64}, {first:Int64} + {count:Int64}) AS end, end - low AS n,
    fromUnixTimestamp64Milli(toInt64({begin_ms:Int64} + intDiv(end * {gap_us:Int64}, 1000) + 4), 'UTC') AS at
"""
LEDGER: Final = f"""
    INSERT INTO ledger (role, service, source_log, source_topic, source_partition, first, last, read, scored, digest,
                        worker, written_at)
    WITH {SPAN}
    SELECT 'scorer', {{service:String}}, 'log', {{topic:String}}, 0, low, end - 1, n, n, 'd', 'w', at
    FROM numbers(toUInt64(ceil({{count:Int64}} / {{entry:Int64}})))
"""
BATCHES: Final = f"""
    INSERT INTO batches (batch_id, number, service, digests, runs, provider, worker, scored_at, oldest_at, closed_by,
                         rows, scored, bytes_in, bytes_out, wait_us, decode_us, assemble_us, run_us, encode_us, cpu_us,
                         produce_us, idle_us, source_log, source_topic, ranges)
    WITH {SPAN}
    SELECT low, low, {{service:String}}, ['d'], [(n, 900)], 'CPUExecutionProvider',
           'w', at, at, 'rows', n, n, 200 * n, 300 * n, 2000, 800, 300, 900, 700, 3500, 100, 1000, 'log',
           {{topic:String}}, [(0, low, end - 1)]
    FROM numbers(toUInt64(ceil({{count:Int64}} / {{entry:Int64}})))
"""
ANSWERS: Final = """
    INSERT INTO batch_answers (service, scored_at, batch_id, variant, model, version, digest, tenant, team, answers)
    SELECT service, any(p.scored_at), batch_id, variant, model, version, digest, tenant, team, count()
    FROM predictions AS p
    WHERE service = {service:String} AND source_offset >= {first:Int64}
        AND source_offset < {first:Int64} + {count:Int64}
    GROUP BY service, batch_id, variant, model, version, digest, tenant, team
"""
HISTOGRAMS: Final = """
    INSERT INTO histogram_blocks (service, digest, version, variant, tenant, kind, name, window, n, hist, words)
    WITH arrayMap(i -> toInt16(i - 60), range(121)) AS bins,
         arrayMap(k -> exp(-0.5 * pow(sinh(k / 16), 2)) * cosh(k / 16), bins) AS density,
         arrayMap(x -> toUInt64(round({rows:Float64} * x / arraySum(density))), density) AS counts,
         arraySum(counts) AS total, intDiv(total, 3) AS yes, number % ({features:UInt32} + 2) AS which
    SELECT {service:String}, 'd', '1', 'champion', 't0', multiIf(which < {features:UInt32}, 'feature',
               which = {features:UInt32}, 'score', 'decision'),
           if(which < {features:UInt32}, concat('f', toString(which)), ''),
           {since:DateTime} + {step:UInt32} * intDiv(number, {features:UInt32} + 2), total,
           if(which <= {features:UInt32}, CAST((bins, counts), 'Map(Int16, UInt64)'), map()),
           if(which > {features:UInt32}, map('no', toUInt64(total - yes), 'yes', toUInt64(yes)), map())
    FROM numbers(toUInt64({windows:UInt32} * ({features:UInt32} + 2)))
"""
REFERENCES: Final = """
    INSERT INTO baselines (id, service, digest, kind, name, grid, center, scale, n, whole, hist, words)
    SELECT 'reference:d', service, 'd', kind, name, 'asinh', 0, 1, sum(n), 1, sumMap(hist), sumMap(words)
    FROM histograms_hour WHERE service = {service:String} AND window < {begin:DateTime} + 86400
    GROUP BY service, kind, name
"""


@dataclass(frozen=True, slots=True)
class Month:
    """predictions: in all 30 days."""

    predictions: int

    @property
    def gap_us(self) -> int:
        return DAYS * 86_400_000_000 // self.predictions

    def first(self, at: datetime) -> int:
        """The first prediction from a time on."""
        return -(-int((at - BEGIN) / timedelta(microseconds=1)) // self.gap_us)

    def begin(self, client: Client) -> None:
        """A bundle, a formula of value and a book of prices."""
        self._run(client, BUNDLE)
        results.make(client, {SERVICE: "if(label = 'yes' AND decision = 'yes', 10, -1)"})
        costs.make(client, "EUR", [], [])

    def fill(self, client: Client, begin: datetime, end: datetime, *, inputs: bool = False) -> None:
        """What is recorded of a time, a day at once. inputs: what the model saw of each prediction, too.

        Histograms are by the minute where `inputs` are asked for, else by the hour.
        """
        while begin < end:
            until = min(begin + DAY, end)
            first = self.first(begin)
            count = {"first": first, "count": self.first(until) - first}
            self._run(client, PREDICTIONS, features=FEATURES if inputs else 0, **count)
            for sql in (LEDGER, BATCHES, ANSWERS, OUTCOMES):
                self._run(client, sql, **count)
            step_s = 60 if inputs else 3600
            windows = int((until - begin).total_seconds()) // step_s
            rows = count["count"] / max(1, windows)
            self._run(client, HISTOGRAMS, since=_written(begin), step=step_s, windows=windows, rows=rows)
            begin = until

    def refer(self, client: Client) -> None:
        """Let the first day be what is normal."""
        self._run(client, REFERENCES)

    def _run(self, client: Client, sql: str, **more: Any) -> None:
        asked: Mapping[str, Any] = {
            "service": SERVICE,
            "topic": TOPIC,
            "begin": _written(BEGIN),
            "begin_ms": round(BEGIN.timestamp() * 1000),
            "gap_us": self.gap_us,
            "entry": ENTRY,
            "features": FEATURES,
            "labelled": round(1000 * LABELLED),
        }
        token = {"insert_deduplication_token": uuid.uuid4().hex, "max_partitions_per_insert_block": 0}
        client.command(sql, parameters={**asked, **more}, settings=token)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
