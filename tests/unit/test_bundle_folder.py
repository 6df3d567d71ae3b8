"""A bundle is loaded when it is what its name says, and each way of not being that has its own message."""

from __future__ import annotations

import dataclasses
import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.features import ServicePlan, ViewPlan
from weir.core.signature import JoinKey
from weir.edges.bundles import folder
from weir.edges.bundles import writer as bundle_writer
from weir.edges.bundles.opened import Opened
from weir.operations import services
from weir.settings import Settings, load

from tests.bundles import (
    SIGNATURE,
    WITH_FEATURES,
    expected,
    golden_rows,
    graph,
    opened_bundle,
    tiny_bundle,
    weights_of,
)

PLAN = ServicePlan(
    project="test",
    service="tiny_v1",
    views=(
        ViewPlan("customer_recent", ("customer",), ("spend_7d", "visits_7d"), ("float32", "float32"), 0.0),
        ViewPlan("shop_recent", ("shop",), ("returns_1d",), ("float32",), 3600.0, ("INT64",)),
    ),
)
READ = PLAN.reading(WITH_FEATURES.looked_up).fingerprint


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(bundles_dir=tmp_path / "bundles", home=tmp_path)


def rename_to_digest(path: Path) -> Path:
    """The folder under the digest of what is in it now: a bundle made by someone with another tool."""
    return path.rename(path.parent / folder.digest(folder.file_hashes(path)))


def test_a_bundle_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, WITH_FEATURES, feature_service="tiny_v1", feature_fingerprint=READ)
    opened = opened_bundle(path, PLAN)
    assert opened.bundle.signature == WITH_FEATURES
    assert opened.bundle.digest == path.name
    assert opened.bundle.training_to == "2013-06-30"
    assert (len(opened.golden.outputs), opened.golden.worst < 1e-6) == (32, True)


def test_it_is_found_by_the_beginning_of_its_digest(tmp_path: Path, settings: Settings) -> None:
    path = tiny_bundle(tmp_path)
    assert folder.find(path.name[:12], settings) == folder.find(path, settings) == path


def test_the_same_content_gives_the_same_digest(tmp_path: Path) -> None:
    assert tiny_bundle(tmp_path / "a").name == tiny_bundle(tmp_path / "b").name
    assert tiny_bundle(tmp_path / "a").name != tiny_bundle(tmp_path / "a", version="2").name


def test_building_leaves_nothing_else_behind(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", folder.FILES)
def test_a_changed_byte_is_refused_and_the_file_is_named(tmp_path: Path, name: str) -> None:
    path = tiny_bundle(tmp_path)
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(Refused, match=rf"changed after it was built: {name} differs"):
        opened_bundle(path)


def test_a_failing_golden_row_is_refused_and_named(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    golden = pq.read_table(path / folder.GOLDEN)
    scores = golden["score"].to_numpy().copy()
    scores[5] += 1e-4
    golden = golden.drop_columns("score").append_column("score", pa.array(scores))
    pq.write_table(golden, path / folder.GOLDEN)
    with pytest.raises(Refused, match="1 of 32 golden rows fail: row 5 scores"):
        opened_bundle(rename_to_digest(path))


def test_a_feature_service_that_changed_is_refused(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, WITH_FEATURES, feature_service="tiny_v1", feature_fingerprint="0" * 64)
    with pytest.raises(Refused, match=r"what bundle .* reads of feature service tiny_v1 has changed"):
        opened_bundle(path, PLAN)


def test_another_feature_service_is_refused(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, WITH_FEATURES, feature_service="tiny_v2", feature_fingerprint=READ)
    with pytest.raises(Refused, match="reads feature service tiny_v2, applied is tiny_v1"):
        opened_bundle(path, PLAN)


def test_a_feature_that_the_service_lacks_is_named(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, WITH_FEATURES, feature_service="tiny_v1", feature_fingerprint=READ)
    with pytest.raises(Refused, match="has no shop_recent__returns_1d"):
        opened_bundle(path, dataclasses.replace(PLAN, views=PLAN.views[:1]))


def test_a_pickle_beside_the_model_is_refused(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    (path / "model.pkl").write_bytes(pickle.dumps({"weights": [1, 2]}))
    with pytest.raises(Refused, match=r"holds model\.pkl: only ONNX is ever loaded, never a pickle"):
        opened_bundle(rename_to_digest(path))


def test_a_pickle_in_the_models_place_is_refused(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    (path / "model.onnx").write_bytes(pickle.dumps({"weights": [1, 2]}))
    with pytest.raises(Refused, match="is not an ONNX model"):
        opened_bundle(rename_to_digest(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    (path / folder.GOLDEN).unlink()
    with pytest.raises(Refused, match=r"lacks golden\.parquet"):
        opened_bundle(path)


def test_a_model_of_another_bundle_is_refused(tmp_path: Path) -> None:
    path, other = tiny_bundle(tmp_path), tiny_bundle(tmp_path, version="2")
    shutil.copy(other / folder.MODEL, path / folder.MODEL)
    with pytest.raises(Refused, match=r"model\.onnx says weir\.version = '2', bundle\.yaml '1'"):
        opened_bundle(rename_to_digest(path))


@pytest.mark.parametrize("text", ["{", "[]", "format: 9\n", "format: 2\nsignature: {inputs: [{name: a}]}\n"])
def test_a_manifest_that_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    path = tiny_bundle(tmp_path)
    (path / folder.MANIFEST).write_text(text)
    with pytest.raises(Refused, match=r"bundle\.yaml is not"):
        opened_bundle(rename_to_digest(path))


@pytest.mark.parametrize(("which", "says"), [("", "no bundle is named"), ("abc", "there is no bundle abc")])
def test_an_unknown_bundle_is_named(settings: Settings, which: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        folder.find(which, settings)


def test_building_refuses_golden_rows_that_the_graph_does_not_give(tmp_path: Path) -> None:
    matrix = np.ones((4, len(SIGNATURE.inputs)), np.float32)
    columns = {name: matrix[:, i] for i, name in enumerate(SIGNATURE.names)}
    golden = pa.table({**columns, "score": np.full(4, 0.9, np.float32)})
    baseline = pa.table({**columns, "score": expected(matrix).astype(np.float32), "label": np.ones(4, np.float32)})
    bundle = Bundle(service="s", name="n", version="1", owner="o", signature=SIGNATURE, digest="")
    with pytest.raises(Refused, match="4 of 4 golden rows fail"):
        bundle_writer.build(
            bundle, graph(list(weights_of(SIGNATURE))), golden=golden, baseline=baseline, card="", into=tmp_path
        )
    with pytest.raises(Refused, match="baseline rows lack label"):
        bundle_writer.build(
            bundle, graph(list(weights_of(SIGNATURE))), golden=golden, baseline=golden, card="", into=tmp_path
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ((JoinKey(name="customer"),), r"join keys are missing: shop: .*\[customer STRING, shop INT64\]"),
        ((), "join keys are missing: customer, shop"),
        ((JoinKey(name="customer"), JoinKey(name="shop")), r"join keys of another type: shop: .*\[.*shop STRING\]"),
        ((*SIGNATURE.join_keys, JoinKey(name="merchant")), "join keys that no feature is asked by: merchant"),
        ((JoinKey(name="custmer"), SIGNATURE.join_keys[1]), "join keys are missing: customer"),
    ],
)
def test_join_keys_are_the_services_by_name_and_type(tmp_path: Path, keys: tuple[JoinKey, ...], says: str) -> None:
    signature = dataclasses.replace(WITH_FEATURES, join_keys=keys)
    path = tiny_bundle(tmp_path, signature, feature_service="tiny_v1", feature_fingerprint=READ)
    with pytest.raises(Refused, match=says):
        opened_bundle(path, PLAN)


def test_a_feature_that_no_model_can_read_is_refused(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, WITH_FEATURES, feature_service="tiny_v1", feature_fingerprint=READ)
    spend = dataclasses.replace(PLAN.views[0], dtypes=("float32", "Array(String)"))
    with pytest.raises(
        Refused, match=r"a model reads numbers, words and times, and .* customer_recent__visits_7d is Array\(String\)"
    ):
        opened_bundle(path, dataclasses.replace(PLAN, views=(spend, PLAN.views[1])))


def test_a_folder_of_many_foreign_files_is_refused_in_one_short_line(tmp_path: Path) -> None:
    for i in range(1000):
        (tmp_path / f"file-{i}").touch()
    with pytest.raises(Refused, match=r"file-0, .* and 995 more") as caught:
        folder.read(tmp_path)
    assert len(str(caught.value)) < 500


def test_only_a_bundle_that_opens_gets_its_name(tmp_path: Path) -> None:
    """What is refused at the last check was never to be found, and leaves nothing."""

    def refuse(opened: Opened) -> None:
        assert opened.path.parent.name.startswith(".draft-")
        assert folder.folders(load(bundles_dir=tmp_path)) == []
        raise Refused("not good enough", remedy="try again")

    matrix = golden_rows(SIGNATURE, 8)
    golden = pa.table({name: matrix[:, i] for i, name in enumerate(SIGNATURE.names)})
    golden = golden.append_column("score", pa.array(expected(matrix).astype(np.float32)))
    bundle = Bundle(service="s", name="n", version="1", owner="o", signature=SIGNATURE, digest="")
    with pytest.raises(Refused, match="not good enough"):
        bundle_writer.build(
            bundle,
            graph(list(weights_of(SIGNATURE))),
            golden=golden,
            baseline=golden.append_column("label", pa.array(np.ones(8))),
            card="",
            into=tmp_path,
            prove=refuse,
        )
    assert list(tmp_path.iterdir()) == []


def test_what_to_do_without_a_bundle_depends_on_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def remedy(which: str = "fraud", **values: Path) -> str:
        with pytest.raises(Refused) as refusal:
            folder.find(which, load(**values))
        assert refusal.value.where.startswith("/")
        return refusal.value.remedy

    for name in ("WEIR_BUNDLES_DIR", "WEIR_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert remedy().startswith("this is no project: go into a project's folder")
    (tmp_path / "weir.yaml").touch()
    assert "`weir bundle build NAME` builds" in remedy()
    own = tmp_path / "services" / "fraud" / "service.yaml"
    own.parent.mkdir(parents=True)
    own.touch()
    assert remedy() == "run `weir bundle build fraud`"
    assert remedy("0123", bundles_dir=tmp_path / "nowhere").startswith("there is no such folder")
    with pytest.raises(Refused, match="weir service add other"):
        services.spec_of("other", load())
    (tmp_path / "weir.yaml").unlink()
    with pytest.raises(Refused, match="this is no project"):
        services.spec_of("other", load())
