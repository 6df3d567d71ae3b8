"""Outcomes that one tenant has poisoned stop a learner; a tenant who always differs, and a change of all, do not."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from weir.core.signature import Task
from weir.learn.guards import Usual
from weir.learn.learner import Limits, Part
from weir.learn.run import Run
from weir.learn.tenants import compared

from tests.unit.learn.streams import CLASSES, LINEAR, LOGISTIC, SCALER, stream, subject
from tests.unit.learn.test_run import W, model_of, nth_outcome
from tests.unit.learn.test_snapshot import dumped

LIMITS = Limits(window=W, one_class=0)
MODELS = {
    Task.BINARY: (SCALER, LOGISTIC),
    Task.MULTICLASS: (SCALER, Part("river.linear_model.SoftmaxRegression")),
    Task.REGRESSION: (SCALER, LINEAR),
}


def told(task, n=4000):
    """A stream whose champion knows something: it is right about what came true, with some noise."""
    events = stream(task, n)
    chance = np.random.default_rng(8)
    if task is Task.REGRESSION:
        champion = (events.y + chance.normal(size=len(events.y)))[:, None]
    elif task is Task.BINARY:
        champion = np.clip(0.3 + 0.4 * events.y + chance.normal(size=len(events.y)) / 9, 0.01, 0.99)[:, None]
    else:
        champion = np.full((len(events.y), 3), 0.2) + 0.4 * (np.arange(3) == events.y[:, None])
    return replace(events, champion=champion)


def of(events, tenant, begin):
    """The outcomes of a tenant from the begin-th outcome on, bool[n]."""
    return (
        events.learns
        & (np.arange(len(events.y)) >= nth_outcome(events, begin))
        & (events.tenants.to_numpy(False) == tenant)
    )


def lied(task, y):
    """What somebody says who wants the model to learn the contrary."""
    k = len(CLASSES[task])
    return (y + 1) % k if k else y + 40


def ran(task, events, **limits):
    run = Run(model_of(task, *MODELS[task], rate=0.001), subject(task), replace(LIMITS, **limits))
    run.take(events)
    return run


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("tenant", ["atlas", "delta"])  # two fifths of all outcomes, and one fifth
def test_labels_of_one_tenant_that_are_turned_round_stop_it(task, tenant):
    events = told(task)
    assert ran(task, events).stop is None
    bad = of(events, tenant, 2 * W)
    events.y[bad] = lied(task, events.y[bad])
    stop = ran(task, events).stop
    assert (stop.guard, stop.outcomes, stop.evidence["tenant"]) == ("tenant_sd", 2 * W, tenant)
    assert stop.evidence["outcomes"] >= 80
    assert f"outcomes of {tenant} are" in stop.what
    assert ran(task, events, tenant_sd=1e9).stop is None


@pytest.mark.parametrize("label", [0, 1])
def test_a_tenant_that_sends_one_label_alone_stops_it(label):
    events = told(Task.BINARY)
    events.y[of(events, "borealis", 2 * W)] = label
    assert ran(Task.BINARY, events).stop.evidence["tenant"] == "borealis"


@pytest.mark.parametrize("task", list(Task))
def test_what_changes_for_all_is_no_poison(task):
    events = told(task)
    all_ = events.learns & (np.arange(len(events.y)) >= nth_outcome(events, 2 * W))
    events.y[all_] = lied(task, events.y[all_])
    assert ran(task, events, outlier_sd=1e9).stop is None


def test_a_tenant_who_has_always_differed_is_compared_with_himself():
    """His gap is small at first, and what it was is known to the snapshot, too."""
    events = told(Task.BINARY)
    off = np.where(events.tenants.to_numpy(False) == "cirrus", 0.12, 0)
    champion = np.clip(events.champion - off[:, None], 0.01, 0.99)
    run = ran(Task.BINARY, replace(events, champion=champion), tenant_sd=0.7)
    assert run.stop is None
    gap = run.good.gaps["cirrus"]
    assert gap.means[0] == pytest.approx(0.12, abs=0.03)
    assert gap.rows == np.count_nonzero(of(events, "cirrus", 0))
    table = pa.ipc.open_file(dumped(run, Task.BINARY)).read_all()
    assert json.loads(table.schema.metadata[b"weir.learner"])["gaps"]["cirrus"] == [gap.rows, *gap.means]


def test_gaps_are_differences_of_means():
    events = told(Task.BINARY, 300)
    y, champion = events.y[events.learns], events.champion[events.learns]
    champion[3] = np.nan  # it had no number
    tenants = events.tenants.filter(pa.array(events.learns))
    found = compared(tenants, champion, y, Usual.nothing(subject(Task.BINARY)), subject(Task.BINARY))
    off = y - champion[:, 0]
    for i, name in enumerate(found.names):
        own = pc.equal(tenants, name).to_numpy(False)
        mine, theirs = off[own & np.isfinite(off)], off[~own & np.isfinite(off)]
        assert found.gaps[i] == pytest.approx([mine.mean() - theirs.mean(), (mine**2).mean() - (theirs**2).mean()])
        assert found.errors[i, 0] == pytest.approx(np.sqrt(mine.var() / len(mine) + theirs.var() / len(theirs)))
    assert len(found.names) == 4


def test_few_outcomes_of_a_tenant_and_a_single_tenant_are_not_compared():
    events = told(Task.BINARY, 300)
    y, champion = events.y[events.learns], events.champion[events.learns]
    for names in (["one"] * 300, [f"t{i}" for i in range(300)], ["few"] * 29 + ["most"] * 271):
        found = compared(pa.array(names), champion, y, Usual.nothing(subject(Task.BINARY)), subject(Task.BINARY))
        assert found.names == ()
