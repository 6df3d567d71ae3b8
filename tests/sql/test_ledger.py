"""The ledger's queries against arithmetic over plain sets, on random histories with replays and losses."""

import json
import random
from threading import Timer

import pytest
from typer.testing import CliRunner
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import ledger
from weir.recording import tables

from tests.databases import put
from tests.doubles import records

LOG = LogPartition("log", "weir.predictions", 0)


def asked(partition, log=records.LOG):
    return LogPartition(log, records.REQUESTS, partition)


def record(client, partition, spans=(), scored=(), rejected=(), variant="champion", log=records.LOG, holes=()):
    import numpy as np

    def at(rows):
        return np.arange(len(rows))

    if spans:
        rows = records.ledger(partition, list(spans), holes=holes, log=log)
        put(client, "ledger", tables.ledger(rows, LOG, at(rows)))
    if scored:
        rows = records.predictions(partition, list(scored), variant, log=log)
        put(client, "predictions", tables.predictions(rows, LOG, at(rows), records.names))
    if rejected:
        rows = records.dead_letters(partition, list(rejected), log=log)
        put(client, "dead_letters", tables.dead_letters(rows, LOG, at(rows)))


def history(seed):
    """Spans of a scorer that dies and replays, and what each offset was answered with; some things get lost."""
    chance = random.Random(seed)
    spans, at = [], chance.randrange(50)
    holes = {offset for offset in range(400) if chance.random() < (seed % 4) / 8}  # what the log itself lacks
    for _ in range(chance.randrange(1, 30)):
        end = at + chance.randrange(1, 12)
        if chance.random() > 0.08:
            spans.append((at, end - 1))
        at = end if chance.random() > 0.2 else max(spans[0][0] if spans else at, end - chance.randrange(1, 20))
    covered = sorted({offset for first, last in spans for offset in range(first, last + 1)} - holes)
    scored = [offset for offset in covered if chance.random() < 0.8]
    rejected = [offset for offset in covered if offset not in scored and chance.random() < 0.95]
    scored += [offset for offset in scored if chance.random() < 0.03]  # recorded twice
    rejected += [offset for offset in scored if chance.random() < 0.02]  # answered both ways
    scored += [at + 100 + offset for offset in range(chance.randrange(3))]  # answered, never entered
    return spans, scored, rejected, holes


def test_random_histories_equal_set_arithmetic(client):
    truth = {}
    for partition in range(40):
        spans, scored, rejected, holes = history(partition)
        record(client, partition, spans, scored, rejected, holes=holes)
        passed = {offset for first, last in spans for offset in range(first, last + 1)}
        covered = passed - holes
        answered = set(scored) | set(rejected)
        if not spans and not answered:
            continue
        truth[partition] = {
            "read": len(covered),
            "scored": len(set(scored) & covered),
            "rejected": len(set(rejected) - set(scored)),
            "both": len(set(rejected) & set(scored)),
            "gaps": max(passed) - min(passed) + 1 - len(passed) if passed else 0,
            "missing": len(covered - answered),
            "duplicates": len(scored) - len(set(scored)) + len(rejected) - len(set(rejected)),
            "stray": len(answered - covered),
            "unbalanced": 0,
            "pending": 0,
        }
    for name in ("gaps", "missing", "duplicates", "stray", "both"):
        assert sum(row[name] for row in truth.values()) > 5, f"the histories have hardly any {name}"
    report = ledger.read(client, records.SERVICE, max_faults=10_000)
    found = {
        part.source_partition: {name: getattr(part, name) for name in truth[part.source_partition]}
        for part in report.partitions
    }
    assert found == truth
    assert {part.source_partition for part in report.partitions if part.complete} == {
        partition
        for partition, row in truth.items()
        if not any(row[name] for name in ("gaps", "missing", "duplicates", "stray"))
    }
    for kind, name in (("gap", "gaps"), ("missing", "missing"), ("duplicate", "duplicates")):
        listed = {}
        for fault in report.faults:
            if fault.kind == kind:
                listed[fault.source_partition] = listed.get(fault.source_partition, 0) + fault.count
        assert listed == {partition: row[name] for partition, row in truth.items() if row[name]}, kind
    assert not report.complete


def test_a_whole_ledger_with_replays_of_other_boundaries(client):
    record(client, 0, [(0, 9), (10, 19), (5, 14), (15, 29)], scored=range(28), rejected=[28, 29, 3])
    record(client, 1, [(100, 109)], scored=range(100, 110))
    report = ledger.read(client)
    assert (report.complete, report.read, report.scored, report.rejected) == (True, 40, 38, 2)
    assert report.partitions[0].both == 1
    assert report.faults == ()


def shadowed(client, partition, offsets, variant="wider"):
    import numpy as np

    rows = tables.shadows(
        records.shadows(partition, list(offsets), variant), LOG, np.arange(len(offsets)), records.names
    )
    put(client, "shadows", rows)


def test_two_variants_answer_a_request_once_between_them_and_shadows_answer_none(client):
    record(client, 0, [(0, 9)], scored=[0, 1, 2, 4, 6])
    record(client, 0, scored=[3, 5, 7, 8, 9], variant="challenger")
    shadowed(client, 0, range(10))
    shadowed(client, 0, range(10), "older")
    report = ledger.read(client)
    assert (report.complete, report.read, report.scored) == (True, 10, 10)


def test_a_second_answer_is_a_duplicate_whoever_gave_it(client):
    record(client, 0, [(0, 4)], scored=range(5))
    record(client, 0, scored=[3], variant="challenger")
    shadowed(client, 0, range(5))
    report = ledger.read(client)
    assert (report.complete, report.duplicates, report.missing) == (False, 1, 0)
    assert [(fault.kind, fault.first, fault.last, fault.count) for fault in report.faults] == [("duplicate", 3, 3, 1)]


def test_a_lost_answer_is_missing_whatever_shadows_say_of_its_request(client):
    record(client, 0, [(0, 4)], scored=[0, 1])
    record(client, 0, scored=[4], variant="challenger")
    shadowed(client, 0, range(5))
    report = ledger.read(client)
    assert (report.complete, report.missing, report.duplicates) == (False, 2, 0)
    assert [(fault.kind, fault.first, fault.last) for fault in report.faults] == [("missing", 2, 3)]


def test_two_logs_of_one_name_stand_apart(client):
    """A topic made anew begins at 0 again, and what was answered of the old log answers nothing of the new."""
    record(client, 0, [(0, 9)], scored=range(10))
    record(client, 0, [(0, 14)], scored=range(15), log="anew")
    whole = ledger.read(client, records.SERVICE, {asked(0, "anew"): (0, 15)})
    assert (whole.complete, whole.read, whole.scored) == (True, 25, 25)
    assert [(part.source_log, part.read) for part in whole.partitions] == [("anew", 15), (records.LOG, 10)]
    record(client, 1, [(0, 9)], scored=range(10))
    record(client, 1, [(0, 9)], scored=[0, 1, 2], log="anew")
    report = ledger.read(client)
    assert (report.missing, report.duplicates, report.stray) == (7, 0, 0)
    assert [(fault.source_log, fault.first, fault.last) for fault in report.faults] == [("anew", 3, 9)]
    unread = ledger.read(client, records.SERVICE, {asked(0): (0, 10), asked(0, "a third"): (0, 4)})
    assert unread.unread == 4


def test_the_logs_bounds_show_what_nobody_read(client):
    record(client, 0, [(5, 9)], scored=range(5, 10))
    both = {
        asked(0): (3, 12),
        asked(1): (0, 7),
    }
    report = ledger.read(client, records.SERVICE, both)
    assert (report.complete, report.unread) == (False, 2 + 2 + 7)
    exact = {
        asked(0): (5, 10),
        asked(1): (4, 4),
    }
    assert ledger.read(client, records.SERVICE, exact).complete


def test_the_feature_workers_entries_must_tile_and_need_no_answers(client):
    import numpy as np

    record(client, 0, [(0, 9)], scored=range(10))
    rows = records.ledger(0, [(0, 9), (12, 19)], role="features")
    put(client, "ledger", tables.ledger(rows, LOG, np.arange(2)))
    report = ledger.read(client)
    assert (report.complete, report.gaps, report.missing, report.read) == (False, 2, 0, 10)


def test_entries_that_do_not_add_up_are_at_fault(client):
    import numpy as np
    import pyarrow as pa

    rows = records.ledger(0, [(0, 9), (10, 19), (20, 29)], holes={25})
    counts = {"read": [10, 8, 9], "scored": [9, 8, 9]}  # a record of neither kind, offsets of neither kind
    for name, values in counts.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values, pa.int32()))
    put(client, "ledger", tables.ledger(rows, LOG, np.arange(3)))
    record(client, 0, scored=[*range(25), *range(26, 30)])
    report = ledger.read(client)
    assert (report.missing, report.unbalanced, report.read, report.scored) == (0, 2, 29, 29)


def test_a_log_with_holes_is_whole_after_a_replay_and_a_loss_is_seen(client):
    """Transactions of two records and their markers, read again after a crash with other boundaries."""
    markers = set(range(2, 60, 3))
    requests = [offset for offset in range(60) if offset not in markers]
    spans = [(0, 10), (11, 29), (5, 17), (18, 40), (41, 59)]
    record(client, 0, spans, scored=requests[1:], holes=markers)
    record(client, 1, spans, scored=requests, holes=markers)
    report = ledger.read(client, records.SERVICE, {asked(part): (0, 60) for part in (0, 1)})
    assert (report.missing, report.gaps, report.stray, report.unread, report.unbalanced) == (1, 0, 0, 0, 0)
    assert (report.read, report.scored) == (80, 79)
    assert [(fault.kind, fault.source_partition, fault.first) for fault in report.faults] == [("missing", 0, 0)]


def test_a_record_that_compaction_removed_later_was_read(client):
    record(client, 0, [(0, 9)], scored=range(10))
    record(client, 0, [(0, 9)], holes={3, 4})
    assert (ledger.read(client).complete, ledger.read(client).read) == (True, 10)


def test_an_empty_ledger_is_not_whole(client):
    report = ledger.read(client)
    assert (report.complete, report.partitions) == (False, ())


def test_the_other_half_of_a_row_has_its_time_and_then_is_at_fault(client):
    record(client, 0, [(0, 9)], scored=range(12))
    record(client, 1, [(0, 9)], scored=range(7), rejected=[7])
    record(client, 2, scored=[5])
    young = ledger.read(client, settle_s=3600)
    assert (young.complete, young.missing, young.stray, young.pending, young.faults) == (True, 0, 0, 2 + 2 + 1, ())
    assert (young.read, young.scored, young.rejected) == (20, 17, 1)
    for table in ("ledger", "predictions", "dead_letters"):
        client.command(
            f"ALTER TABLE {table} UPDATE recorded_at = recorded_at - INTERVAL 2 HOUR WHERE true",
            settings={"mutations_sync": 1},
        )
    record(client, 1, [(10, 19), (5, 12)], scored=range(15, 21))
    old = ledger.read(client, settle_s=3600)
    assert (old.complete, old.missing, old.stray, old.pending) == (False, 2, 2 + 1, 5 + 1)
    assert [(fault.kind, fault.source_partition, fault.first, fault.last) for fault in old.faults] == [
        ("missing", 1, 8, 9)
    ]


def test_a_look_waits_until_the_other_half_is_in(client):
    record(client, 0, [(0, 9)], scored=range(9))
    late = Timer(1.5, record, (client, 0), {"scored": [9]})
    late.start()
    report = ledger.read_settled(client, settle_s=60)
    late.join()
    assert (report.complete, report.pending, report.scored) == (True, 0, 10)


def test_a_look_ends_when_what_was_pending_has_had_its_time(client):
    record(client, 0, [(0, 9)], scored=range(9))
    report = ledger.read_settled(client, settle_s=1)
    assert (report.complete, report.pending, report.missing) == (False, 0, 1)


def test_the_command_prints_it_and_says_by_its_status(client, database, monkeypatch):
    from tests.command_line import cli

    monkeypatch.setenv("WEIR_CLICKHOUSE_URL", database.recording.clickhouse_url)
    monkeypatch.setenv("WEIR_CLICKHOUSE_DATABASE", database.recording.clickhouse_database)
    monkeypatch.setenv("WEIR_LEDGER_SETTLE_S", "0")
    monkeypatch.setenv("COLUMNS", "220")
    record(client, 0, [(0, 9)], scored=range(9), rejected=[9])
    whole = CliRunner().invoke(cli, ["ledger"])
    assert whole.exit_code == 0, whole.output
    assert "complete: 10 records read = 9 scored + 1 rejected" in whole.output
    record(client, 0, [(12, 14)], scored=[12, 14, 14])
    broken = CliRunner().invoke(cli, ["ledger", "--service", records.SERVICE])
    assert broken.exit_code == 1
    for words in ("2 gaps", "1 missing", "1 duplicates", "10 - 11", "13"):
        assert words in broken.output, json.dumps(broken.output)


@pytest.mark.parametrize("command", ["ledger", "migrate"])
def test_a_clickhouse_that_is_away_is_one_clear_error(command, monkeypatch):
    from weir.core.errors import Unavailable

    from tests.command_line import cli
    from tests.ports import free_port

    monkeypatch.setenv("WEIR_CLICKHOUSE_URL", f"http://127.0.0.1:{free_port()}")
    result = CliRunner().invoke(cli, [command])
    assert isinstance(result.exception, Unavailable)
    assert "ClickHouse does not answer: Connection refused" in str(result.exception)
