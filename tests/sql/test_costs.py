"""Costs: what was metered is borne by somebody or idle, to the last digit, whatever became of batches and answers."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weir.core.prices import UNITS, Component, Price, tariffs
from weir.edges.clickhouse import costs, monitors
from weir.monitor.spec import Asked
from weir.settings import load

from tests.doubles import spent
from tests.doubles.spent import DAY_MS, FIRST_MS, Answer, Batch

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=3)
CHANGE = date(2026, 1, 2)  # in the middle of the time that is asked about
PRICES = {unit: (Decimal(7 + i).scaleb(-9), Decimal(1).scaleb(i - 7)) for i, unit in enumerate(UNITS)}
BOOK = [
    one
    for unit, (before, after) in PRICES.items()
    for one in tariffs(unit, [Price(BEGIN.date(), before), Price(CHANGE, after)])
]
PARAMETERS = {"service": "fraud", "since": BEGIN, "until": END}
CALL = "service = {service:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}"
MONITORS = monitors.files(load())
DIGESTS = ("d", "e")
FATES = ("whole", "whole", "whole", "again", "lost", "late", "nothing")

# (rows, rejected, which day and second, counters, microseconds of other work and of each model, on a gpu, its fate)
COUNT = st.integers(0, 10**7)
WORK = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.integers(0, 6),
        st.integers(0, 2),
        st.tuples(COUNT, COUNT, COUNT, COUNT, st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3000)),
        st.booleans(),
        st.sampled_from(FATES),
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.booleans()), min_size=6, max_size=6),
    ),
    min_size=8,
    max_size=20,
)


def made(work):
    """Batches and answers that are recorded, and the answers that never are.

    whole: a batch with its answers. again: the same offsets in a second batch, whose answers were repeats. lost: the
    batch that the answers name has no record, and another one has their offsets. late: half of the answers are not
    recorded. nothing: all records were rejected.
    """
    batches, answers, absent = [], [], []
    offset = 0
    for number, (rows, turned, day, counters, (other, *models), on_gpu, fate, kinds) in enumerate(work):
        rejected = rows if fate == "nothing" else min(turned, rows - 1)
        at_ms = FIRST_MS + day * DAY_MS + number * 1000
        mine = [
            Answer(offset + i, 10 * number, at_ms, DIGESTS[d], str(d), ("a", "b")[b], ("", "t", "u")[t], "risk")
            for i, (d, t, b) in enumerate(kinds[: rows - rejected])
        ]
        scored = Counter(one.digest for one in mine)
        runs = tuple((digest, scored[digest], models[i]) for i, digest in enumerate(DIGESTS) if scored[digest])
        gpu = sum(us for _, _, us in runs) if on_gpu else None
        batch = Batch(10 * number, offset, offset + rows - 1, rejected, at_ms, counters, runs, other, gpu)
        offset += rows + 1020  # some lie across a multiple of 1,024
        batches.append(replace(batch, number=10 * number + 5) if fate == "lost" else batch)
        if fate == "again":
            batches.append(replace(batch, number=10 * number + 5, at_ms=at_ms + DAY_MS // 3))
        if fate == "late":
            absent += mine[::2]
            mine = mine[1::2]
        answers += mine
    return batches, answers, absent


def metered(batches):
    """(component, day) -> millionths, by what the batches say."""
    found = Counter()
    for one in batches:
        day = datetime.fromtimestamp(one.at_ms / 1000, UTC).date().isoformat()
        cpu, idle, bytes_in, bytes_out, lookups, hits = one.counters
        reads = max(lookups - hits, 0)
        for component, quantity in zip(
            Component, (cpu, one.gpu_us or 0, reads, bytes_in, bytes_out, bytes_out, idle), strict=True
        ):
            found[component, day] += 10**6 * quantity
    return +found


def priced(component, day, millionths):
    (unit,) = [name for name, one in UNITS.items() if one.component is component]
    price = PRICES[unit][day >= CHANGE.isoformat()]
    return Fraction(price) * millionths / UNITS[unit].per / 10**6


@given(WORK)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_was_metered_is_borne_or_idle(client, work):
    for table in ("batches", "predictions", "batch_answers"):
        client.command(f"TRUNCATE TABLE {table}")
    costs.make(client, "EUR", BOOK, ())
    batches, answers, absent = made(work)
    half = len(answers) // 2
    spent.record(client, batches[:1], answers[:half])
    spent.record(client, batches[1:], answers[half:])

    lines = costs.lines(client, "fraud", BEGIN, END)
    borne = Counter()
    for line in lines:
        borne[line.component, line.day] += line.millionths
        assert Fraction(line.amount) == priced(line.component, line.day, line.millionths)
        assert (line.kind == "idle") == (line.component is Component.IDLE) or not line.millionths
    assert +borne == metered(batches)

    unrecorded = {line.day: line.predictions for line in lines if line.kind == "unrecorded" and line.component == "cpu"}
    assert sum(unrecorded.values()) == len(absent)
    assert_each_answer_bears_its_share(client, lines, batches, answers)
    assert_monitors_say_the_same(client, lines)


def assert_monitors_say_the_same(client, lines):
    """Monitors of costs have their sums from another text, which leaves out what nobody needs."""
    asked = Asked(service="fraud", begin=BEGIN, end=END, step_s=86_400)
    whole, tenants = (monitors.run(client, MONITORS[f"cost/{name}"], asked) for name in ("conservation", "tenants"))
    units = {name: 1e12 if name in ("cpu", "gpu", "idle") else 1e6 for name in Component}
    sums, spending, by_tenant, predictions = Counter(), Counter(), Counter(), Counter()
    for line in lines:
        sums[line.day, line.component] += line.millionths / units[line.component]
        spending[line.day, line.component, line.kind] += line.amount
        if line.kind == "answers":
            by_tenant[line.day, line.tenant] += line.amount
            predictions[line.day, line.tenant] += line.predictions if line.component is Component.CPU else 0
    found = {(f"{row.begin:%Y-%m-%d}", row.subject): row for row in whole}
    assert {key: row.details["used"] for key, row in found.items()} == pytest.approx(
        {k: n for k, n in sums.items() if n}
    )
    kinds = {"allocated": "answers", "rejected": "rejected", "unrecorded": "unrecorded", "idle": "idle"}
    for key, row in found.items():
        told = {kind: row.details[name] for name, kind in kinds.items()}
        assert told == pytest.approx({kind: float(spending[*key, kind]) for kind in told})
        assert row.details["metered"] == pytest.approx(sum(told.values()))
    said = {(f"{row.begin:%Y-%m-%d}", row.subject): (row.n, row.value) for row in tenants}
    assert {key: n for key, (n, _) in said.items()} == {key: n for key, n in predictions.items() if n}
    assert {key: cost for key, (_, cost) in said.items()} == pytest.approx({key: float(by_tenant[key]) for key in said})


def assert_each_answer_bears_its_share(client, lines, batches, answers):
    """Of each batch that holds its offset; and all of a kind together what the lines say of it, to the last digit."""
    rows = client.query(
        "SELECT toString(prediction_id) AS id, batch_id, toString(toDate(scored_at)) AS day, tenant, version, variant, "
        f"arrayMap(n -> toString(n), quantities) AS used, amount FROM prediction_costs({CALL})",
        parameters=PARAMETERS,
    )
    found = [dict(zip(rows.column_names, row, strict=True)) for row in rows.result_rows]
    due = Counter(
        (spent.prediction_id(one), batch.number)
        for one in answers
        for batch in batches
        if batch.first <= one.offset <= batch.last
    )
    assert Counter((row["id"], row["batch_id"]) for row in found) == due
    each, whole = defaultdict(Counter), defaultdict(Counter)
    amounts = Counter()
    for row in found:
        kind = (row["day"], row["tenant"], row["version"], row["variant"])
        each[kind] += dict(zip(Component, map(int, row["used"]), strict=True)) | {"n": 1}
        amounts[kind] += Fraction(row["amount"])
        assert min(map(int, row["used"])) >= 0
    for line in lines:
        if line.kind == "answers":
            whole[line.day, line.tenant, line.version, line.variant][line.component] += line.millionths
            whole[line.day, line.tenant, line.version, line.variant]["n"] = line.predictions
            amounts[line.day, line.tenant, line.version, line.variant] -= Fraction(line.amount)
    assert {kind: +used for kind, used in each.items()} == {kind: +used for kind, used in whole.items()}
    assert not any(amounts.values())


def of(lines, component, kind="answers", **named):
    return sum(
        line.millionths
        for line in lines
        if (line.component, line.kind) == (component, kind)
        and all(getattr(line, name) == value for name, value in named.items())
    )


def test_a_model_that_runs_longer_is_borne_by_its_own_answers(client):
    """Eight answers: two of a model that ran 700 us, six of one that ran 100; other work took 200."""
    runs = (("d", 2, 700), ("e", 6, 100))
    batch = Batch(1, 0, 9, 2, FIRST_MS, (1_000_000, 0, 0, 0, 0, 0), runs, 200, 800)
    answers = [Answer(i, 1, FIRST_MS, "d" if i < 2 else "e", variant="a" if i < 2 else "b") for i in range(8)]
    spent.record(client, [batch], answers)
    lines = costs.lines(client, "fraud", BEGIN, END)
    cpu = {name: of(lines, Component.CPU, variant=name) / 10**12 for name in ("a", "b")}
    assert abs(cpu["a"] - (0.70 + 0.04)) < 1e-3
    assert abs(cpu["b"] - (0.10 + 0.12)) < 1e-3
    assert abs(of(lines, Component.CPU, "rejected") / 10**12 - 0.04) < 1e-3
    gpu = {name: of(lines, Component.GPU, variant=name) for name in ("a", "b")}
    assert (sum(gpu.values()), of(lines, Component.GPU, "rejected")) == (800 * 10**6, 0)
    assert abs(gpu["a"] / gpu["b"] - 7) < 1e-3


def test_a_day_without_a_price_has_no_cost_and_says_so(client):
    """The book begins on the second of January; without any book no day has one."""
    batches = [Batch(n, 10 * n, 10 * n, 0, FIRST_MS + n * DAY_MS, (10, 10, 10, 10, 0, 0)) for n in (0, 1)]
    spent.record(client, batches, [Answer(10 * n, n, FIRST_MS + n * DAY_MS) for n in (0, 1)])
    assert {line.amount for line in costs.lines(client, "fraud", BEGIN, END) if line.millionths} == {None}
    costs.make(client, "EUR", [replace(one, begin=CHANGE) for one in BOOK if one.begin == CHANGE], ())
    amounts = {(line.day, line.amount is None) for line in costs.lines(client, "fraud", BEGIN, END) if line.millionths}
    assert amounts == {("2026-01-01", True), ("2026-01-02", False)}
    assert costs.currency(client) == "EUR"


def test_predictions_are_not_read_where_each_batch_has_its_answers(client):
    """What a time costs is asked by batches, not by answers."""
    batches = [Batch(n, 100 * n, 100 * n + 99, 0, FIRST_MS + n, (10, 10, 10, 10, 0, 0)) for n in range(20)]
    answers = [Answer(100 * one.number + i, one.number, one.at_ms) for one in batches for i in range(100)]
    spent.record(client, batches, answers)
    asked = f"SELECT sum(n) FROM cost_shares({CALL})"
    found = client.query(asked, parameters=PARAMETERS)
    assert (found.result_rows, int(found.summary["read_rows"]) < 1000) == ([(2000,)], True)
    spent.record(client, [], [Answer(5000, 3, FIRST_MS + 3)])
    assert int(client.query(asked, parameters=PARAMETERS).summary["read_rows"]) > 2000
