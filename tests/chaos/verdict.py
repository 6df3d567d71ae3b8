"""What came of what was sent: lost, doubled, wrong; and whether ledger, tables and rollups agree with the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver import Client
from weir.core.chunk import LogPartition
from weir.core.topics import subject_of
from weir.edges.clickhouse import ledger
from weir.edges.kafka.logs import bounds_of, log_of
from weir.scoring import identity
from weir.wire.decode import Decoder

from tests import bundles
from tests.chaos import log, rollups
from tests.chaos.truth import Answers, Truth, matrix
from tests.service_under_test import Tiny

SHOWN = ("gaps", "missing", "duplicates", "stray", "unbalanced", "unread")
ENTRY = ("source_partition", "first", "last", "read", "scored", "rejected")
PREDICTIONS = """
    SELECT source_partition, source_offset, request_id, toString(prediction_id) AS prediction_id, score, decision,
           toUnixTimestamp64Milli(event_time) AS event_ms, tenant, team, traceparent, variant, digest, model, version,
           mapKeys(features) AS names, mapValues(features) AS vals,
           CAST(feature_status, 'Map(String, String)') AS status
    FROM predictions WHERE service = {service:String} AND source_topic = {topic:String}
    ORDER BY source_partition, source_offset
"""
LETTERS = """
    SELECT source_partition, source_offset, stage, reason, hex(key), hex(value) FROM dead_letters
    WHERE service = {service:String} AND source_topic = {topic:String} ORDER BY source_partition, source_offset
"""
ELSEWHERE = "SELECT count() FROM {table:Identifier} WHERE service NOT IN ('', {service:String})"
LEDGER = """
    SELECT log_partition, log_offset, source_partition, first, last, read, scored, rejected FROM ledger
    WHERE service = {service:String} AND role = 'scorer' ORDER BY log_partition, log_offset
"""
SHADOWS = """
    SELECT count(), uniqExact(s.source_log, s.source_partition, s.source_offset), countIf(NOT p.found),
           countIf(p.found AND (p.id != s.prediction_id OR abs(p.score - s.score) > 1e-6))
               + countIf(s.variant != {shadow:String})
    FROM shadows AS s
    LEFT JOIN
    (
        SELECT source_log, source_partition, source_offset, any(prediction_id) AS id, any(predictions.score) AS score,
               true AS found
        FROM predictions GROUP BY source_log, source_partition, source_offset
    ) AS p
        ON s.source_log = p.source_log AND s.source_partition = p.source_partition AND s.source_offset = p.source_offset
"""
UNTILED = """
    SELECT count() FROM
    (
        SELECT number, first, number - lagInFrame(number) OVER w AS step, first - lagInFrame(last) OVER w AS gap,
               row_number() OVER w AS place
        FROM recorder_blocks FINAL
        WINDOW w AS (PARTITION BY log, topic, partition ORDER BY number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE place > 1 AND (step != 1 OR gap != 1)
"""


@dataclass
class Verdict:
    """One fault's result. recovery_s: one a round, see Scene.recovered. problems: none when it passed.

    by_variant: answers that each variant gave.
    """

    group: int
    fault: str
    rounds: int
    sent: int = 0
    scored: int = 0
    dead_lettered: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    repeated_in_log: int = 0
    by_variant: dict[str, int] = field(default_factory=dict)
    recovery_s: list[float] = field(default_factory=list)
    ledger: str = "not asked"
    seconds: float = 0.0
    seed: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        times = self.recovery_s or [0.0]
        return asdict(self) | {
            "passed": self.passed,
            "recovery_median_s": float(np.median(times)),
            "recovery_max_s": max(times),
        }


def judge(verdict: Verdict, service: Tiny, client: Client, truth: Truth, shadow: str = "") -> None:
    """Fill in the verdict once everything has come to rest. shadow: name of the one beside the scorers, if there is."""
    requests = log.read(service.settings, service.topic)
    unlogged = truth.missing_from(requests)
    expected = truth.answers(requests)
    verdict.sent = truth.total
    found = client.query_arrow(PREDICTIONS, parameters=_of(service), use_strings=True)
    letters = client.query(LETTERS, parameters=_of(service)).result_rows
    verdict.scored, verdict.dead_lettered = len(found), len(letters)
    verdict.by_variant = dict(sorted(Counter(found["variant"].to_pylist()).items()))
    _count(verdict, expected, found, letters, unlogged)
    _predictions(verdict, service, truth, expected, found)
    _letters(verdict, truth, expected, letters)
    _shadows(verdict, client, shadow)
    _outcomes(verdict, client, truth)
    _ledger(verdict, service, client)
    for table in ("predictions", "dead_letters", "ledger"):
        strange = client.query(ELSEWHERE, parameters={"table": table, **_of(service)}).first_row[0]
        _blame(verdict, strange, f"rows of {table} belong to no service of this scene")
    _blame(verdict, client.query(UNTILED).first_row[0], "announced blocks do not tile their log")
    for target, rows in rollups.differing(client).items():
        _blame(verdict, rows, f"rows of rollup {target} differ from the tables that it adds up")
    answers_written = len(log.read(service.settings, "weir.predictions")) + len(
        log.read(service.settings, "weir.dead-letters")
    )
    verdict.repeated_in_log = answers_written - len(expected.offset)


def _of(service: Tiny) -> dict[str, str]:
    return {"service": service.name, "topic": service.topic}


def _blame(verdict: Verdict, count: int, what: str) -> None:
    if count:
        verdict.problems.append(f"{count:,} {what}")


def _count(verdict: Verdict, expected: Answers, found: pa.Table, letters: list[tuple[Any, ...]], unlogged: int) -> None:
    """Lost: taken by the broker and answered nowhere. Doubled: answers beyond one, of either kind."""
    places = zip(found["source_partition"].to_pylist(), found["source_offset"].to_pylist(), strict=True)
    answered = Counter(places)
    answered.update((row[0], row[1]) for row in letters)
    due = set(zip(expected.partition.tolist(), expected.offset.tolist(), strict=True))
    verdict.lost = len(due - answered.keys()) + unlogged
    verdict.doubled = answered.total() - len(answered)
    _blame(verdict, len(due - answered.keys()), "requests have no answer")
    _blame(verdict, unlogged, "requests that the broker had taken are not in its log")
    _blame(verdict, verdict.doubled, "answers beyond one")
    _blame(verdict, len(answered.keys() - due), "answers to nothing that was asked")


def _predictions(verdict: Verdict, service: Tiny, truth: Truth, expected: Answers, found: pa.Table) -> None:
    """Every recorded prediction says what its request must come to."""
    place = dict(
        zip(
            zip(expected.partition.tolist(), expected.offset.tolist(), strict=True),
            expected.number.tolist(),
            strict=True,
        )
    )
    keys = zip(found["source_partition"].to_pylist(), found["source_offset"].to_pylist(), strict=True)
    number = np.array([place.get(key, -1) for key in keys], np.int64)
    good = number >= 0
    verdict.wrong += int(np.count_nonzero(~good))
    _blame(verdict, int(np.count_nonzero(~good)), "predictions of requests that must be rejected")
    found, number = found.filter(pa.array(good)), number[good]
    rows = truth.rows().take(pa.array(number))
    wrong = np.zeros(len(number), np.bool_)
    for name in ("request_id", "tenant", "team"):
        wrong |= _text(found[name]) != _text(rows[name])
    wrong |= _text(found["traceparent"]) != _text(rows["traceparent"].fill_null(""))
    event_ms = rows["event_time"].cast(pa.int64()).to_numpy()
    wrong |= found["event_ms"].to_numpy() != event_ms
    decisions = np.where(found["score"].to_numpy() >= np.float32(truth.signature.cuts[0]), "positive", "negative")
    wrong |= _text(found["decision"]) != decisions
    values = np.array(found["vals"].to_pylist(), np.float32).reshape(len(number), -1)
    asked = matrix(rows)
    wrong |= (values[:, : asked.shape[1]] != asked).any(axis=1)
    wrong |= truth.wrong_features(rows, values[:, asked.shape[1] :], list(map(dict, found["status"].to_pylist())))
    wrong |= np.abs(found["score"].to_numpy() - bundles.expected(values, truth.signature)) > 1e-5
    wrong |= _text(found["prediction_id"]) != _ids(service, found, event_ms)
    wrong |= ~np.isin(_text(found["variant"]), ["champion", "challenger"])
    fixed = {"model": "tiny-logistic", "version": "1", "digest": service.bundle.name[:12]}
    for name, value in fixed.items():
        wrong |= _text(found[name]) != value
    wrong |= np.array([names != list(truth.signature.names) for names in found["names"].to_pylist()], np.bool_)
    verdict.wrong += int(np.count_nonzero(wrong))
    _blame(verdict, int(np.count_nonzero(wrong)), "predictions do not say what their requests must come to")


def _shadows(verdict: Verdict, client: Client, shadow: str) -> None:
    """Of every answer one row of the shadow, under the same id and with the same score: it has the same bundle."""
    count, exact, strange, wrong = client.query(SHADOWS, parameters={"shadow": shadow}).first_row
    answers = client.query("SELECT count() FROM predictions").first_row[0] if shadow else 0
    _blame(verdict, count - exact, "rows of the shadow beyond one")
    _blame(verdict, answers - exact, "answers have no row of the shadow")
    _blame(verdict, strange, "rows of the shadow belong to no answer")
    _blame(verdict, wrong, "rows of the shadow do not say what their answers say")


def _text(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(str)


def _ids(service: Tiny, found: pa.Table, event_ms: np.ndarray) -> np.ndarray:
    log = log_of(service.settings.kafka, service.topic)
    partition, offset = found["source_partition"].to_numpy(), found["source_offset"].to_numpy()
    ids = np.empty(len(offset), dtype="<U36")
    for number in np.unique(partition).tolist():
        mine = partition == number
        made = identity.prediction_ids(LogPartition(log, service.topic, number), offset[mine], event_ms[mine])
        ids[mine] = identity.text(made).to_numpy(zero_copy_only=False).astype(str)
    return ids


def _letters(verdict: Verdict, truth: Truth, expected: Answers, letters: list[tuple[Any, ...]]) -> None:
    """Every dead letter carries its request and says what is wrong with it; good requests may have reasons, too."""
    number = dict(
        zip(
            zip(expected.partition.tolist(), expected.offset.tolist(), strict=True),
            expected.number.tolist(),
            strict=True,
        )
    )
    wrong = 0
    allowed: dict[tuple[str, str], list[int]] = {}
    for partition, offset, stage, reason, key, value in letters:
        due, row = expected.letters.get((partition, offset)), number.get((partition, offset), -1)
        if due is not None or row < 0:
            wrong += due is None or (stage, reason, _bytes(value), _bytes(key)) != (*due, b"key")
            continue
        wrong += _bytes(value) != expected.log.value(partition, offset)
        allowed.setdefault((stage, reason), []).append(row)
    for (stage, reason), rows in allowed.items():
        fine = truth.may_turn_away(truth.rows().take(pa.array(rows)), stage, reason)
        wrong += int(np.count_nonzero(~fine))
    verdict.wrong += wrong
    _blame(verdict, wrong, "dead letters do not say what is wrong with their requests")


def _bytes(digits: str | None) -> bytes | None:
    """From hexadecimal digits: the driver would make text of a String."""
    return None if digits is None else bytes.fromhex(digits)


def _outcomes(verdict: Verdict, client: Client, truth: Truth) -> None:
    rows = client.query("SELECT toString(prediction_id), label, observed FROM outcomes_latest").result_rows
    held = {name: (label, observed) for name, label, observed in rows}
    _blame(verdict, len(rows) - len(held), "outcomes are there twice")
    _blame(verdict, len(truth.outcomes.keys() - held.keys()), "outcomes are lost")
    strange = sum(truth.outcomes.get(name) != said for name, said in held.items())
    _blame(verdict, strange, "outcomes do not say what came true last")
    turned = client.query("SELECT hex(value) FROM dead_letters WHERE service = ''").result_rows
    letters = Counter(_bytes(value) for (value,) in turned)
    _blame(verdict, (truth.bad_outcomes - letters).total(), "broken outcomes are not among the dead letters")
    _blame(verdict, (letters - truth.bad_outcomes).total(), "dead letters of the recorder beyond what was sent")


def _ledger(verdict: Verdict, service: Tiny, client: Client) -> None:
    """The ledger is complete, also against the log; and the table holds what the topic holds."""
    report = ledger.read(client, service.name, bounds_of(service.settings.kafka, service.topic))
    faults = [f"{getattr(report, name):,} {name}" for name in SHOWN if getattr(report, name)]
    verdict.ledger = "complete" if report.complete else ", ".join(faults) or "empty"
    if not report.complete:
        verdict.problems.append(f"the ledger is not complete: {verdict.ledger}")
    both = sum(partition.both for partition in report.partitions)
    _blame(verdict, both, "requests were scored in one life and rejected in another")
    written = entries(service)
    held = [tuple(row) for row in client.query(LEDGER, parameters=_of(service)).result_rows]
    _blame(verdict, (Counter(written) - Counter(held)).total(), "ledger entries of the log are not recorded")
    _blame(verdict, (Counter(held) - Counter(written)).total(), "recorded ledger entries are not in the log")


def entries(service: Tiny) -> list[tuple[int, ...]]:
    """The log's ledger entries: partition and offset there, then the columns of ENTRY."""
    topic = log.read(service.settings, "weir.ledger")
    registry = service.registry
    decoder = Decoder(registry.contract(subject_of("weir.ledger")), registry.schema_text)
    found = []
    for number in topic.order:
        records = topic.partitions[number]
        decoded = decoder.decode(records.values, 10**7).rows.to_pylist()
        found += [
            (number, int(at), *(row[name] for name in ENTRY)) for at, row in zip(records.offsets, decoded, strict=True)
        ]
    return found
