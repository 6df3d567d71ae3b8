"""Which engine scores a bundle, and why."""

import dataclasses
import json
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pyarrow as pa
import pytest
from llvmlite import binding as llvm
from onnx import TensorProto, helper, numpy_helper
from weir.core.bundle import Bundle
from weir.core.signature import Input, Signature, Source
from weir.edges.bundles import checks, engine, runtime, writer
from weir.edges.bundles.onnx_model import ONNX_RUNTIME, TREES, Model
from weir.trees import fuzz, opening, operators, program
from weir.trees.engine import Trees
from weir.trees.graph import Plan
from weir.trees.opening import NotTaken

from tests import trees
from tests.bundles import graph, opened_bundle

FEATURES = 4
F32 = np.float32
COMPARISONS = ("LEQ", "LT", "GTE", "GT")


def bundle_of(threshold=0.5, tolerance=1e-6):
    inputs = tuple(Input(name=f"x{i}", source=Source.REQUEST, ref=f"x{i}") for i in range(FEATURES))
    signature = Signature(inputs=inputs, threshold=threshold)
    return Bundle(service="s", name="n", version="1", owner="o", signature=signature, digest="", tolerance=tolerance)


def forest(seed=1, count=20, modes=COMPARISONS, leaves=31):
    """Categories are not negative: ONNX Runtime 1.31 takes -1.0000001 for a member where -1 is one."""
    rng = np.random.default_rng(seed)
    made = [
        trees.tree(rng, leaves, FEATURES, modes, lambda _: {0: F32(rng.normal() / 4)}, special=0) for _ in range(count)
    ]
    for node in (node for one in made for node in trees.branches(one)):
        node.members = tuple(abs(member) for member in node.members)
    return made


def chosen(model, tmp_path, bundle=None, wanted="auto", rows=None):
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    opened = Model(tmp_path)
    if rows is None:
        rows = np.random.default_rng(2).normal(size=(300, FEATURES)).astype(F32)
    golden = checks.Golden(rows, opened.run(rows), 0.0, {}, {})
    return engine.chosen(tmp_path, bundle or bundle_of(), opened, golden, wanted), golden


@pytest.mark.parametrize("form", [trees.old, trees.new])
@pytest.mark.parametrize("modes", [COMPARISONS, ("LEQ",), ("EQ", "NEQ"), ("LEQ", "MEMBER")])
def test_trees_that_agree_with_onnx_runtime_go_by_the_kernel(form, modes, tmp_path):
    model = form(forest(modes=modes), FEATURES, 1)
    trees.then(model, "Sigmoid")
    found, golden = chosen(model, tmp_path)
    assert (found.engine, found.engine_reason) == (TREES, "")
    assert found.runs_on == "the kernel for trees (engine weir-trees-1): it agrees with ONNX Runtime"
    assert np.abs(found.run(golden.inputs) - golden.outputs).max() < 1e-6
    assert json.loads(runtime.of(found).text)["engine"] == TREES


def test_onnx_runtime_scores_where_it_is_asked_for(tmp_path):
    found, golden = chosen(trees.old(forest(), FEATURES, 1), tmp_path, wanted="onnxruntime")
    assert (found.engine, found.engine_reason) == (ONNX_RUNTIME, "WEIR_ENGINE is onnxruntime")
    assert found.run(golden.inputs).tobytes() == golden.outputs.tobytes()


def test_a_file_of_more_nodes_than_are_laid_out_in_time_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "FILE_MAX", 1000)
    found, _ = chosen(trees.old(forest(), FEATURES, 1), tmp_path)
    assert (found.engine, found.engine_reason) == (ONNX_RUNTIME, "its file has 0 MiB")


def test_made_rows_change_some_columns_of_a_model_that_asks_for_very_many(monkeypatch):
    monkeypatch.setattr(fuzz, "AT_ONCE", 2)
    found = opening.opened(trees.old(forest(), FEATURES, 1).SerializeToString(), FEATURES)
    golden, rng, asked = np.full((3, FEATURES), 9e9, F32), np.random.default_rng(1), fuzz.Asked(found.plan)
    changed = [(asked.rows(golden, 100, rng) != 9e9).any(axis=0) for _ in range(20)]
    assert {int(one.sum()) for one in changed} == {2}
    assert np.array(changed).any(axis=0).all()


def test_rows_are_made_for_a_model_of_many_columns_and_nodes():
    """A few at a time, each as wide as it is: sorted for each few anew, what the nodes ask for would take a minute."""
    rng, nodes, width = np.random.default_rng(1), 400_000, 1 << 16
    ensemble = opening.opened(trees.old(forest(), FEATURES, 1).SerializeToString(), FEATURES).plan.ensemble
    wide = dataclasses.replace(
        ensemble,
        feature=rng.integers(0, width, nodes).astype(np.int32),
        threshold=rng.normal(size=nodes).astype(F32),
        is_set=np.zeros(nodes, bool),
        member_start=np.zeros(nodes + 1, np.int32),
    )
    golden = np.zeros((1, width), F32)
    asked = fuzz.Asked(Plan(wide, None, ()))
    for _ in range(100):
        assert asked.rows(golden, 1, rng).any()


def test_made_rows_of_many_columns_take_little_memory(tmp_path):
    width, rng = 200, np.random.default_rng(1)
    wide = [trees.tree(rng, 31, width, ("LEQ",), lambda _: {0: F32(rng.normal() / 4)}) for _ in range(100)]
    rows = rng.normal(size=(300, width)).astype(F32)
    tracemalloc.start()
    try:
        found, _ = chosen(trees.old(wide, width, 1), tmp_path, rows=rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.engine == TREES, found.engine_reason
    assert peak < 64 << 20


def test_what_is_no_tree_ensemble_is_left_to_onnx_runtime(tmp_path):
    found, _ = chosen(graph(np.ones(FEATURES, F32)), tmp_path)
    assert (found.engine, found.engine_reason) == (ONNX_RUNTIME, "it is no tree ensemble")
    assert found.runs_on.endswith("not on the kernel for trees: it is no tree ensemble")


def test_a_root_that_onnx_runtime_takes_for_a_leaf_is_found_by_made_rows(tmp_path):
    """Its true side is node 1 and its false side leaf 1 (microsoft/onnxruntime #24679); golden rows never go false."""
    deep = trees.Branch(1, "LEQ", F32(0), False, true=trees.Leaf({0: F32(1)}), false=trees.Leaf({0: F32(2)}))
    model = trees.new([trees.Branch(0, "LEQ", F32(0), False, true=deep, false=trees.Leaf({0: F32(4)}))], FEATURES, 1)
    attributes = {one.name: one for one in model.graph.node[0].attribute}
    assert list(attributes["nodes_truenodeids"].ints) == [1, 0]
    del attributes["nodes_falsenodeids"].ints[:]
    attributes["nodes_falsenodeids"].ints.extend([1, 2])
    attributes["leaf_weights"].t.CopyFrom(numpy_helper.from_array(np.array([1, 4, 2], F32)))
    rows = -np.abs(np.random.default_rng(2).normal(size=(50, FEATURES))).astype(F32)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    theirs = Model(tmp_path).run(rows)
    if (theirs == 1).all() and (Model(tmp_path).run(-rows) == 4).all():
        pytest.skip("this release of ONNX Runtime reads it right")
    found, _ = chosen(model, tmp_path, rows=rows)
    assert found.engine == ONNX_RUNTIME
    assert found.engine_reason.startswith("the kernel disagrees with ONNX Runtime on ")


def test_a_difference_beside_a_threshold_alone_is_found(tmp_path, monkeypatch):
    """A kernel whose node sends a row on the threshold the other way agrees on golden rows, and is not taken."""
    model = trees.old(
        [trees.Branch(0, "LEQ", F32(0.5), False, true=trees.Leaf({0: F32(0)}), false=trees.Leaf({0: F32(1)}))],
        FEATURES,
        1,
    )
    strict = trees.old(
        [trees.Branch(0, "LT", F32(0.5), False, true=trees.Leaf({0: F32(0)}), false=trees.Leaf({0: F32(1)}))],
        FEATURES,
        1,
    )
    taken = opening.opened
    monkeypatch.setattr(opening, "opened", lambda content, width: taken(strict.SerializeToString(), width))
    found, _ = chosen(model, tmp_path)
    assert found.engine == ONNX_RUNTIME
    assert found.engine_reason.startswith("the kernel disagrees with ONNX Runtime on rows beside its thresholds: ")


def test_a_decision_that_flips_within_the_tolerance_is_found(tmp_path, monkeypatch):
    """Every row scores the cut itself by ONNX Runtime, and one float32 less by the kernel."""
    both = {0: F32(0.5)}, {0: np.nextafter(F32(0.5), F32(0))}
    model, lower = (
        trees.old([trees.Branch(0, "LEQ", F32(0), False, true=trees.Leaf(one), false=trees.Leaf(one))], FEATURES, 1)
        for one in both
    )
    taken = opening.opened
    monkeypatch.setattr(opening, "opened", lambda content, width: taken(lower.SerializeToString(), width))
    found, _ = chosen(model, tmp_path)
    assert found.engine_reason == (
        "the kernel disagrees with ONNX Runtime on golden rows: 300 of 300 are decided otherwise"
    )
    assert chosen(model, tmp_path, bundle=bundle_of(threshold=0.7))[0].engine == TREES


def test_a_number_is_not_near_to_infinity(tmp_path, monkeypatch):
    """One part in a hundred thousand of a score is allowed, and of infinity that is every number."""
    model, finite = (
        trees.old([trees.Branch(0, "LEQ", F32(0), False, true=trees.Leaf({0: F32(1)}), false=leaf)], FEATURES, 1)
        for leaf in (trees.Leaf({0: F32(np.inf)}), trees.Leaf({0: F32(2)}))
    )
    assert chosen(model, tmp_path)[0].engine == TREES
    taken = opening.opened
    monkeypatch.setattr(opening, "opened", lambda content, width: taken(finite.SerializeToString(), width))
    found, _ = chosen(model, tmp_path)
    assert found.engine_reason.startswith("the kernel disagrees with ONNX Runtime on golden rows: ")
    assert found.engine_reason.endswith(", such as 2 for inf")


def test_a_bundle_opens_where_only_the_kernel_is_outside_a_golden_score(tmp_path):
    """Both are within the tolerance of each other, and ONNX Runtime is just within that of the golden score."""
    model, rows = trees.old(forest(), FEATURES, 1), np.random.default_rng(2).normal(size=(300, FEATURES)).astype(F32)
    trees.then(model, "Sigmoid")
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    theirs = Model(tmp_path).run(rows)[:, 0]
    ours = opening.opened(model.SerializeToString(), FEATURES).run(rows)[:, 0]
    signature = dataclasses.replace(bundle_of().signature, output_tensor="y")
    bundle, golden = dataclasses.replace(bundle_of(), signature=signature), theirs.copy()
    row = int(np.flatnonzero(ours != theirs)[0])
    away = F32(np.copysign(np.inf, theirs[row] - ours[row]))
    while abs(float(theirs[row]) - (moved := np.nextafter(golden[row], away))) <= checks.allowed(bundle, moved):
        golden[row] = moved
    table = pa.table({f"x{i}": rows[:, i] for i in range(FEATURES)} | {"score": golden})
    baseline = table.append_column("label", pa.array((golden > 0.5).astype(F32)))
    opened = opened_bundle(writer.build(bundle, model, golden=table, baseline=baseline, card="# n", into=tmp_path))
    assert opened.model.engine == ONNX_RUNTIME
    assert opened.model.engine_reason.startswith(f"by the kernel 1 of 300 golden rows fail: row {row} scores ")
    assert opened.golden.outputs.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"aggregate_function": "MIN"}, "it aggregates by MIN"),
        ({"post_transform": "PROBIT"}, "it has post_transform PROBIT"),
    ],
)
def test_what_the_kernel_has_not_is_said(attributes, reason, tmp_path):
    leaf = {True: trees.Leaf({0: F32(0.25)}), False: trees.Leaf({0: F32(0.75)})}
    model = trees.old(
        [trees.Branch(0, "LEQ", F32(0), False, true=leaf[True], false=leaf[False])], FEATURES, 1, **attributes
    )
    found, _ = chosen(model, tmp_path)
    assert (found.engine, found.engine_reason) == (ONNX_RUNTIME, reason)


def test_operators_around_trees_that_the_kernel_has_not_are_said(tmp_path):
    model = trees.old(forest(), FEATURES, 1)
    trees.then(model, "Exp")
    assert chosen(model, tmp_path)[0].engine_reason == "Exp stands behind the trees"
    before = trees.old(forest(), FEATURES, 1)
    before.graph.node[0].input[0] = "risen"
    before.graph.node.insert(0, helper.make_node("Exp", ["x"], ["risen"]))
    assert chosen(before, tmp_path)[0].engine_reason == "Exp stands before the trees"


def test_transforms_that_would_take_minutes_to_compile_are_left_to_onnx_runtime():
    def behind(targets, *operators):
        leaf = trees.Leaf(dict.fromkeys(range(targets), F32(1)))
        model = trees.old([trees.Branch(0, "LEQ", F32(0), False, true=leaf, false=leaf)], FEATURES, targets)
        for one in operators:
            trees.then(model, one)
        return opening.opened(model.SerializeToString(), FEATURES)

    assert behind(40, "Sigmoid", "Softmax") == NotTaken("more than 64 values of a row are transformed")
    assert isinstance(behind(3, "Sigmoid", "Softmax"), Trees)


def test_columns_are_followed_through_splits_and_gathers(tmp_path):
    """Split, put together in another order, and taken from again: as a model of named columns comes."""
    model = trees.old(forest(), FEATURES, 1)
    parts = [f"part{i}" for i in range(FEATURES)]
    order = numpy_helper.from_array(np.array([1, 0, 3, 2]), "order")
    sizes = numpy_helper.from_array(np.ones(FEATURES, np.int64), "sizes")
    model.graph.initializer.extend([order, sizes])
    model.graph.node[0].input[0] = "asked"
    for node in (
        helper.make_node("Cast", ["taken"], ["asked"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["together", "order"], ["taken"], axis=1),
        helper.make_node("Concat", [parts[2], parts[0], parts[3], parts[1]], ["together"], axis=1),
        helper.make_node("Split", ["x", "sizes"], parts, axis=1),
    ):
        model.graph.node.insert(0, node)
    found, golden = chosen(model, tmp_path)
    assert found.engine == TREES, found.engine_reason
    np.testing.assert_allclose(found.run(golden.inputs), golden.outputs, atol=1e-6)


def test_a_matrix_that_is_split_into_thousands_of_columns_is_followed():
    """As a model of so many named columns comes; followed from each of them anew it takes longer than a test may."""
    width = 20_000
    model = trees.old(forest(), FEATURES, 1)
    parts = [f"part{i}" for i in range(width)]
    model.graph.initializer.append(numpy_helper.from_array(np.ones(width, np.int64), "sizes"))
    model.graph.node[0].input[0] = "asked"
    model.graph.node.insert(0, helper.make_node("Concat", parts[::-1], ["asked"], axis=1))
    model.graph.node.insert(0, helper.make_node("Split", ["x", "sizes"], parts, axis=1))
    found = opening.opened(model.SerializeToString(), width)
    assert found.plan.columns.tolist() == list(range(width))[::-1]


def classifier(weights, classes, **attributes):
    """Stumps of TreeEnsembleClassifier 3. weights: of each stump, for its two leaves, class -> weight."""
    nodes, weighed = [], []
    for at, (left, right) in enumerate(weights):
        nodes += [(at, 0, at % FEATURES, "BRANCH_LEQ", 0.1 * at, 1, 2), (at, 1, 0, "LEAF", 0.0, 0, 0)]
        nodes += [(at, 2, 0, "LEAF", 0.0, 0, 0)]
        weighed += [(at, 1, of, float(w)) for of, w in left.items()] + [
            (at, 2, of, float(w)) for of, w in right.items()
        ]
    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    columns = {f"nodes_{name}": list(c) for name, c in zip(names, zip(*nodes, strict=True), strict=True)}
    names = ("treeids", "nodeids", "ids", "weights")
    columns |= {f"class_{name}": list(c) for name, c in zip(names, zip(*weighed, strict=True), strict=True)}
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "y"],
        domain="ai.onnx.ml",
        classlabels_int64s=list(range(classes)),
        **columns,
        **attributes,
    )
    body = helper.make_graph(
        [node],
        "classes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, classes])],
    )
    return helper.make_model(
        body, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=10
    )


def many(classes, rng, low=-1.0):
    return [tuple({c: rng.uniform(low, 1) for c in range(classes)} for _ in range(2)) for _ in range(9)]


def one_class(rng, low):
    return [({0: rng.uniform(low, 1) / 9}, {0: rng.uniform(low, 1) / 9}) for _ in range(9)]


RNG = np.random.default_rng(3)
CLASSIFIERS = {
    "binary, one sum": classifier(one_class(RNG, -9), 2, post_transform="LOGISTIC"),
    "binary, one sum, base": classifier(one_class(RNG, -9), 2, post_transform="LOGISTIC", base_values=[0.3]),
    "binary, probabilities": classifier(one_class(RNG, 0), 2),
    "binary, probabilities, base": classifier(one_class(RNG, 0), 2, base_values=[0.1]),
    "binary, two sums": classifier(many(2, RNG), 2, post_transform="LOGISTIC"),
    "binary, two sums, softmax": classifier(many(2, RNG), 2, post_transform="SOFTMAX"),
    "classes": classifier(many(4, RNG), 4),
    "classes, softmax": classifier(many(4, RNG), 4, post_transform="SOFTMAX"),
    "classes, logistic": classifier(many(4, RNG), 4, post_transform="LOGISTIC"),
    "classes, base": classifier(many(4, RNG), 4, post_transform="SOFTMAX", base_values=[0.1, 0.2, -0.3, 0.0]),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_score_as_onnx_runtime_does(name, tmp_path):
    model = onnx.ModelProto()
    model.CopyFrom(CLASSIFIERS[name])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    opened = Model(tmp_path)
    found = opening.opened((tmp_path / "model.onnx").read_bytes(), FEATURES)
    assert isinstance(found, Trees), found
    rows = np.random.default_rng(4).normal(size=(500, FEATURES)).astype(F32)
    np.testing.assert_allclose(found.run(rows), opened.run(rows), atol=3e-7, rtol=1e-6)


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"aggregate_function": "AVERAGE"},
        {"post_transform": "LOGISTIC"},
        {"post_transform": "SOFTMAX"},
        {"base_values": True},
    ],
)
def test_regressors_score_as_onnx_runtime_does(targets, attributes, tmp_path):
    rng = np.random.default_rng(5)
    made = [
        trees.tree(rng, 9, FEATURES, COMPARISONS, lambda _: {t: F32(rng.normal()) for t in range(targets)})
        for _ in range(7)
    ]
    if "base_values" in attributes:
        attributes = {"base_values": rng.normal(size=targets).tolist()}
    model = trees.old(made, FEATURES, targets, **attributes)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    found = opening.opened((tmp_path / "model.onnx").read_bytes(), FEATURES)
    assert isinstance(found, Trees), found
    rows = np.random.default_rng(4).normal(size=(500, FEATURES)).astype(F32)
    np.testing.assert_allclose(found.run(rows), Model(tmp_path).run(rows), atol=3e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("nodes_truenodeids", 99, "a node is named that is not there"),
        ("nodes_truenodeids", 0, "its trees share nodes too often, or run in circles"),
        ("nodes_featureids", 9, "a node asks for feature 9 of 4"),
        ("nodes_featureids", -1, "a node asks for a feature below 0"),
        ("nodes_nodeids", 1, "two nodes of a tree have one number"),
        ("target_ids", 1, "it names 1 of 1"),
    ],
)
def test_an_ensemble_that_is_broken_is_not_taken(name, value, reason):
    model = trees.old(forest(count=2, leaves=3), FEATURES, 1)
    next(one for one in model.graph.node[0].attribute if one.name == name).ints[0] = value
    assert opening.opened(model.SerializeToString(), FEATURES) == NotTaken(reason)


def test_a_platform_without_the_compiler_leaves_trees_to_onnx_runtime(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "weir.trees.engine")
    monkeypatch.setitem(sys.modules, "llvmlite", None)  # as where it is not installed
    for name in ("target", "kernel_code", "ir_code", "walk_code", "post_code"):
        monkeypatch.delitem(sys.modules, f"weir.trees.{name}")
    found, golden = chosen(trees.old(forest(), FEATURES, 1), tmp_path)
    assert found.engine == ONNX_RUNTIME
    assert found.engine_reason.startswith("LLVM, which compiles the kernel, cannot be used here: ")
    assert found.run(golden.inputs).tobytes() == golden.outputs.tobytes()


def test_another_release_of_the_compiler_leaves_trees_to_onnx_runtime(monkeypatch):
    monkeypatch.delattr(llvm, "create_mcjit_compiler")
    model = trees.old(forest(), FEATURES, 1, base_values=[0.0625])  # a shape of no other test's
    reason = opening.opened(model.SerializeToString(), FEATURES).reason
    assert reason.startswith("LLVM, which compiles the kernel, cannot be used here: ")


def test_a_chain_that_runs_in_circles_without_members_is_not_taken():
    """Three nodes that ask for the same of the same, and the last leads back to the second."""
    leaf = trees.Leaf({0: F32(1)})
    node = leaf
    for _ in range(3):
        node = trees.Branch(0, "LEQ", F32(np.nan), False, true=leaf, false=node)
    model = trees.old([node], FEATURES, 1)
    attributes = {one.name: one for one in model.graph.node[0].attribute}
    number, true, false = (attributes[f"nodes_{name}nodeids"].ints for name in ("", "true", "false"))
    first, second, third = (i for i, mode in enumerate(attributes["nodes_modes"].strings) if mode != b"LEAF")
    true[second] = true[third] = true[first]
    false[third] = number[second]
    assert opening.opened(model.SerializeToString(), FEATURES) == NotTaken("its trees run in circles")


def test_a_set_of_very_many_members_is_searched():
    """One by one they would take several times as long as ONNX Runtime does."""
    rng, wide = np.random.default_rng(1), program.ASKED_MAX
    node = trees.Branch(1, "MEMBER", F32(0), False, tuple(rng.permutation(2 * wide)[:wide].astype(F32).tolist()))
    node.true, node.false = trees.Leaf({0: F32(1)}), trees.Leaf({0: F32(2)})
    found = opening.opened(trees.new([node], FEATURES, 1).SerializeToString(), FEATURES)
    assert found.program.words.tolist() == [0, 0]
    rows = np.zeros((2 * wide + 1, FEATURES), F32)
    rows[:, 1] = [*range(2 * wide), np.nan]
    for given in (found.run(rows), np.concatenate([found.run(row[None]) for row in rows])):
        assert ((given[:, 0] == 1) == np.isin(rows[:, 1], node.members)).all()


def test_members_count_as_nodes_do(monkeypatch):
    model = trees.new(forest(count=1, modes=("MEMBER",)), FEATURES, 1)
    members = next(one.t for one in model.graph.node[0].attribute if one.name == "membership_values").dims[0]
    monkeypatch.setattr(operators, "NODES_MAX", 29 + members)
    found = opening.opened(model.SerializeToString(), FEATURES)
    assert found == NotTaken(f"it has {30 + members} nodes and members, not 1 to {29 + members}")


@pytest.mark.parametrize("mode", ["LEQ", "EQ"])
@pytest.mark.parametrize("most", [F32(3.4028235e38), F32(-3.4028235e38)])
def test_what_stands_beside_infinity_is_asked_for_without_a_warning(most, mode, tmp_path):
    one = trees.Branch(0, mode, most, False, true=trees.Leaf({0: F32(1)}), false=trees.Leaf({0: F32(2)}))
    assert chosen(trees.old([one], FEATURES, 1), tmp_path)[0].engine == TREES


def test_trees_of_one_leaf_each_are_taken(tmp_path):
    """Nothing is asked of a row; in TreeEnsemble 5 a leaf stands behind a node of which both sides lead to it."""
    model = trees.old([trees.Leaf({0: F32(0.25)}), trees.Leaf({0: F32(0.125)})], FEATURES, 1)
    found, golden = chosen(model, tmp_path)
    assert found.engine == TREES, found.engine_reason
    assert (found.run(golden.inputs) == 0.375).all()
    leaf = trees.Leaf({0: F32(0.25)})
    model = trees.new([trees.Branch(0, "LEQ", F32(0), False, true=leaf, false=leaf)] * 2, FEATURES, 1)
    attributes = {one.name: one for one in model.graph.node[0].attribute}
    for name, values in {"nodes_falsenodeids": [0, 2], "leaf_targetids": [0, 0, 0, 0]}.items():
        del attributes[name].ints[:]
        attributes[name].ints.extend(values)
    found, golden = chosen(model, tmp_path)
    assert (found.run(golden.inputs) == 0.5).all()


@pytest.mark.parametrize("content", [b"", b"no model", b"\x00" * 9])
def test_what_is_no_onnx_is_not_taken(content):
    assert isinstance(opening.opened(content, FEATURES), NotTaken)


def test_rows_that_may_not_be_written_to_and_none_at_all_are_scored():
    found = opening.opened(trees.old(forest(), FEATURES, 1).SerializeToString(), FEATURES)
    rows = np.random.default_rng(4).normal(size=(40, FEATURES)).astype(F32)
    wanted = found.run(rows)
    rows.flags.writeable = False
    assert found.run(rows).tobytes() == wanted.tobytes()
    assert found.run(rows[:0]).shape == (0, 1)


def test_threads_that_score_at_once_have_memory_of_their_own():
    found = opening.opened(trees.old(forest(count=200), FEATURES, 1).SerializeToString(), FEATURES)
    rows = np.random.default_rng(4).normal(size=(4000, FEATURES)).astype(F32)
    parts = [rows[at : at + 250] for at in range(0, len(rows), 250)]
    wanted = [found.run(part).tobytes() for part in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            assert [given.tobytes() for given in pool.map(found.run, parts)] == wanted


def test_the_engine_is_part_of_the_runtime(tmp_path):
    found, _ = chosen(trees.old(forest(), FEATURES, 1), tmp_path)
    there = runtime.of(found)
    assert dataclasses.replace(there, engine=ONNX_RUNTIME).id != there.id


FAULTS = {
    "another threshold": lambda found, node: {"threshold": (node, np.nextafter(found.threshold[node], F32(np.inf)))},
    "NaN on the other side": lambda found, node: {"nan_right": (node, ~found.nan_right[node])},
    "children exchanged": lambda found, node: {
        "left": (node, found.right[node]),
        "right": (node, found.left[node]),
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_node_deep_in_a_tree_is_found(fault, tmp_path, monkeypatch):
    """By the rows that are led there alone: of those that are made at random few or none come there."""
    width, rng = 200, np.random.default_rng(3)
    made = [trees.tree(rng, 31, width, COMPARISONS, lambda _: {0: F32(rng.normal() / 4)}, special=0) for _ in range(4)]
    model, rows = trees.old(made, width, 1), np.zeros((20, width), F32)
    good = opening.opened(model.SerializeToString(), width).plan
    node = max(range(len(good.ensemble.feature)), key=lambda one: len(above(good.ensemble, one)))
    assert len(above(good.ensemble, node)) > 6
    changed = {
        name: np.where(np.arange(len(good.ensemble.feature)) == at, value, getattr(good.ensemble, name))
        for name, (at, value) in FAULTS[fault](good.ensemble, node).items()
    }
    plan = dataclasses.replace(good, ensemble=dataclasses.replace(good.ensemble, **changed))
    monkeypatch.setattr(opening, "opened", lambda _content, wide: Trees(plan, wide))
    monkeypatch.setattr(engine, "FUZZED_ROWS", 0)
    found, _ = chosen(model, tmp_path, rows=rows)
    assert found.engine_reason.startswith("the kernel disagrees with ONNX Runtime on rows led to its nodes: ")


def above(ensemble, node):
    """The nodes above a node."""
    found = []
    while len(up := np.flatnonzero((ensemble.left == node) | (ensemble.right == node))):
        node = int(up[0])
        found.append(node)
    return found
