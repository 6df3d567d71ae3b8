"""A shadow scores the features of answers, by the names of its own inputs, and counts what it cannot score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from weir.core.arrow import replaced
from weir.core.batch import ClosedBy, MicroBatch
from weir.core.bundle_names import BundleNames
from weir.core.chunk import Partition
from weir.core.signature import Dtype, Input, Policy, Source, Task
from weir.edges.bundles import folder
from weir.edges.bundles.opened import Opened, open_bundle
from weir.scoring.shadow import Shadow
from weir.scoring.unscored import Unscored
from weir.scoring.variant import Variant
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests import tails
from tests.bundles import SIGNATURE, expected, opened_bundle, spoken_graph, tiny_bundle
from tests.doubles import records

SOURCE = Partition("weir.predictions", 0)
NOW_MS = records.BASE_MS + 5000


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return open_bundle(folder.read(tiny_bundle(tmp_path_factory.mktemp("bundle"), service=records.SERVICE)))


def shadow_of(opened: Opened, known: Mapping[str, Sequence[str]]) -> Shadow:
    def names(digests: Sequence[str]) -> dict[str, BundleNames]:
        return {digest: BundleNames(digest, tuple(known[digest]), ()) for digest in digests if digest in known}

    decode = Decoder(records.contract("predictions"), lambda _schema_id: None).decode
    return Shadow(
        variant=Variant("wider", opened.bundle, opened.model.run, opened.known_good),
        decode=partial(decode, max_bytes=1 << 20),
        names=names,
        encode=Encoder(records.contract("shadows")).frames,
        max_failed=1000,
    )


def answers(offsets: list[int], matrix: np.ndarray, digest: str = records.DIGEST) -> list[bytes]:
    rows = records.predictions(0, offsets, digest=digest, views=0)
    packed = pa.array([row.astype("<f4").tobytes() for row in matrix], pa.binary())
    return records.encode("predictions", replaced(rows, "features", packed))


def batch_of(values: Sequence[bytes | None], *bounds: int) -> MicroBatch:
    return MicroBatch(tuple(records.cut(SOURCE, list(values), [0, *bounds, len(values)])), ClosedBy.WAIT, 0.0)


def written(found: Sequence[pa.BinaryArray]) -> list[list[dict]]:
    decode = Decoder(records.contract("shadows"), lambda _schema_id: None).decode
    return [decode(values, 1 << 20).rows.to_pylist() for values in found]


def test_features_are_taken_by_name_and_rows_go_where_their_answers_are(opened: Opened) -> None:
    """The answering bundle has the inputs in another order, and one more."""
    inputs = opened.bundle.signature.names
    theirs = [*reversed(inputs), "another"]
    matrix = np.random.default_rng(3).uniform(0, 2, (9, len(inputs))).astype(np.float32)
    given = np.column_stack([matrix[:, ::-1], np.full(9, 99, np.float32)])
    shadow = shadow_of(opened, {records.DIGEST: theirs})
    scored = shadow.score(batch_of(answers(list(range(9)), given), 4), wall_ms=NOW_MS)
    first, second = written(scored.written)
    assert [row["source_offset"] for row in first] == [0, 1, 2, 3]
    assert [row["source_offset"] for row in second] == [4, 5, 6, 7, 8]
    rows = first + second
    np.testing.assert_allclose([row["score"] for row in rows], expected(matrix), atol=1e-6)
    assert [row["prediction_id"] for row in rows] == [records.prediction_id(0, offset) for offset in range(9)]
    head = rows[0]
    assert (head["variant"], head["digest"], head["source_log"]) == ("wider", opened.bundle.short_digest, records.LOG)
    assert [row["decision"] for row in rows] == ["positive" if row["score"] >= 0.5 else "negative" for row in rows]
    assert (scored.scored, dict(scored.unscored), scored.lacking) == (9, {}, frozenset())


def test_what_cannot_be_scored_is_counted_by_reason_and_nothing_else_is_lost(opened: Opened) -> None:
    inputs = opened.bundle.signature.names
    k = len(inputs)
    matrix = np.ones((2, k), np.float32)
    values = [
        *answers([0, 1], matrix),
        *answers([2, 3], matrix, "eeeeeeeeeeee"),  # nobody has said what these are called
        *answers([4], matrix[:1, :-1]),  # not as many as was said
        *answers([5, 6], matrix[:, 1:], "dddddddddddd"),
        b"no prediction",
        *answers([7], matrix[:1]),
    ]
    shadow = shadow_of(opened, {records.DIGEST: inputs, "dddddddddddd": inputs[1:]})
    scored = shadow.score(batch_of(values), wall_ms=NOW_MS)
    assert [row["source_offset"] for row in written(scored.written)[0]] == [0, 1, 7]
    assert scored.unscored == {Unscored.NO_NAMES: 3, Unscored.INPUTS_MISSING: 2, Unscored.UNDECODABLE: 1}
    assert scored.lacking == {"eeeeeeeeeeee", "dddddddddddd", records.DIGEST}


def test_a_row_on_which_the_model_raises_is_counted_and_the_others_are_scored(opened: Opened) -> None:
    def run(matrix: np.ndarray) -> np.ndarray:
        if (matrix[:, 0] < 0).any():
            raise RuntimeError("negative")
        return matrix[:, :1]

    shadow = shadow_of(opened, {records.DIGEST: opened.bundle.signature.names})
    shadow = replace(shadow, variant=replace(shadow.variant, run=run))
    matrix = np.ones((5, len(opened.bundle.signature.names)), np.float32)
    matrix[3, 0], matrix[1, 0] = -1, np.nan
    scored = shadow.score(batch_of(answers(list(range(5)), matrix)), wall_ms=NOW_MS)
    assert [row["source_offset"] for row in written(scored.written)[0]] == [0, 2, 4]
    assert scored.unscored == {Unscored.MODEL_FAILED: 2}


def test_answers_of_other_services_are_left_out(opened: Opened) -> None:
    bundle = replace(opened.bundle, service="another")
    shadow = shadow_of(opened, {records.DIGEST: opened.bundle.signature.names})
    shadow = replace(shadow, variant=replace(shadow.variant, bundle=bundle))
    values = answers([0, 1], np.ones((2, len(opened.bundle.signature.names)), np.float32))
    scored = shadow.score(batch_of(values), wall_ms=NOW_MS)
    assert (scored.scored, dict(scored.unscored), [len(part) for part in scored.written]) == (0, {}, [0])


def test_a_shadow_of_several_classes_gives_all_of_them(tmp_path: Path) -> None:
    """The answers are of a binary model; the shadow's own classes and outputs stand in its rows."""
    signature = replace(SIGNATURE, task=Task.MULTICLASS, threshold=None, classes=("early", "on time", "late"))
    opened = opened_bundle(tiny_bundle(tmp_path, signature, service=records.SERVICE))
    matrix = np.random.default_rng(3).uniform(0, 20, (9, len(signature.inputs))).astype(np.float32)
    shadow = shadow_of(opened, {records.DIGEST: signature.names})
    (rows,) = written(shadow.score(batch_of(answers(list(range(9)), matrix)), wall_ms=NOW_MS).written)
    outputs = np.array([np.frombuffer(row["outputs"], "<f4") for row in rows])
    np.testing.assert_allclose(outputs, expected(matrix, signature), atol=1e-6)
    assert [row["decision"] for row in rows] == [signature.classes[i] for i in outputs.argmax(axis=1)]
    assert [row["score"] for row in rows] == outputs.max(axis=1).tolist()


def test_a_shadow_reads_the_texts_of_the_answers(tmp_path: Path) -> None:
    """One bundle that answers has the words in another order; one does not have them."""
    remark = Input(name="remark", source=Source.REQUEST, ref="remark", dtype=Dtype.STRING, on_missing=Policy.USE)
    signature = replace(SIGNATURE, inputs=(*SIGNATURE.inputs, remark))
    path = tiny_bundle(tmp_path, signature, service=records.SERVICE, model=spoken_graph(signature))
    opened, inputs = opened_bundle(path), signature.names
    texts = {records.DIGEST: ("remark", "channel"), "eeeeeeeeeeee": ("channel",)}

    def names(digests: Sequence[str]) -> dict[str, BundleNames]:
        return {digest: BundleNames(digest, inputs, (), (), texts[digest]) for digest in digests}

    variant = Variant("spoken", opened.bundle, opened.model.run, opened.known_good, known_values=opened.known_values)
    shadow = replace(shadow_of(opened, {}), variant=variant, names=names)
    matrix = np.zeros((4, len(inputs)), np.float32)
    said = [("red", "web"), ("blue", "web"), (None, "web"), ("black", "app")]
    values = [
        *with_texts(answers([0, 1, 2, 3], matrix), said),
        *with_texts(answers([4], matrix[:1], "eeeeeeeeeeee"), [("web",)]),
    ]
    scored = shadow.score(batch_of(values), wall_ms=NOW_MS)
    (rows,) = written(scored.written)
    assert [row["source_offset"] for row in rows] == [0, 1, 2]
    np.testing.assert_allclose([row["score"] for row in rows], 1 / (1 + np.exp([-1.0, 0, 0])), atol=1e-6)
    assert scored.unscored == {Unscored.MODEL_FAILED: 1, Unscored.INPUTS_MISSING: 1}


def test_a_word_has_the_code_of_this_bundle_whatever_it_was_in_the_answers(opened: Opened) -> None:
    inputs = opened.bundle.signature.names
    matrix = np.random.default_rng(5).uniform(0, 2, (5, len(inputs))).astype(np.float32)
    matrix[:, inputs.index("channel")] = [0, 1, 2, 0, 0]  # the answering bundle has them in another order
    values = with_texts(answers(list(range(5)), matrix), [("shop",), ("web",), ("app",), ("moon",), (None,)])

    def names(digests: Sequence[str]) -> dict[str, BundleNames]:
        return {digest: BundleNames(digest, inputs, (), (), ("channel",)) for digest in digests}

    scored = replace(shadow_of(opened, {}), names=names).score(batch_of(values), wall_ms=NOW_MS)
    matrix[:3, inputs.index("channel")] = [2, 0, 1]
    (rows,) = written(scored.written)
    np.testing.assert_allclose([row["score"] for row in rows], expected(matrix[:3]), atol=1e-6)
    assert [row["source_offset"] for row in rows] == [0, 1, 2]
    assert dict(scored.unscored) == {Unscored.INPUTS_MISSING: 2}


def test_a_feature_that_is_a_word_has_the_code_of_this_bundle(tmp_path: Path) -> None:
    plans = ("free", "paid", "trial")
    plan = Input(
        name="customer_recent__plan",
        source=Source.FEATURE,
        ref="customer_recent__plan",
        dtype=Dtype.CATEGORY,
        categories=plans,
    )
    signature = replace(SIGNATURE, inputs=(*SIGNATURE.inputs, plan))
    opened = opened_bundle(tiny_bundle(tmp_path, signature, service=records.SERVICE))
    inputs, theirs = signature.names, ("paid", "trial", "free", "gone")
    matrix = np.random.default_rng(5).uniform(0, 2, (6, len(inputs))).astype(np.float32)
    matrix[:, -1] = [0, 1, 2, 3, np.nan, 7]
    said: Mapping[str, tuple[str, ...]] = {"channel": ("web",), plan.name: theirs}

    def names(digests: Sequence[str]) -> dict[str, BundleNames]:
        return {digest: BundleNames(digest, inputs, (), categories=said) for digest in digests}

    shadow = replace(shadow_of(opened, {}), names=names)
    scored = shadow.score(batch_of(answers(list(range(6)), matrix)), wall_ms=NOW_MS)
    matrix[:3, -1] = [plans.index(word) for word in theirs[:3]]
    (rows,) = written(scored.written)
    np.testing.assert_allclose([row["score"] for row in rows], expected(matrix[:3], signature), atol=1e-6)
    assert dict(scored.unscored) == {Unscored.INPUTS_MISSING: 3}
    said = {}
    assert dict(shadow.score(batch_of(answers([0], matrix[:1])), wall_ms=NOW_MS).unscored) == {
        Unscored.INPUTS_MISSING: 1
    }


def test_a_shadow_reads_every_digit_of_the_answers(tmp_path: Path) -> None:
    """One bundle that answers has the numbers as they are; one took float32, which is not enough for this shadow."""
    opened, given = tails.bundle(tmp_path, records.SERVICE), tails.rows()
    inputs = opened.bundle.signature.names
    exact = {records.DIGEST: ((), ("ratio",), ("count", "account")), "eeeeeeeeeeee": ((), (), ())}

    def names(digests: Sequence[str]) -> dict[str, BundleNames]:
        return {digest: BundleNames(digest, inputs, (), (), *exact[digest]) for digest in digests}

    variant = Variant("exact", opened.bundle, opened.model.run, opened.known_good, known_values=opened.known_values)
    shadow = replace(shadow_of(opened, {}), variant=variant, names=names)
    matrix = np.column_stack([given[name].to_numpy().astype(np.float32) for name in inputs])
    longs = np.column_stack([given[name].to_numpy().astype("<i8") for name in ("count", "account")])
    values = answers(list(range(len(given))), matrix)
    values = with_packed(values, "doubles", [value.tobytes() for value in given["ratio"].to_numpy()])
    values = with_packed(values, "longs", [row.tobytes() for row in longs])
    values += [*answers([8], matrix[:1], "eeeeeeeeeeee"), *answers([9], matrix[:1])]  # the last one lacks its bytes
    long = with_packed(answers([10], matrix[:1]), "doubles", [bytes(8)])
    values += with_packed(long, "longs", [np.array([2**31, 0], "<i8").tobytes()])  # and int32 has no such count
    scored = shadow.score(batch_of(values), wall_ms=NOW_MS)
    (rows,) = written(scored.written)
    np.testing.assert_allclose([row["score"] for row in rows], tails.answers(given), rtol=1e-6)
    assert scored.unscored == {Unscored.INPUTS_MISSING: 2, Unscored.NO_NAMES: 1}


def with_texts(values: list[bytes], texts: Sequence[Sequence[str | None]]) -> list[bytes]:
    """The same answers with these texts."""
    return with_packed(values, "texts", [records.packed_texts(words) for words in texts])


def with_packed(values: list[bytes], name: str, packed: Sequence[bytes]) -> list[bytes]:
    """The same answers with other bytes in a column."""
    rows = Decoder(records.contract("predictions"), lambda _schema_id: None).decode(values, 1 << 20).rows
    return records.encode("predictions", replaced(rows, name, pa.array(packed, pa.binary())))
