"""Every figure of a report, against scikit-learn and a recomputation from all outcomes that were ever delivered."""

from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weir.core.chunk import LogPartition
from weir.core.signature import Task
from weir.edges.clickhouse import reports, results
from weir.recording import tables

from tests.databases import put
from tests.doubles import records
from tests.sql.test_outcomes import nano, replaced

LOG = LogPartition("log", "weir.predictions", 0)
OUTCOMES = LogPartition("log", "weir.outcomes", 0)
WORTH = "if(decision = 'positive', attributes['a'], 0) + coalesce(observed, 0) / 7"
EXACT = 1e-12


@dataclass(frozen=True)
class Said:
    """What an outcome says of the one whose it is."""

    label: str | None = None
    observed: float | None = None
    a: float | None = None
    withdrawn: bool = False


CONTENTS = [
    Said(label="1"),
    Said(label="0", a=-0.1),
    Said(label="positive", observed=2.25, a=0.57),
    Said(label="negative", observed=-1e9, a=1e9 + 0.01),
    Said(label="other", a=3.0),
    Said(observed=0.3),
    Said(withdrawn=True),
]


@dataclass(frozen=True)
class Delivered:
    """An outcome on its way: whose it is, by which id, and the ranks by which it wins."""

    whose: int
    by: str
    revision: int
    at_ms: int
    said: int  # of CONTENTS


DELIVERIES = st.lists(
    st.builds(
        Delivered,
        whose=st.integers(0, 9),
        by=st.sampled_from(["prediction_id", "request_id"]),
        revision=st.integers(0, 2),
        at_ms=st.integers(0, 2).map(lambda after: records.BASE_MS + after),
        said=st.integers(0, len(CONTENTS) - 1),
    ),
    max_size=40,
)
# (which variant, score in eighths, name of its request): two requests may have one name
PREDICTIONS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 7)), min_size=1, max_size=10
)  # fmt: skip


def deliver(client, outcomes):
    rows = [
        records.outcomes(
            [records.prediction_id(0, one.whose) if one.by == "prediction_id" else f"r-{one.whose}"],
            [0.0],
            at_ms=one.at_ms,
            by=one.by,
            revision=one.revision,
            withdrawn=CONTENTS[one.said].withdrawn,
        )
        for one in outcomes
    ]
    if not rows:
        return
    whole, said = pa.concat_batches(rows), [CONTENTS[one.said] for one in outcomes]
    amounts = [[] if one.a is None else [("a", one.a)] for one in said]
    columns = {
        "label": pa.array([one.label for one in said], pa.string()),
        "observed": pa.array([one.observed for one in said], pa.float64()),
        "attributes": pa.array(amounts, records.AMOUNTS),
    }
    for name, values in columns.items():
        whole = whole.set_column(whole.schema.get_field_index(name), name, values)
    assert len(tables.check_outcomes(whole)) == 0
    put(client, "outcomes", tables.outcomes(whole, OUTCOMES, np.arange(len(whole)), 0))


def predict(client, predictions):
    n = len(predictions)
    rows = replaced(
        records.predictions(0, list(range(n))),
        variant=["challenger" if other else "champion" for other, _, _ in predictions],
        score=np.array([eighths / 8 for _, eighths, _ in predictions], np.float32),
        decision=["positive" if eighths >= 4 else "negative" for _, eighths, _ in predictions],
        request_id=[f"r-{name}" for _, _, name in predictions],
    )
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(n), records.names))


@pytest.fixture
def hashes(client):
    """Which content wins of equal revision and time: the last part of the rank, as ClickHouse has it."""
    given = [Delivered(at, "request_id", 0, records.BASE_MS, at) for at in range(len(CONTENTS))]
    deliver(client, given)
    ranks = client.query("SELECT toString(bitAnd(rank, toUInt256(toUInt128(-1)))) FROM outcomes ORDER BY request_id")
    return [int(rank) for (rank,) in ranks.result_rows]


@given(predictions=PREDICTIONS, deliveries=DELIVERIES, seed=st.integers(0, 2**32 - 1), merged=st.booleans())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_figure_is_that_of_the_whole_truth(client, hashes, predictions, deliveries, seed, merged):
    """Early, late, shuffled, repeated, corrected out of order, withdrawn; by either id, for two variants."""
    results.make(client, {records.SERVICE: WORTH})
    for table in ("predictions", "outcomes"):
        client.command(f"TRUNCATE TABLE {table}")
    chance = Random(seed)
    log = deliveries + [one for one in deliveries if chance.random() < 0.3]
    chance.shuffle(log)
    early = chance.randint(0, len(log))
    half = chance.randint(early, len(log))
    deliver(client, log[:early])
    predict(client, predictions)
    deliver(client, log[early:half])
    if merged:
        client.command("OPTIMIZE TABLE outcomes FINAL")
    deliver(client, log[half:])
    truth = [winner(offset, name, deliveries, hashes) for offset, (_, _, name) in enumerate(predictions)]
    for variant in ("champion", "challenger"):
        mine = [i for i, (other, _, _) in enumerate(predictions) if other == (variant == "challenger")]
        rows = [(predictions[i][1] / 8, truth[i]) for i in mine]
        for task in Task:
            check(client, variant, task, rows)


def winner(offset, name, deliveries, hashes):
    """What came true of a prediction, None for nothing: by all outcomes, in whatever order they came."""
    mine = [
        (one.revision, one.at_ms, hashes[one.said], one.said)
        for one in deliveries
        if one.whose == (offset if one.by == "prediction_id" else name)
    ]
    said = CONTENTS[max(mine)[3]] if mine else None
    return None if said is None or said.withdrawn else said


def check(client, variant, task, rows):
    words = reports.words_of(task, [] if task is Task.REGRESSION else [("negative", "positive")])
    meaning = replace(reports.Meaning(), task=task, words=words)
    found = reports.report(client, reports.Asked(service=records.SERVICE, by=reports.By.VARIANT), meaning)
    mine = {row["part"]: row for row in found}.get(variant)
    if not rows:
        assert mine is None
        return
    known = [(score, said) for score, said in rows if said is not None]
    worth = [(said.a or 0.0 if score >= 0.5 else 0.0) + (said.observed or 0.0) / 7 for score, said in known]
    assert (mine["n"], mine["outcomes"], mine["unvalued"]) == (len(rows), len(known), 0)
    assert mine["waiting"] == (len(rows) - len(known)) / len(rows)
    assert mine["value"] == (sum(map(nano, worth), Decimal(0)) if known else None)
    figures = {Task.BINARY: of_two, Task.MULTICLASS: of_several, Task.REGRESSION: of_numbers}[task](known)
    for name, figure in figures.items():
        assert (
            mine[name] == pytest.approx(figure, rel=EXACT, abs=EXACT) if figure is not None else mine[name] is None
        ), name


def of_two(known):
    from sklearn.metrics import precision_score, recall_score, roc_auc_score

    truths = {"1": 1, "positive": 1, "0": 0, "negative": 0}
    pairs = [(score, truths[said.label]) for score, said in known if said.label in truths]
    labels, scores = np.array([label for _, label in pairs]), np.array([score for score, _ in pairs])
    flagged = scores >= 0.5
    several = len(set(labels.tolist())) == 2
    return {
        "positives": int(labels.sum()),
        **unfit(known, truths),
        "precision": precision_score(labels, flagged) if flagged.any() else None,
        "recall": recall_score(labels, flagged) if labels.any() else None,
        "auc": roc_auc_score(labels, scores) if several else None,
    }


def unfit(known, classes):
    """Outcomes without a label, and labels that are no class."""
    labels = [said.label for _, said in known]
    return {
        "unread": labels.count(None),
        "unknown": sum(label is not None and label not in classes for label in labels),
    }


def of_several(known):
    from sklearn.metrics import accuracy_score, f1_score

    classes = ("negative", "positive")
    pairs = [(classes[score >= 0.5], said.label) for score, said in known if said.label in classes]
    decided, labels = [one for one, _ in pairs], [label for _, label in pairs]
    return {
        **unfit(known, classes),
        "accuracy": accuracy_score(labels, decided) if pairs else None,
        "macro_f1": f1_score(labels, decided, average="macro", zero_division=0) if pairs else None,
    }


def of_numbers(known):
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    pairs = [(score, said.observed) for score, said in known if said.observed is not None]
    scores, observed = np.array(pairs).T if pairs else ([], [])
    return {
        "unread": len(known) - len(pairs),
        "mae": mean_absolute_error(observed, scores) if pairs else None,
        "rmse": root_mean_squared_error(observed, scores) if pairs else None,
        "bias": float(np.mean(scores - observed)) if pairs else None,
    }


def test_figures_of_several_classes_are_scikit_learns(client):
    from sklearn.metrics import classification_report

    n, names = 5000, ["a", "b", "c", "d", "never decided"]
    chance = np.random.default_rng(3)
    labels = np.array(names)[chance.integers(0, 5, n)]
    decided = np.where(chance.random(n) < 0.6, labels, np.array(names)[chance.integers(0, 4, n)])
    decided[decided == names[4]] = "a"
    put_decided(client, decided, labels)
    reference = classification_report(labels, decided, output_dict=True, zero_division=0)
    asked = reports.Asked(service=records.SERVICE)
    of = reports.Meaning(Task.MULTICLASS, words=reports.words_of(Task.MULTICLASS, [names]))
    (found,) = reports.multiclass(client, asked, of)
    assert found["accuracy"] == pytest.approx(reference["accuracy"], rel=EXACT)
    assert found["macro_f1"] == pytest.approx(reference["macro avg"]["f1-score"], rel=EXACT)
    for row in reports.classes(client, asked, of):
        wanted = reference[row["class"]]
        assert row["support"] == wanted["support"]
        assert (row["precision"] or 0.0) == pytest.approx(wanted["precision"], rel=EXACT)
        assert row["recall"] == pytest.approx(wanted["recall"], rel=EXACT)
        assert row["f1"] == pytest.approx(wanted["f1-score"], rel=EXACT)


def put_decided(client, decided, labels):
    """A prediction and an outcome for each row, and the view that joins them."""
    n = len(decided)
    predictions = replaced(records.predictions(0, list(range(n))), decision=decided.tolist())
    put(client, "predictions", tables.predictions(predictions, LOG, np.arange(n), records.names))
    rows = records.outcomes([f"r0-{at}" for at in range(n)], [0.0] * n, by="request_id")
    put(client, "outcomes", tables.outcomes(replaced(rows, label=labels.tolist()), OUTCOMES, np.arange(n), 0))
    results.make(client, {records.SERVICE: ""})


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.BINARY])
def test_labels_that_no_bundle_has_are_counted_apart_and_in_no_figure(client, task):
    """Two bundles of the service: of several classes the later one has one more, of two it calls them otherwise."""
    from sklearn.metrics import classification_report

    n, chance = 1000, np.random.default_rng(5)
    several = task is Task.MULTICLASS
    older, newer = (("a", "b"), ("a", "b", "c")) if several else (("fine", "bad"), ("ok", "fraud"))
    for at, names in enumerate((older, newer)):
        said = records.bundles("abcdef012345"[at:] + "ff"[:at], outputs=names)
        written = pa.array([records.BASE_MS + at], pa.int64()).cast(records.MS)
        said = said.set_column(said.schema.get_field_index("written_at"), "written_at", written)
        said = replaced(said, task=[task.value])
        put(client, "bundles", tables.bundles(said, LogPartition("log", "weir.bundles", 0), np.array([at])))
    there = list(newer) if several else [*older, *newer, "0", "1"]
    meant = {name: name for name in newer} if several else dict(zip(there, newer * 3, strict=True))
    labels = np.array([*there, "sales", "Fraud", "2"])[chance.integers(0, len(there) + 3, n)]
    decided = np.array(newer)[chance.integers(0, len(newer), n)]
    put_decided(client, decided, labels)
    of, asked = reports.meaning(client, records.SERVICE), reports.Asked(service=records.SERVICE)
    assert (of.task, of.labels, dict(of.words)) == (task, newer, meant)
    known = np.isin(labels, there)
    truth = [meant[label] for label in labels[known]]
    wanted = classification_report(truth, decided[known], output_dict=True, zero_division=0)
    (found,) = reports.report(client, asked, of)
    assert (found["outcomes"], found["unread"], found["unknown"]) == (n, 0, n - int(known.sum()))
    if several:
        assert found["accuracy"] == pytest.approx(wanted["accuracy"], rel=EXACT)
        assert found["macro_f1"] == pytest.approx(wanted["macro avg"]["f1-score"], rel=EXACT)
    else:
        assert found["precision"] == pytest.approx(wanted["fraud"]["precision"], rel=EXACT)
        assert found["recall"] == pytest.approx(wanted["fraud"]["recall"], rel=EXACT)
    each = {row["class"]: row for row in reports.classes(client, asked, of)}
    assert each.keys() == set(newer)
    for name, row in each.items():
        assert row["support"] == wanted[name]["support"]
        assert row["f1"] == pytest.approx(wanted[name]["f1-score"], rel=EXACT)


def test_figures_of_numbers_are_scikit_learns(client):
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    n, chance = 5000, np.random.default_rng(4)
    observed = chance.lognormal(3, 2, n)
    scores = (observed * chance.uniform(0.5, 1.6, n)).astype(np.float32)
    rows = replaced(records.predictions(0, list(range(n))), score=scores)
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(n), records.names))
    rows = records.outcomes([records.prediction_id(0, at) for at in range(n)], [0.0] * n, observed=observed.tolist())
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(n), 0))
    results.make(client, {records.SERVICE: ""})
    (found,) = reports.regression(client, reports.Asked(service=records.SERVICE))
    exact = scores.astype(np.float64)
    assert found["mae"] == pytest.approx(mean_absolute_error(observed, exact), rel=EXACT)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(observed, exact), rel=EXACT)
    assert found["bias"] == pytest.approx(np.mean(exact - observed), rel=EXACT)


def test_a_service_is_what_its_newest_bundle_says(client):
    assert reports.meaning(client, records.SERVICE) == reports.Meaning()
    said = records.bundles()
    put(client, "bundles", tables.bundles(said, LogPartition("log", "weir.bundles", 0), np.arange(1)))
    found = reports.meaning(client, records.SERVICE)
    assert (found.task, found.labels, found.flagging) == (Task.BINARY, ("negative", "positive"), ("positive",))
    shadow = replaced(records.bundles("eeeeeeeeeeee", outputs=("a", "b", "c")), role=["shadow"])
    shadow = shadow.set_column(
        shadow.schema.get_field_index("written_at"),
        "written_at",
        pa.array([records.BASE_MS + 1], pa.int64()).cast(records.MS),
    )
    put(client, "bundles", tables.bundles(shadow, LogPartition("log", "weir.bundles", 0), np.arange(1, 2)))
    assert reports.meaning(client, records.SERVICE) == found  # whatever else is tried beside it


def test_a_service_may_have_a_thousand_classes_with_long_names(client):
    names = [f"a class, with a long name: number {at}" for at in range(1000)]
    put(
        client,
        "bundles",
        tables.bundles(records.bundles(outputs=names), LogPartition("log", "weir.bundles", 0), np.arange(1)),
    )
    results.make(client, {records.SERVICE: ""})
    of = reports.meaning(client, records.SERVICE)
    assert len(of.words) == 1000
    assert reports.report(client, reports.Asked(service=records.SERVICE), of) == []
    assert reports.classes(client, reports.Asked(service=records.SERVICE), of) == []
