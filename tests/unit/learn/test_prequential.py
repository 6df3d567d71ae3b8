"""Figures are those of scikit-learn and River, by the month of the request, however rows are cut."""

import math
from itertools import pairwise

import numpy as np
import pytest
from river import metrics
from sklearn import metrics as reference
from weir.core.signature import Task
from weir.learn import prequential
from weir.learn.prequential import ALL, Prequential

from tests.unit.learn.streams import CLASSES, subject

N, DAY_MS = 3000, 86_400_000
AT = np.sort(
    np.random.default_rng(5).integers(1_767_225_600_000, 1_767_225_600_000 + 70 * DAY_MS, N)
)  # from January 2026
MONTHS = AT.astype("datetime64[ms]").astype("datetime64[M]").astype(str)


def told(task, said, y, cuts=()):
    return {(row["month"], row["who"]): row for row in taken(task, said, y, cuts).rows()}


def taken(task, said, y, cuts=()):
    of = Prequential(subject(task), ("a", "b"))
    ends = [0, *cuts, N]
    for begin, end in pairwise(ends):
        some = slice(begin, end)
        of.take(AT[some], {"a": said[some], "b": np.full_like(said[some], np.nan)}, y[some], np.arange(N)[some])
    return of


def made(task):
    chance = np.random.default_rng(6)
    if task is Task.REGRESSION:
        said = chance.normal(size=(N, 1)) * 30
        return said, said[:, 0] + chance.normal(size=N)
    if task is Task.BINARY:
        said = chance.beta(0.4, 2, size=(N, 1))
        said[::50] = [[0.0], [1.0]] * 30
        return said, (chance.random(N) < 0.7 * said[:, 0]).astype(float)
    said = chance.dirichlet([1, 2, 0.5], size=N)
    return said, np.array([chance.choice(3, p=row) for row in said], float)


@pytest.mark.parametrize("task", list(Task))
def test_figures_of_each_month_and_of_all(task):
    said, y = made(task)
    rows = told(task, said, y)
    assert {month for month, _ in rows} == {"2026-01", "2026-02", "2026-03", ALL}
    for month in ("2026-02", ALL):
        of = np.ones(N, bool) if month == ALL else month == MONTHS
        row, true, answers = rows[month, "a"], y[of], said[of]
        assert row["requests"] == of.sum()
        if task is Task.REGRESSION:
            expected = {"mae": reference.mean_absolute_error(true, answers[:, 0])}
            expected["rmse"] = math.sqrt(reference.mean_squared_error(true, answers[:, 0]))
        elif task is Task.BINARY:
            expected = {"log_loss": reference.log_loss(true, np.clip(answers[:, 0], 1e-6, 1 - 1e-6))}
            expected["brier"] = reference.brier_score_loss(true, answers[:, 0])
            assert row["auc"] == pytest.approx(reference.roc_auc_score(true, answers[:, 0]), abs=2e-5)
        else:
            clipped = np.clip(answers, 1e-6, 1)
            own = clipped[np.arange(len(true)), true.astype(int)]
            expected = {"log_loss": float(-np.log(own).mean())}
            expected["brier"] = float(((answers - np.eye(3)[true.astype(int)]) ** 2).sum(1).mean())
            expected["accuracy"] = reference.accuracy_score(true, answers.argmax(1))
            expected["macro_f1"] = reference.f1_score(true, answers.argmax(1), average="macro")
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("task", list(Task))
def test_where_rows_are_cut_changes_no_bit(task):
    said, y = made(task)
    cuts = (1, 2, 1400, 1401)
    assert str(told(task, said, y)) == str(told(task, said, y, cuts))  # to the last digit
    assert str(taken(task, said, y).days()) == str(taken(task, said, y, cuts).days())


@pytest.mark.parametrize("task", list(Task))
def test_days_have_the_sums_of_their_own_requests(task):
    said, y = made(task)
    days = taken(task, said, y).days()
    assert len(days) == 70
    one, of = days[30], days[30].begin_ms // DAY_MS == AT // DAY_MS
    assert (one.requests, one.known) == (of.sum(), np.flatnonzero(of)[0])
    true, answers, n = y[of], said[of], float(of.sum())
    if task is Task.REGRESSION:
        expected = {"squared_error": (n, ((answers[:, 0] - true) ** 2).sum())}
        expected["absolute_error"] = (n, np.abs(answers[:, 0] - true).sum())
    elif task is Task.BINARY:
        expected = {"log_loss": (n, n * reference.log_loss(true, np.clip(answers[:, 0], 1e-6, 1 - 1e-6)))}
        expected |= {"brier": (n, ((answers[:, 0] - true) ** 2).sum())}
        expected |= {"auc": (1.0, pytest.approx(reference.roc_auc_score(true, answers[:, 0]), abs=2e-3))}
    else:
        own = np.clip(answers, 1e-6, 1)[np.arange(len(true)), true.astype(int)]
        expected = {"log_loss": (n, -np.log(own).sum())}
        expected |= {"brier": (n, ((answers - np.eye(3)[true.astype(int)]) ** 2).sum())}
        expected |= {"accuracy": (n, float((answers.argmax(1) == true).sum()))}
    assert {name: (part.weight, pytest.approx(part.sums["a"])) for name, part in one.figures.items()} == expected
    assert list(one.figures) == list(expected)  # the one that decides is the first


def test_no_opinion_is_the_same_chance_for_each():
    said, y = made(Task.BINARY)
    row = told(Task.BINARY, said, y)[ALL, "b"]
    assert (row["log_loss"], row["brier"], row["auc"]) == (pytest.approx(math.log(2)), 0.25, 0.5)
    said, y = made(Task.MULTICLASS)
    assert told(Task.MULTICLASS, said, y)[ALL, "b"]["log_loss"] == pytest.approx(math.log(3))


def test_accuracy_is_what_river_counts():
    said, y = made(Task.MULTICLASS)
    macro, accuracy = metrics.MacroF1(), metrics.Accuracy()
    for true, answer in zip(y.astype(int).tolist(), said.argmax(1).tolist(), strict=True):
        macro.update(CLASSES[Task.MULTICLASS][true], CLASSES[Task.MULTICLASS][answer])
        accuracy.update(true, answer)
    row = told(Task.MULTICLASS, said, y)[ALL, "a"]
    assert (row["macro_f1"], row["accuracy"]) == pytest.approx((macro.get(), accuracy.get()))


def test_nothing_has_no_figures():
    assert Prequential(subject(Task.BINARY), ("a",)).rows() == []


def test_whether_rows_wait_or_are_counted_changes_no_bit(monkeypatch):
    said, y = made(Task.BINARY)
    rows, days = str(told(Task.BINARY, said, y)), str(taken(Task.BINARY, said, y).days())
    monkeypatch.setattr(prequential, "WAITING", 20)
    assert str(told(Task.BINARY, said, y)) == rows
    assert str(taken(Task.BINARY, said, y, (7, 1400)).days()) == days
