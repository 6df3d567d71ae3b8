"""One day of three services, made where it is stored: a binary one that drifts, one of three classes, and a regression.

Of `flight-delay` the first input moved six hours ago and an alert of it fires; version 8 came eight hours ago; fifty
offsets of partition 1 are missing, partition 3 is forty minutes behind, and some records were turned away.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from clickhouse_connect.driver import Client
from weir.core.prices import UNITS, Price, tariffs
from weir.core.topics import Names, subject_of
from weir.edges.clickhouse import costs, results
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry
from weir.monitor.alert import AlertState, Mark, Note, NoteKind, Severity, Transition, Watched
from weir.monitor.measurement import Covered, Measurement, State
from weir.settings import Settings
from weir.wire import request_contract
from weir.wire.encode import Encoder

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE
from tests.doubles.measured import figure, record

NOW: Final = datetime(2026, 11, 28, 20, tzinfo=UTC)
DAY: Final = timedelta(days=1)
GAP_S: Final = 6  # between predictions of a service
ENTRY: Final = 40  # offsets of an entry of the ledger
STEP_S: Final = 900  # of histograms
INPUTS: Final = ("delay_3h", "late_24h", "late_7d", "wind", "distance", "hour")
KNOWN: Final = {
    INPUTS[0]: {"importance": 0.6, "view": "delays"},
    INPUTS[1]: {"importance": 0.3, "view": "delays"},
    INPUTS[5]: {"importance": 0.1, "cycle": "calendar"},
}  # of some inputs more, as a bundle's reference says it
MOVED_AT: Final = NOW - timedelta(hours=6)
RELEASED_AT: Final = NOW - timedelta(hours=8)
SINCE: Final = date(2020, 1, 1)  # of prices
BEHIND: Final = timedelta(minutes=40)


@dataclass(frozen=True, slots=True)
class Of:
    """A service. classes: what comes true, of two the positive one second; none of a number."""

    service: str
    task: str
    classes: tuple[str, ...]
    partitions: int
    owner: str

    @property
    def topic(self) -> str:
        return Names("weir").requests(self.service)


FLIGHTS: Final = Of("flight-delay", "binary", ("on_time", "late"), 4, "ops-planning")
PARCELS: Final = Of("parcel-kind", "multiclass", ("letter", "box", "pallet"), 2, "logistics")
ARRIVALS: Final = Of("eta-promise", "regression", (), 2, "routing")
SERVICES: Final = (FLIGHTS, PARCELS, ARRIVALS)
COUNT: Final = int(DAY.total_seconds()) // GAP_S

BUNDLE: Final = """
    INSERT INTO bundles (digest, sha256, service, model, version, inputs, outputs, task, classes, decisions, cuts,
                         threshold, reference, role, written_at)
    SELECT {digest:String}, {digest:String}, {service:String}, 'm', {version:String}, {inputs:Array(String)},
           if({task:String} = 'multiclass', {classes:Array(String)}, []), {task:String}, {classes:Array(String)},
           {classes:Array(String)}, if({task:String} = 'binary', [0.4], []),
           if({task:String} = 'binary', 0.4, NULL), {known:String}, 'scorer', {at:DateTime}
"""
# Of prediction k all is made of k. chance: of the positive class; which: of three classes the true one.
OF_K: Final = """
    toInt64({begin_ms:Int64} + number * {gap_ms:Int64}) AS ms, leftPad(lower(hex(ms)), 12, '0') AS digits,
    toUUID(concat(substring(digits, 1, 8), '-', substring(digits, 9, 4), '-7', leftPad(hex(number % 4096), 3, '0'),
                  '-8', leftPad(hex({salt:UInt32}), 3, '0'), '-', leftPad(hex(number), 12, '0'))) AS id,
    number % {partitions:UInt32} AS partition, intDiv(number, {partitions:UInt32}) AS offset,
    (cityHash64(number, {salt:UInt32}) % 1000003) / 1000003 AS luck, ms >= {moved_ms:Int64} AS moved,
    pow(luck, 1.6) AS chance, toUInt8(1 + cityHash64(number, 'which') % 3) AS which,
    NOT (partition = 3 AND ms >= {behind_ms:Int64}) AS there,
    NOT ({gap:UInt8} = 1 AND partition = 1 AND offset BETWEEN 1200 AND 1249) AND number % 997 != 5 AS answered
"""
PREDICTIONS: Final = f"""
    INSERT INTO predictions (prediction_id, request_id, service, model, version, digest, variant, tenant, score,
                             decision, event_time, scored_at, source_log, source_topic, source_partition, source_offset,
                             batch_id, outputs, features)
    WITH {OF_K}, ms >= {{released_ms:Int64}} AND {{task:String}} = 'binary' AS new,
         if(luck < 0.75, which, 1 + which % 3)::UInt8 AS decided
    SELECT id, toString(number), {{service:String}}, 'm', if(new, '8', '7'), if(new, 'd8', {{digest:String}}),
           'champion', ['atlas', 'borealis', 'cirrus'][1 + number % 3],
           toFloat32(multiIf({{task:String}} = 'binary', least(chance + if(moved, 0.15, 0), 0.99),
                             {{task:String}} = 'multiclass', 0.5 + luck / 2, 20 + 30 * luck)),
           multiIf({{task:String}} = 'binary', if(chance + if(moved, 0.15, 0) >= 0.4, {{classes:Array(String)}}[2],
                                                  {{classes:Array(String)}}[1]),
                   {{task:String}} = 'multiclass', {{classes:Array(String)}}[decided], ''),
           fromUnixTimestamp64Milli(ms, 'UTC'), fromUnixTimestamp64Milli(ms + 3 + toInt64(6 * luck * luck), 'UTC'),
           'log', {{topic:String}}, partition, offset, intDiv(number, {{entry:Int64}}),
           if({{task:String}} = 'multiclass', mapFromArrays({{classes:Array(String)}},
              arrayMap(i -> toFloat32(if(i = decided, 0.5 + luck / 2, (0.5 - luck / 2) / 2)), [1, 2, 3])), map()),
           mapFromArrays({{inputs:Array(String)}}, arrayMap(i -> toFloat32((cityHash64(number, i) % 1009) / 100),
               range(length({{inputs:Array(String)}}))))
    FROM numbers({{count:UInt64}})
    WHERE there AND answered
"""
OUTCOMES: Final = f"""
    INSERT INTO outcomes (service, prediction_id, label, observed, revision, occurred_at, received_at, log_id,
                          log_topic, log_partition, log_offset)
    WITH {OF_K}, toInt64(ms + 60000 * (10 + number % 170)) AS known_ms,
         fromUnixTimestamp64Milli(known_ms, 'UTC') AS at
    SELECT {{service:String}}, id,
           multiIf({{task:String}} = 'binary',
                   {{classes:Array(String)}}[if((cityHash64(number, 'y') % 1009) / 1009 < chance, 2, 1)],
                   {{task:String}} = 'multiclass', {{classes:Array(String)}}[which], NULL),
           if({{task:String}} = 'regression', 20 + 30 * luck + (cityHash64(number, 'y') % 1009) / 100 - 5, NULL),
           1, at, at, 'log', 'weir.outcomes', 0, number
    FROM numbers({{count:UInt64}})
    WHERE known_ms < {{now_ms:Int64}} AND cityHash64(number, 'known') % 100 < 96
"""
SPAN: Final = """
    number % {partitions:UInt32} AS partition, intDiv(number, {partitions:UInt32}) * {entry:Int64} AS low,
    low + {entry:Int64} - 1 AS high,
    toInt64({begin_ms:Int64} + (high * {partitions:UInt32} + partition) * {gap_ms:Int64} + 9) AS ms,
    fromUnixTimestamp64Milli(ms, 'UTC') AS at,
    NOT (partition = 3 AND ms >= {behind_ms:Int64})
        AND high * {partitions:UInt32} + partition < {count:UInt64} AS there,
    arrayCount(o -> (o * {partitions:UInt32} + partition) % 997 = 5, range(toUInt64(low), toUInt64(high) + 1)) AS bad
"""
LEDGER: Final = f"""
    INSERT INTO ledger (role, service, source_log, source_topic, source_partition, first, last, read, scored, rejected,
                        digest, worker, written_at)
    WITH {SPAN}
    SELECT 'scorer', {{service:String}}, 'log', {{topic:String}}, partition, low, high, {{entry:Int64}},
           {{entry:Int64}} - bad, bad, 'd', 'w', at
    FROM numbers(toUInt64({{count:UInt64}} / {{entry:Int64}}) + {{partitions:UInt32}})
    WHERE there AND NOT ({{gap:UInt8}} = 1 AND partition = 1 AND low IN (1200))
"""
BATCHES: Final = f"""
    INSERT INTO batches (batch_id, number, service, digests, runs, provider, worker, scored_at, oldest_at, closed_by,
                         rows, scored, rejected, bytes_in, bytes_out, wait_us, decode_us, assemble_us, run_us,
                         encode_us, cpu_us, produce_us, idle_us, source_log, source_topic, ranges)
    WITH {SPAN}
    SELECT number, number, {{service:String}}, [if(ms >= {{released_ms:Int64}}, 'd8', {{digest:String}})],
           [({{entry:Int32}}, 900)], 'CPUExecutionProvider', 'w', at, at, 'rows', {{entry:Int64}},
           {{entry:Int64}} - bad, bad, 9000, 12000, 5000, 800, 300, 900, 700, 35000, 100, 1000000, 'log',
           {{topic:String}}, [(partition, low, high)]
    FROM numbers(toUInt64({{count:UInt64}} / {{entry:Int64}}) + {{partitions:UInt32}})
    WHERE there
"""
ANSWERS: Final = """
    INSERT INTO batch_answers (service, scored_at, batch_id, variant, model, version, digest, tenant, team, answers)
    SELECT service, min(p.scored_at), batch_id, variant, model, version, digest, tenant, team, count()
    FROM predictions AS p
    WHERE service = {service:String}
    GROUP BY service, batch_id, variant, model, version, digest, tenant, team
"""
HISTOGRAMS: Final = """
    INSERT INTO histogram_blocks (service, digest, version, variant, tenant, kind, name, window, n,
                                  missing, hist, words)
    WITH arrayMap(i -> toInt16(i - 60), range(121)) AS bins, length({inputs:Array(String)}) AS k,
         number % (k + 3) AS which, ['feature', 'score', 'decision', 'category'] AS kinds,
         kinds[if(which < k, 1, which - k + 2)] AS kind, kind = 'score' AND {task:String} != 'regression' AS is_chance,
         {begin:DateTime} + {step:UInt32} * intDiv(number, k + 3) AS at,
         if({task:String} = 'binary' AND which = 0 AND toUnixTimestamp(at) * 1000 >= {moved_ms:Int64}, 0.9, 0.)
             + (cityHash64(number) % 100) / 1000 AS shift,
         arrayMap(b -> exp(-0.5 * pow(sinh(b / 16) - shift, 2)) * cosh(b / 16), bins) AS density,
         arrayMap(x -> toUInt64(round(150 * x / arraySum(density))), density) AS counts, arraySum(counts) AS total,
         toUnixTimestamp(at) * 1000 >= {released_ms:Int64} AND {task:String} = 'binary' AS new
    SELECT {service:String}, if(new, 'd8', {digest:String}), if(new, '8', '7'), 'champion', 'atlas',
           kind, multiIf(which < k, {inputs:Array(String)}[which + 1], kind = 'category', 'channel', ''),
           at, total, if(which = 1, 3, 0),
           multiIf(is_chance, CAST((arrayMap(b -> toInt16(500 + 8 * b), bins), counts), 'Map(Int16, UInt64)'),
                   kind IN ('feature', 'score'), CAST((bins, counts), 'Map(Int16, UInt64)'), map()),
           multiIf(kind = 'decision' AND notEmpty({classes:Array(String)}),
                   mapFromArrays({classes:Array(String)},
                                 arrayMap(c -> toUInt64(intDiv(total, greatest(length({classes:Array(String)}), 1))),
                                          {classes:Array(String)})),
                   kind = 'category', map('app', toUInt64(total - 20), 'mail', toUInt64(12),
                                          if(new, 'fax', 'shop'), toUInt64(8)),
                   map())
    FROM numbers(toUInt64({windows:UInt32} * (k + 3)))
"""
REFERENCES: Final = """
    INSERT INTO baselines (id, service, digest, kind, name, grid, center, scale, n, whole, hist, words)
    SELECT concat('reference:', {digest:String}), {service:String}, {digest:String}, kind, name,
           multiIf(kind = 'score' AND {task:String} != 'regression', 'unit', kind IN ('feature', 'score'), 'asinh', ''),
           0, 1,
           sum(n), 1, sumMap(hist), sumMap(words)
    FROM histograms_hour WHERE service = {service:String} AND window < {begin:DateTime} + 21600
    GROUP BY kind, name
"""
# Under offsets that nobody answered otherwise: every 997th request.
LETTERS: Final = f"""
    INSERT INTO dead_letters (source_log, source_topic, source_partition, source_offset, service, stage, reason, detail,
                              key, value, rejected_at, log_id, log_topic, log_partition, log_offset)
    WITH {OF_K}
    SELECT 'log', {{topic:String}}, partition, offset, {{service:String}},
           if(number % 2 = 1, 'validate', 'decode'), if(number % 2 = 1, 'out_of_range', 'undecodable'),
           if(number % 2 = 1, 'amount = -14, below the lowest valid value 0', 'the body ends inside the field amount'),
           'customer-7', if(number % 2 = 1, unhex({{good:String}}), unhex('00000000070a2f')),
           fromUnixTimestamp64Milli(ms, 'UTC'), 'dlog', 'weir.dead-letters', 0, {{salt:UInt32}} * 100000 + number
    FROM numbers({{count:UInt64}})
    WHERE there AND NOT answered AND number % 997 = 5
"""


def fill(
    client: Client, good: bytes = b"\x00\x00\x00\x00\x07", services: tuple[Of, ...] = SERVICES, *, measured: bool = True
) -> None:
    """The day before NOW. good: value of a letter that decodes. measured: whether monitors have looked at it."""
    worth = {"binary": "if(label = 'late' AND decision = 'late', 10, -1)", "multiclass": "if(label = decision, 1, -1)"}
    results.make(client, {of.service: worth.get(of.task, "0 - abs(observed - score)") for of in services})
    costs.make(client, "USD", [one for unit in UNITS for one in tariffs(unit, [Price(SINCE, Decimal("0.00001"))])], [])
    for salt, of in enumerate(services, 1):
        _fill(client, of, salt, good)
    if measured:
        record(client, _measured())
    _alerts(client)


def served(settings: Settings) -> bytes:
    """Give FLIGHTS a contract and topics; a record of it that decodes and is out of range."""
    registry = Registry(settings.registry)
    registry.register(subject_of(FLIGHTS.topic), request_contract.build(FLIGHTS.service, SIGNATURE))
    ensure(settings, declared(settings.having(service=FLIGHTS.service)))
    encoder = Encoder(registry.contract(subject_of(FLIGHTS.topic)))
    return encoder.encode(tiny.changed(tiny.rows(1), amount=-14.0))[0]


def _fill(client: Client, of: Of, salt: int, good: bytes) -> None:
    begin = NOW - DAY
    asked: Mapping[str, Any] = {
        "service": of.service,
        "topic": of.topic,
        "task": of.task,
        "classes": list(of.classes),
        "inputs": list(INPUTS if of is FLIGHTS else INPUTS[3:]),
        "partitions": of.partitions,
        "salt": salt,
        "gap": int(of is FLIGHTS),
        "digest": f"d{salt}",
        "version": "7",
        "count": COUNT,
        "entry": ENTRY,
        "gap_ms": GAP_S * 1000,
        "step": STEP_S,
        "windows": int(DAY.total_seconds()) // STEP_S,
        "begin": _written(begin),
        "at": _written(begin),
        "begin_ms": _ms(begin),
        "now_ms": _ms(NOW),
        "moved_ms": _ms(MOVED_AT),
        "released_ms": _ms(RELEASED_AT) if of is FLIGHTS else 2**52,
        "behind_ms": _ms(NOW - BEHIND),
        "good": good.hex(),
        "known": json.dumps({"inputs": KNOWN}) if of is FLIGHTS else "",
    }
    for sql in (BUNDLE, PREDICTIONS, OUTCOMES, LEDGER, BATCHES, ANSWERS, HISTOGRAMS, REFERENCES, LETTERS):
        _run(client, sql, asked)
    if of is FLIGHTS:
        new = {**asked, "digest": "d8", "version": "8", "at": _written(RELEASED_AT)}
        _run(client, BUNDLE, new)
        _run(client, REFERENCES, new)


def _measured() -> list[Measurement]:
    """What the monitor worker would have found last."""
    end = NOW - timedelta(hours=1)
    inputs = [(one, name) for one in SERVICES for name in (INPUTS if one is FLIGHTS else INPUTS[3:])]
    drifts = [
        figure(of.service, "drift/features", 0.91 if bad else 0.01, end, name, state=State.PAGE if bad else State.OK)
        for of, name in inputs
        for bad in [of is FLIGHTS and name == INPUTS[0]]
    ]
    good = (
        (FLIGHTS, "outcome/auc", 0.637, ""),
        (PARCELS, "outcome/accuracy", 0.75, "accuracy"),
        (ARRIVALS, "outcome/error", 2.6, "mae"),
    )
    qualities = [figure(of.service, name, value, end, subject) for of, name, value, subject in good]
    costs = [
        figure(of.service, "cost/services", 1.9, end, "champion", details={"currency": "USD", "total": 0.03})
        for of in SERVICES
    ]
    return [*drifts, *qualities, *costs, *_foreseen()]


def _foreseen() -> list[Measurement]:
    """Estimates of twelve days, of the newest two of which nothing came true; those of classes cannot be trusted."""
    midnight, found = NOW.replace(hour=0), []
    for of, subject, level in ((FLIGHTS, "auc", 0.64), (PARCELS, "accuracy", 0.75), (ARRIVALS, "mae", 2.6)):
        doubts = ["estimates before it were too high by 0.1 on average"] if of is PARCELS else []
        for day in range(12):
            said = level + 0.004 * (day % 3)
            details = {"estimate": said, "realised": None if day < 2 else level, "doubts": doubts, "error": 0.004}
            details["maturity"] = 0.1 if day < 2 else 0.96
            band = {} if doubts else {"low": said - 0.02, "high": said + 0.02}
            made = figure(
                *(of.service, "outcome/estimated", said, midnight - day * DAY, subject),
                step_s=86_400,
                details=details,
                **band,
            )
            found.append(replace(made, value=None, state=State.FEW) if doubts else made)
    return found


def _alerts(client: Client) -> None:
    rows = [one.row() for one in TRANSITIONS]
    for number, row in enumerate(rows):
        for name in ("at", "begin", "end"):
            row[name] = datetime.fromtimestamp(row[name] / 1000, UTC)
        row["covers"] = [tuple(one) for one in json.loads(row["covers"])]
        row |= {"log_id": "a", "log_topic": "weir.alerts", "log_partition": 0, "log_offset": number}
    _insert(client, "alerts", rows)
    notes = [one.row() for one in NOTES]
    for row in notes:
        row["at"] = datetime.fromtimestamp(row["at"] / 1000, UTC)
        row["until"] = row["until"] and datetime.fromtimestamp(row["until"] / 1000, UTC)
        row |= {"log_id": "n", "log_topic": "weir.alert-notes", "log_partition": 0, "log_offset": 0}
    _insert(client, "alert_notes", notes)


def _insert(client: Client, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    data = [[row[name] for name in names] for row in rows]
    client.insert(table, data, column_names=names, settings={"insert_deduplication_token": uuid.uuid4().hex})


def _run(client: Client, sql: str, asked: Mapping[str, Any]) -> None:
    token = {"insert_deduplication_token": uuid.uuid4().hex, "max_partitions_per_insert_block": 0}
    client.command(sql, parameters=dict(asked), settings=token)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _transition(
    watched: Watched, number: int, to: AlertState | Mark, at: datetime, sentence: str, **more: Any
) -> Transition:
    said = re.search(r": [A-Z ]*([\d.]+)(\s%)?", sentence)
    assert said
    value = float(said[1]) / (100 if said[2] else 1)
    given: dict[str, Any] = {"severity": Severity.PAGE, "from_state": AlertState.PENDING, "evidence": {"value": value}}
    given |= more
    return Transition(
        watched=watched,
        number=number,
        alert_id=f"{watched.key}-1",
        to_state=to,
        at_ms=_ms(at),
        begin_ms=_ms(at - timedelta(hours=1)),
        end_ms=_ms(at),
        sentence=sentence,
        covers=(Covered("log", FLIGHTS.topic, 0, 100, 900), Covered("log", FLIGHTS.topic, 1, 90, 880)),
        **given,
    )


DRIFTED: Final = Watched(
    service=FLIGHTS.service,
    monitor="drift/features",
    subject="delay_3h",
    owner="ops-planning",
    cause="flight-delay drift 2026-11-28",
    runbook="drift",
)
WORSE: Final = Watched(
    service=FLIGHTS.service, monitor="outcome/auc", owner="ops-planning", cause="flight-delay drift 2026-11-28"
)
SLOW: Final = Watched(service=PARCELS.service, monitor="health/traffic", owner="logistics", runbook="health")
REJECTED: Final = Watched(
    service=ARRIVALS.service, monitor="health/rejected", subject="undecodable", owner="routing", runbook="health"
)
SAYS: Final = "Drift of numeric inputs of delay_3h: PSI 0.36, above its limit of 0.25"
TRANSITIONS: Final = (
    _transition(DRIFTED, 1, AlertState.PENDING, NOW - timedelta(hours=5), SAYS, from_state=AlertState.OK),
    _transition(DRIFTED, 2, AlertState.FIRING, NOW - timedelta(hours=4), SAYS),
    _transition(
        DRIFTED,
        3,
        Mark.ACKNOWLEDGED,
        NOW - timedelta(hours=3),
        SAYS,
        from_state=AlertState.FIRING,
        by="ada@desk",
        reason="the feed changed its unit",
    ),
    _transition(
        WORSE,
        1,
        AlertState.FIRING,
        NOW - timedelta(hours=3),
        "Area under the ROC curve: AUC 0.637, below its limit of 0.680",
        from_state=AlertState.OK,
    ),
    _transition(
        SLOW,
        1,
        AlertState.PENDING,
        NOW - timedelta(hours=1),
        "Time from the event to its score: 8.1\u2009ms, above its limit of 8\u2009ms",
        from_state=AlertState.OK,
        severity=Severity.TICKET,
    ),
    _transition(
        REJECTED,
        1,
        AlertState.FIRING,
        NOW - timedelta(hours=12),
        "Share of requests that were rejected of undecodable: 11.0\u2009%, above its limit of 5\u2009%",
        from_state=AlertState.OK,
    ),
    _transition(
        REJECTED,
        2,
        AlertState.RESOLVED,
        NOW - timedelta(hours=11),
        "Share of requests that were rejected of undecodable: 0.1\u2009%, within its limits",
        from_state=AlertState.FIRING,
    ),
)
NOTES: Final = (
    Note(
        note_id="9b0c0000-0000-4000-8000-000000000001",
        kind=NoteKind.ACK,
        key=DRIFTED.key,
        by="ada@desk",
        reason="the feed changed its unit",
        at_ms=_ms(NOW - timedelta(hours=3)),
    ),
)
