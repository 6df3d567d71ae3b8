"""From events to a bundle: Feast's join equals the recomputation from raw events, and the bundle passes its checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.demo import check, fit, source, training
from weir.demo.flights import HOUR_MS, Flights
from weir.demo.recipe import FUZZED_ROWS, GOLDEN_ROWS
from weir.demo.siblings import CLASS, MINUTES, SIBLINGS, class_of
from weir.demo.signature import FEATURE_SERVICE, SERVICE, SIGNATURE
from weir.edges.bundles import folder, rows
from weir.edges.bundles.onnx_model import Model
from weir.edges.features import plan as feature_plan
from weir.edges.features import repository as feature_repository
from weir.settings import Settings, load

from tests.bundles import opened_bundle

DAYS = 24  # long enough for the widest window, 21 days, to lose its first events


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("training")
    return load(home=home, bundles_dir=home / "bundles")


@pytest.fixture(scope="module")
def plan(settings: Settings) -> ServicePlan:
    feature_repository.apply(settings)
    feature_repository.export(settings)
    return feature_plan.load(settings, FEATURE_SERVICE)


@pytest.fixture(scope="module")
def flights() -> Flights:
    """The first days of January, every outcome known."""
    year = source.make(source.folder())
    first = year.requests["event_time"].cast(pa.int64())[0].as_py()

    def until(table: pa.Table, column: str) -> pa.Table:
        at = table[column].cast(pa.int64()).to_numpy()
        return table.slice(0, int(np.searchsorted(at, first + DAYS * 24 * HOUR_MS)))

    requests = until(year.requests, "event_time")
    outcomes = until(year.outcomes, "occurred_at")
    outcomes = outcomes.filter(pa.array(outcomes["request_row"].to_numpy() < requests.num_rows))
    return Flights(requests, until(year.events, "event_time"), outcomes)


@pytest.fixture(scope="module")
def known(settings: Settings, plan: ServicePlan, flights: Flights) -> fit.Examples:
    fit.write_history(settings, flights)
    return fit.examples(settings, flights, plan)


@pytest.fixture(scope="module")
def bundle(settings: Settings, plan: ServicePlan, known: fit.Examples) -> Path:
    return fit.write(settings, plan, fit.train(known.matrix, known.labels), known, holdout=0.5)


@pytest.fixture(scope="module")
def siblings(settings: Settings, plan: ServicePlan, known: fit.Examples) -> dict[str, Path]:
    return {sibling.service: fit.write_sibling(settings, plan, sibling, known) for sibling in SIBLINGS}


def test_the_training_matrix_is_what_the_raw_events_say(flights: Flights, known: fit.Examples) -> None:
    rows = np.sort(flights.outcomes["request_row"].to_numpy())
    expected = check.matrix(flights, rows)
    assert len(known.labels) == len(rows)
    assert known.labels.tolist() == flights.requests["label"].take(pa.array(rows)).to_pylist()
    assert check.differing(expected, known.matrix).sum(axis=0).tolist() == [0] * len(SIGNATURE.inputs)


def test_training_twice_gives_the_same_trees(known: fit.Examples) -> None:
    first, second = (fit.train(known.matrix, known.labels).model_to_string() for _ in range(2))
    assert first == second


def test_the_bundle_passes_every_check_with_the_applied_features(
    settings: Settings, plan: ServicePlan, bundle: Path, known: fit.Examples
) -> None:
    opened = opened_bundle(bundle, plan)
    metrics = opened.bundle.metrics
    assert len(opened.golden.outputs) == GOLDEN_ROWS
    assert metrics["fuzzed_rows"] == FUZZED_ROWS
    assert max(metrics["golden_max_abs_diff"], metrics["fuzzed_max_abs_diff"]) <= opened.bundle.tolerance
    assert metrics["golden_decision_flips"] == 0
    assert opened.model.run(known.matrix[:10]).shape == (10, 1)
    assert "## Limits" in (bundle / folder.CARD).read_text()


def test_the_bundles_for_minutes_and_for_classes_pass_every_check(
    plan: ServicePlan, siblings: dict[str, Path], known: fit.Examples
) -> None:
    for sibling in SIBLINGS:
        opened = opened_bundle(siblings[sibling.service], plan)
        assert opened.bundle.service == sibling.service
        assert len(opened.golden.outputs) == GOLDEN_ROWS
        assert opened.bundle.metrics["fuzzed_max_abs_diff"] <= sibling.tolerance
        assert opened.bundle.metrics["golden_decision_flips"] == 0
        assert opened.model.run(known.matrix[:10]).shape == (10, sibling.signature.width)


def test_the_models_for_minutes_and_for_classes_know_more_than_the_mean(
    siblings: dict[str, Path], known: fit.Examples
) -> None:
    minutes = Model(siblings[MINUTES.service]).run(known.matrix)[:, 0]
    assert np.square(minutes - known.late_min).mean() < 0.9 * known.late_min.var()
    decided = Model(siblings[CLASS.service]).run(known.matrix).argmax(axis=1)
    kinds = class_of(known.late_min)
    assert (decided == kinds).mean() > (kinds == 0).mean()


def test_the_same_training_gives_the_same_bundle(
    settings: Settings, plan: ServicePlan, bundle: Path, known: fit.Examples
) -> None:
    assert fit.write(settings, plan, fit.train(known.matrix, known.labels), known, holdout=0.5) == bundle


def test_earlier_bundles_are_used_again_until_something_changes(
    settings: Settings,
    plan: ServicePlan,
    bundle: Path,
    siblings: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert training.existing(settings) is None
    bundles = {SERVICE: bundle, **siblings}
    training.remember(settings, plan, bundles)
    assert training.existing(settings) == bundles
    assert training.build(settings) == bundles
    monkeypatch.setattr(training.data, "FORMAT", "another")
    assert training.existing(settings) is None


def test_another_feature_definition_refuses_the_bundle(settings: Settings, plan: ServicePlan, bundle: Path) -> None:
    changed = ServicePlan(plan.project, plan.service, plan.views[:-1])
    with pytest.raises(Refused, match="flight_delay_v1 has no origin_weather__"):
        opened_bundle(bundle, changed)


def test_a_scorer_reads_the_bundle_without_a_training_library(settings: Settings, bundle: Path) -> None:
    program = (
        "import sys, pathlib; from weir.edges.bundles import folder; from weir.edges.bundles.opened import open_bundle;"
        "print(open_bundle(folder.read(pathlib.Path(sys.argv[1]))).bundle.name);"
        "print([m for m in ('lightgbm', 'onnx', 'sklearn', 'feast', 'duckdb', 'ibis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(bundle)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["flight-delay-lightgbm", "[]"]
    assert done.stderr == ""


def test_lightgbm_itself_agrees_on_the_golden_rows(bundle: Path, known: fit.Examples) -> None:
    golden = pq.read_table(bundle / folder.GOLDEN)
    booster: lgb.Booster = fit.train(known.matrix, known.labels)
    scores = np.asarray(booster.predict(rows.matrix(golden, SIGNATURE)))
    assert np.abs(scores - golden["score"].to_numpy()).max() < 1e-7
