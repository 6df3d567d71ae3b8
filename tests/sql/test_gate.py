"""The gate against arithmetic over plain sets: random ledgers with gaps, losses, holes, repeats and late rows."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import gate as facts
from weir.monitor import gate
from weir.recording import tables

from tests.databases import put
from tests.doubles import records

LOG = LogPartition("log", "weir.predictions", 0)
START = datetime.fromtimestamp(records.BASE_MS / 1000, UTC)
STEP, LATENESS = timedelta(minutes=5), timedelta(seconds=60)
FAR = datetime(2030, 1, 1, tzinfo=UTC)
SERVICES = 12


@dataclass
class Part:
    """One partition's log. times: event second of each prediction, by offset."""

    spans: list = field(default_factory=list)
    holes: set = field(default_factory=set)
    times: dict = field(default_factory=dict)
    rejected: set = field(default_factory=set)
    begin: int = 0
    end: int = 0

    def covered(self):
        return {at for first, last in self.spans for at in range(first, last + 1)}

    def faults(self):
        covered = self.covered()
        answered = self.times.keys() | self.rejected
        if not covered:
            return set()
        between = set(range(min(covered), max(covered) + 1))
        return (between - covered) | (covered - self.holes - answered)


def history(chance):
    part = Part(begin=chance.randrange(40))
    at, second = part.begin, chance.randrange(200)
    for _ in range(chance.randrange(2, 40)):
        end = at + chance.randrange(1, 15)
        if chance.random() > 0.02:
            part.spans.append((at, end - 1))
        at = end
        if chance.random() < 0.1 and part.spans:  # a replay, with other boundaries
            part.spans.append((max(part.begin, at - chance.randrange(1, 20)), at - 1))
    part.end = at + (chance.randrange(1, 20) if chance.random() < 0.3 else 0)  # of which some is still to be read
    tricky = chance.random() < 0.5
    for offset in sorted(part.covered()):
        second += chance.randrange(0, 25) if chance.random() > 0.02 else 900
        if chance.random() < 0.03:
            part.holes.add(offset)
        elif chance.random() < 0.05:
            part.rejected.add(offset)
        elif not tricky or chance.random() > 0.01:  # else it is lost
            part.times[offset] = max(0, second - (chance.randrange(1000) if chance.random() < 0.02 else 0))
    if tricky and chance.random() < 0.3:
        part.times[at] = second  # answered, and the ledger does not say so yet
    return part


def of(rows, service, **columns):
    """Rows of another service, with other values in some columns."""
    for name, values in {"service": pa.repeat(service, len(rows)), **columns}.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows


class Log:
    """What is to be recorded, until it is: an insert a table, whatever the number of services."""

    def __init__(self):
        self.rows = {}

    def predictions(self, service, number, part, offsets):
        at = sorted(offsets)
        times = pa.array([records.BASE_MS + 1000 * part.times[offset] for offset in at], pa.int64()).cast(records.MS)
        rows = of(records.predictions(number, at), service, event_time=times, scored_at=times)
        self.add("predictions", tables.predictions(rows, LOG, np.arange(len(rows)), records.names))

    def rest(self, service, number, part):
        rows = of(records.ledger(number, part.spans, holes=part.holes), service)
        self.add("ledger", tables.ledger(rows, LOG, np.arange(len(rows))))
        rows = of(records.dead_letters(number, sorted(part.rejected)), service)
        self.add("dead_letters", tables.dead_letters(rows, LOG, np.arange(len(rows))))

    def add(self, table, rows):
        if len(rows):
            self.rows.setdefault(table, []).append(rows)

    def record(self, client):
        for table, rows in self.rows.items():
            put(client, table, pa.Table.from_batches(rows).unify_dictionaries().combine_chunks().to_batches()[0])
        self.rows = {}


def window_of(second):
    at = int(START.timestamp()) + second
    return datetime.fromtimestamp(at - at % int(STEP.total_seconds()), UTC)


def truth(parts, now):
    """begin -> (covers, complete), by the definition and set by set."""
    inside = {}
    for number, part in enumerate(parts):
        for offset, second in part.times.items():
            inside.setdefault(window_of(second), {}).setdefault(number, []).append(offset)
    begins, found = sorted(inside), {}
    faults = [part.faults() for part in parts]

    def touched(begin, number):
        first, last = min(inside[begin][number]), max(inside[begin][number])
        ends = {end for one in inside.values() if number in one for end in (min(one[number]), max(one[number]))}
        low = min(first - 1, max((end + 1 for end in ends if end < first), default=first))
        high = max(last + 1, min((end - 1 for end in ends if end > last), default=last))
        return not faults[number].isdisjoint(range(low, high + 1))

    def settled(part, due):
        if part.times and START + timedelta(seconds=max(part.times.values())) >= due:
            return True
        covered, last = part.covered(), max([*part.times, *part.rejected], default=-1)
        waiting = [at for at in covered if at > last and at not in part.holes]
        return max(part.begin, max(covered, default=part.begin - 1) + 1) >= part.end and not waiting

    for begin in begins:
        complete = begin + STEP + LATENESS <= now and all(settled(part, begin + STEP + LATENESS) for part in parts)
        for number, part in enumerate(parts):
            if number in inside[begin]:
                complete &= not touched(begin, number)
                complete &= max(inside[begin][number]) <= max(part.covered(), default=-1)
                continue
            before = [one for one in begins if one < begin and number in inside[one]]
            after = [one for one in begins if one > begin and number in inside[one]]
            if before and after:
                complete &= not (touched(before[-1], number) and touched(after[0], number))
        covers = {number: (min(offsets), max(offsets)) for number, offsets in inside[begin].items()}
        found[begin] = (covers, complete)
    return found


def asked(client, service, parts, now):
    found = facts.recorded(client, service, START - timedelta(hours=1), START + timedelta(days=2), 300)
    bounds = {
        LogPartition(records.LOG, records.REQUESTS, number): (part.begin, part.end) for number, part in enumerate(parts)
    }
    looked = gate.windows(found.covers, found.standings, found.faults, bounds, step=STEP, now=now, lateness=LATENESS)
    return {
        window.begin: (
            {cover.source.partition: (cover.first, cover.last) for cover in window.covers},
            window.complete,
        )
        for window in looked
    }


def test_windows_are_complete_exactly_when_plain_sets_say_so_also_after_late_rows(client):
    chance, services, log = random.Random(17), {}, Log()
    for number in range(SERVICES):
        services[f"s{number}"] = [history(chance) for _ in range(chance.randrange(1, 4))]
    for service, parts in services.items():
        for number, part in enumerate(parts):
            log.predictions(service, number, part, part.times)
            log.predictions(service, number, part, sorted(part.times)[::17])  # recorded twice
            log.rest(service, number, part)
    log.record(client)
    before, seen = {}, []
    for service, parts in services.items():
        now = FAR if chance.random() < 0.7 else START + timedelta(seconds=chance.randrange(4000))
        before[service] = truth(parts, now)
        assert asked(client, service, parts, now) == before[service], service
        seen += [complete for _, complete in before[service].values()]
    assert min(seen.count(True), seen.count(False)) > 50, "one-sided histories"

    for service, parts in services.items():
        part = chance.choice(parts)  # late: the newest offsets, with event times of long ago
        first = max(part.end, max(part.times, default=-1) + 1)
        part.times |= {at: chance.randrange(max(part.times.values(), default=1) + 1) for at in range(first, first + 3)}
        part.spans.append((first, first + 2))
        part.end = first + 3
        log.predictions(service, parts.index(part), part, range(first, first + 3))
        log.rest(service, parts.index(part), Part(spans=part.spans[-1:]))
    log.record(client)
    changed = 0
    for service, parts in services.items():
        after = truth(parts, FAR)
        assert asked(client, service, parts, FAR) == after, service
        changed += sum(covers != after[begin][0] for begin, (covers, _) in before[service].items())
    assert changed > SERVICES, "a late row changes what its window covers"


def test_whole_blocks_that_are_missing_are_faults(client):
    """Ledgers whose gaps span more offsets than a row of the table has bits."""
    columns = "role, service, source_log, source_topic, source_partition, first, last"
    spans = [(70_000, 70_009), (300_000, 300_004), (300_005, 300_009)]
    for first, last in spans:
        client.command(
            f"INSERT INTO ledger ({columns}) SETTINGS insert_deduplication_token = '{first}' "
            f"VALUES ('scorer', 'wide', 'l', 't', 0, {first}, {last})"
        )
        client.command(
            "INSERT INTO predictions (service, source_log, source_topic, source_partition, source_offset, event_time, "
            f"scored_at) SETTINGS insert_deduplication_token = '{first}' SELECT 'wide', 'l', 't', 0, number, "
            f"toDateTime64('2026-01-01 00:00:00', 3, 'UTC') AS at, at FROM numbers({first}, {last - first + 1})"
        )
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found = facts.recorded(client, "wide", begin, begin + timedelta(hours=1), 3600)
    source = LogPartition("l", "t", 0)
    runs = found.faults[source]
    assert (runs[0][0], runs[-1][1], sum(last - first + 1 for first, last in runs)) == (70_010, 299_999, 229_990)
    assert [(one.last_covered, one.last_answered, one.waiting) for one in found.standings] == [(300_009, 300_009, 0)]


def test_events_of_the_future_let_no_window_through(client):
    """A clock that runs ahead in one caller: what it says of the time counts only up to when it was scored."""
    parts, log = [Part(spans=[(0, 1)], times={0: 10, 1: 86_400}, end=3)], Log()
    log.predictions("ahead", 0, parts[0], [0, 1])
    log.rest("ahead", 0, parts[0])
    for rows in log.rows["predictions"]:
        scored = pa.repeat(rows["event_time"][0], 2)
        log.rows["predictions"] = [rows.set_column(rows.schema.get_field_index("scored_at"), "scored_at", scored)]
    log.record(client)
    found = asked(client, "ahead", parts, FAR)
    assert [complete for _, complete in found.values()] == [False, False], "offset 2 may still be of the first window"


def test_a_loss_among_dead_letters_holds_back_both_windows_that_it_may_be_of(client):
    """Offset 3 is lost, 2 and 4 were rejected: it may be of the window before or of the one behind."""
    part, log = (
        Part(spans=[(0, 2), (4, 7)], times={0: 10, 1: 20, 5: 310, 6: 700, 7: 1000}, rejected={2, 4}, end=8),
        Log(),
    )
    log.predictions("among", 0, part, part.times)
    log.rest("among", 0, part)
    log.record(client)
    found = asked(client, "among", [part], FAR)
    assert [complete for _, complete in found.values()] == [False, False, True, True]
    assert found == truth([part], FAR)


@pytest.mark.parametrize("step_s", [0, 30, 90])
def test_windows_of_other_than_whole_minutes_are_refused(client, step_s):
    with pytest.raises(ValueError, match="whole minutes"):
        facts.recorded(client, "any", START, START, step_s)
