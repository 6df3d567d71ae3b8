"""A learner's bundle: it answers with the state that is newest, from one micro-batch to the next, and names it."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pyarrow as pa
import pytest
from onnx import TensorProto, helper
from weir.agents.worker.following import Following
from weir.agents.worker.learned import Learned
from weir.agents.worker.served_states import ServedStates
from weir.core.batch import ClosedBy, MicroBatch
from weir.core.errors import Refused
from weir.core.signature import Dtype, Held, Input, Signature, Source, Task
from weir.edges.bundles import folder
from weir.edges.bundles.learned import columns_of
from weir.edges.bundles.opened import Opened
from weir.edges.kafka.admin import REACH_S
from weir.learn import onnx_linear, onnx_served
from weir.learn.linear import Linear
from weir.operations import golden, learner_bundle, reproduce
from weir.scoring.predict import Scorer
from weir.scoring.variant import Variant
from weir.settings import Settings, load
from weir.telemetry import Telemetry

from tests import tiny_requests as tiny
from tests.bundles import SERVICE, SIGNATURE, aside, opened_bundle, tiny_bundle
from tests.unit.scoring.test_predict import OUTPUT, REQUESTS, SPENT, chunk_of, read, service_of

COLUMNS = ("items", "amount")  # of the learner, in its own order


def state(seed: int, k: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A state of a linear learner."""
    chance = np.random.default_rng(seed)
    rows = [np.full(k, 100.0), chance.uniform(0, 2, k), chance.uniform(1, 2, k), chance.normal(0, 1, k)]
    return np.array(rows), np.array([0.1 * seed, 0.01, 0.01, 1e12])


def row(kept: tuple[np.ndarray, np.ndarray], columns: tuple[str, ...] = COLUMNS, **more: Any) -> dict[str, Any]:
    """What topic learner-snapshots has of a learner."""
    belongs = {"name": "fresh", "service": SERVICE, "model": "scaler, logistic", "window": 100} | more.pop("of", {})
    about = {"learner": belongs, "columns": columns, "classes": more.pop("classes", ["negative", "positive"])}
    return {
        "learner": "fresh",
        "service": SERVICE,
        "digest": onnx_linear.digest_of(kept),
        "learned": 1234,
        "about": json.dumps(about),
        "answering": onnx_linear.content_of(kept),
        "at": round(time.time() * 1000),
    } | more


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load().having(home=tmp_path, bundles_dir=tmp_path / "bundles")


@pytest.fixture
def opened(settings: Settings, tmp_path: Path) -> Opened:
    """The bundle of a learner that takes two of the four inputs of the tiny service."""
    return opened_bundle(learner_bundle.build(settings, row(state(1)), tiny_bundle(tmp_path)))


def scores(kept: tuple[np.ndarray, np.ndarray], requests: pa.RecordBatch) -> np.ndarray:
    """What the learner itself says: its compiled code, which is River's formula."""
    x = tiny.matrix(requests)[:, [1, 0]].astype(np.float64)
    out, n = np.full((len(x), 1), np.nan), len(x)
    Linear(Task.BINARY, *kept).run(x, np.zeros(n), np.zeros(n, bool), out)
    return out[:, 0]


def test_states_are_swapped_between_batches_without_a_session_and_each_answer_names_its_own(
    settings: Settings, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = opened.bundle
    assert (bundle.name, bundle.version, bundle.learner.columns) == ("fresh", onnx_linear.digest_of(state(1)), COLUMNS)
    assert bundle.signature == SIGNATURE  # so that whoever reads what it records reads on
    telemetry = Telemetry()
    learned = Learned(settings, opened, telemetry)
    variant = Variant("champion", bundle, opened.model.run, opened.known_good, learning=learned.now)
    scorer, requests = Scorer(service_of(opened, variant)), tiny.rows(50)
    monkeypatch.setattr(ort, "InferenceSession", None)
    for seed in (1, 2, 3, 2):
        kept = state(seed)
        assert learned.offer(row(kept))
        prepared = scorer.prepare(
            MicroBatch((chunk_of(0, 0, REQUESTS.encode(requests)),), ClosedBy.ROWS, 0.0), tick=lambda: 0.0
        )
        encoded = OUTPUT.encode(scorer.run(prepared, tick=lambda: 0.0), SPENT, wall_ms=1, tick=lambda: 0.0)
        found = read("predictions", encoded.written[0].predictions)
        assert {one["learner_state"] for one in found} == {onnx_linear.digest_of(kept)}
        np.testing.assert_allclose([one["score"] for one in found], scores(kept, requests), rtol=0, atol=1e-6)
    assert (
        telemetry.registry.get_sample_value(
            "weir_learner_served_seconds_count", {"service": SERVICE, "learner": "fresh"}
        )
        == 3
    )  # the bundle's own was none


def test_what_does_not_fit_is_refused_and_the_last_good_one_goes_on(settings: Settings, opened: Opened) -> None:
    telemetry = Telemetry()
    learned = Learned(settings, opened, telemetry)
    good = state(2)
    assert learned.offer(row(good))
    infinite, negative = state(3), state(3)
    infinite[0][3, 0] = np.inf
    negative[0][2, 0] = -1.0
    other = row(state(3))
    unfit = [
        row(infinite),
        row(negative),
        row(state(3, 3)),
        row(state(3), ("amount", "items")),
        row(state(3), of={"model": "another"}),
        row(state(3), of={"window": 200}),
        row(state(3), classes=["no", "yes"]),
        other | {"digest": "0123456789ab"},
        other | {"answering": other["answering"][:-8]},
        other | {"answering": b""},
        *(other | {"about": said} for said in ("{}", "[]", "null", '{"learner": null}', '{"learner": "fresh"}')),
    ]
    assert not any(learned.offer(one) for one in unfit)
    assert learned.now().state == onnx_linear.digest_of(good)
    assert telemetry.registry.get_sample_value(
        "weir_learner_states_refused_total", {"service": SERVICE, "learner": "fresh"}
    ) == len(unfit)
    off = state(3)
    off[0][3] *= 1e12  # weights that explode: scores are 0 or 1, and say so alike
    assert learned.offer(row(off))
    with pytest.raises(onnx_served.Unfit, match="off by 0"):
        onnx_served.checked(lambda _: np.full(1, 0.7, np.float32), good, Task.BINARY, np.ones((1, 2)))


def test_a_state_that_cannot_be_kept_answers_nothing(settings: Settings, opened: Opened, tmp_path: Path) -> None:
    """Else nobody could make its predictions again."""
    learned = Learned(settings, opened, Telemetry())
    (tmp_path / "learner-states").write_text("in the way")
    assert not learned.offer(row(state(2)))
    assert learned.now().state == opened.bundle.learner.state


def test_the_graph_is_the_learner_to_the_last_digit_of_double(tmp_path: Path) -> None:
    """Of a regression, too, and of numbers that float32 does not hold; a score is float32 of that."""
    of = {"source": Source.REQUEST}
    inputs = (
        Input(name="a", ref="a", **of),
        Input(name="exact", ref="exact", dtype=Dtype.DOUBLE, held=Held.FLOAT64, **of),
        Input(name="word", ref="word", dtype=Dtype.CATEGORY, categories=("x", "y"), **of),
        Input(name="whole", ref="whole", dtype=Dtype.INT, held=Held.INT64, **of),
    )
    signature, names = Signature(inputs=inputs, task=Task.REGRESSION), ("whole", "a", "exact")
    kept = state(4, 3)
    model = onnx_served.graph(signature, names, kept)
    model.graph.output.append(helper.make_tensor_value_info("double score", TensorProto.DOUBLE, [None]))
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString())
    columns = [[1.5, np.nan, 3.0], [0.1 + 1e-12, 2.0, np.nan], [0, 1, 0], [2**53 - 1, 5, 7]]
    matrix, tables = aside(signature, columns)
    matrix[2, 1] = np.nan
    asked = {"x": matrix, "doubles": tables[1][:, None], "longs": tables[3][:, None]}
    for seed in (4, 5):
        kept = state(seed, 3)
        score, double = session.run(None, asked | onnx_served.state_of(kept))
        x, out = columns_of(matrix, tables, signature, names), np.full((3, 1), np.nan)
        assert x[0].tolist() == [2**53 - 1, 1.5, 0.1 + 1e-12]
        Linear(Task.REGRESSION, *kept).run(x, np.zeros(3), np.zeros(3, bool), out)
        np.testing.assert_allclose(double, out[:, 0], rtol=1e-12)
        np.testing.assert_allclose(onnx_served.said(Task.REGRESSION, kept, x), out[:, 0], rtol=1e-12)
        assert score.tolist() == double.astype(np.float32).tolist()


def test_a_prediction_is_made_again_by_the_state_that_made_it(settings: Settings, opened: Opened) -> None:
    learned = Learned(settings, opened, Telemetry())
    for seed in (2, 3):
        learned.offer(row(state(seed)))
    x = opened.golden.inputs[:1]
    for seed in (1, 2, 3):
        name = onnx_linear.digest_of(state(seed))
        group = [reproduce._Answer({}, reproduce.Reproduced(*[""] * 7, 0.0, learner_state=name))]
        found = reproduce._at_state(opened, name, group, settings)
        expected = opened.model.with_state(onnx_served.state_of(state(seed))).run(x)
        assert found.model.run(x).tobytes() == expected.tobytes()
    assert reproduce._at_state(opened, "0123456789ab", group, settings) is None
    (why,) = group[0].told.differences
    assert why.startswith("state 0123456789ab of learner fresh is not here: of those that served the newest 20,000 are")


def test_the_newest_states_are_kept(settings: Settings) -> None:
    states, names = ServedStates(settings, SERVICE, "fresh", kept=2), []
    for seed in (1, 2, 3):
        kept = state(seed)
        names.append(onnx_linear.digest_of(kept))
        states.keep(names[-1], onnx_linear.content_of(kept))
        time.sleep(0.002)  # times of files tell them apart
    states.path(names[0]).write_bytes(b"")  # cut off, as its machine went down
    states.keep(names[0], onnx_linear.content_of(state(1)))  # it serves again
    assert states.read(names[0])[1].tolist() == state(1)[1].tolist()
    states.tidy()
    assert [states.path(name).exists() for name in names] == [True, False, True]
    states.path(names[0]).write_bytes(onnx_linear.content_of(state(9)))
    with pytest.raises(Refused, match="another than its name says"):
        states.read(names[0])


def test_processes_share_the_folder(settings: Settings) -> None:
    """With the same number, too, as in two containers: both keep each state, and tidy."""
    kept = [state(seed) for seed in range(200)]

    def keeps(_: int) -> int:
        states = ServedStates(settings, SERVICE, "fresh", kept=5)
        for one in kept:
            states.keep(onnx_linear.digest_of(one), onnx_linear.content_of(one))
        states.tidy()
        return len(kept)

    with ThreadPoolExecutor(2) as several:
        assert [*several.map(keeps, range(2))] == [200, 200]


def test_who_stops_does_not_wait_for_a_broker_that_is_away(settings: Settings, opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings.having(brokers=f"127.0.0.1:{silent.getsockname()[1]}")
        following = Following(settings, Learned(settings, opened, Telemetry()))
        following._thread.start()
        silent.accept()[0].close()  # it asks
        began_s = time.monotonic()
        following.close()
        assert time.monotonic() - began_s < REACH_S / 2


def test_its_answers_are_not_known_before(opened: Opened) -> None:
    with pytest.raises(Refused, match="its answers change as it learns"):
        golden.known(opened, None)


@pytest.mark.parametrize("name", ["../fresh", "..", "", "a/b", "a\0b"])
def test_its_states_stay_in_their_folder(opened: Opened, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a folder"):
        replace(opened.bundle, learner=replace(opened.bundle.learner, name=name))


def test_other_bundles_say_nothing_of_learners(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    assert "learner" not in (path / folder.MANIFEST).read_text()
    assert folder.read(path).bundle.learner is None
