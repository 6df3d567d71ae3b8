"""Request and feature columns to the matrix: every policy, every reason, and a row-by-row reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.core.features import FeatureBlock, ServicePlan, Status, ViewPlan
from weir.core.rejects import Reason, Stage
from weir.core.signature import Dtype, Input, JoinKey, KeyType, Policy, Signature, Source
from weir.scoring.assemble import Assembler

AT_MS = 1_372_636_800_000
TTL_S = {"fast": 60.0, "eternal": 0.0}
PLAN = ServicePlan(
    "weir",
    "tiny",
    (
        ViewPlan("fast", ("customer",), ("a", "b"), ("float32", "float32"), TTL_S["fast"]),
        ViewPlan("eternal", ("shop",), ("c",), ("float32",), TTL_S["eternal"]),
    ),
)
ARROW = {
    Dtype.FLOAT: pa.float32(),
    Dtype.INT: pa.int64(),
    Dtype.BOOL: pa.bool_(),
    Dtype.CATEGORY: pa.string(),
    Dtype.STRING: pa.string(),
}


def asked(name: str, dtype: Dtype = Dtype.FLOAT, **more) -> Input:
    return Input(name=name, source=Source.REQUEST, ref=name, dtype=dtype, **more)


def looked_up(ref: str, **more) -> Input:
    return Input(name=ref, source=Source.FEATURE, ref=ref, **{"on_missing": Policy.USE, **more})


def request_rows(signature: Signature, rows: list[dict]) -> pa.RecordBatch:
    columns = {"event_time": pa.array([AT_MS] * len(rows), pa.timestamp("ms", "UTC"))}
    for item in signature.of(Source.REQUEST):
        columns[item.ref] = pa.array([row[item.ref] for row in rows], ARROW[item.dtype])
    return pa.RecordBatch.from_pydict(columns)


def feature_block(values, ages_s, away=None) -> FeatureBlock:
    """values: n x 3, ages_s: n x 2 with None for a view that has no record, away: n x 2, the store did not answer."""
    found = np.array([[age is not None for age in row] for row in ages_s], np.bool_).reshape(-1, 2)
    event_us = np.array([[AT_MS * 1000 - int((age or 0) * 1_000_000) for age in row] for row in ages_s], np.int64)
    table = np.array(values, np.float32).reshape(-1, 3)
    table[~found[:, [0, 0, 1]]] = np.nan
    unavailable = None if away is None else np.array(away, np.bool_).reshape(-1, 2)
    return FeatureBlock(table, np.where(found, event_us.reshape(-1, 2), 0), found, 0, 0, unavailable)


def build(signature, rows, block=None):
    return Assembler(signature, PLAN if block is not None else None).build(request_rows(signature, rows), block)


def one(item: Input, value) -> tuple:
    """What becomes of a single request value: the float, or (stage, reason, detail)."""
    signature = Signature(inputs=(item,))
    built = build(signature, [{item.ref: value}])
    assert built.usable.tolist() == [len(built.rejects) == 0]
    if len(built.rejects):
        return built.rejects.stage[0], built.rejects.reason[0], built.rejects.detail[0]
    return float(built.matrix[0, 0])


WORDS = {"dtype": Dtype.CATEGORY, "categories": ("web", "app")}


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        (asked("x"), 1.5, 1.5),
        (asked("x", Dtype.INT), 7, 7.0),
        (asked("x", Dtype.BOOL), True, 1.0),
        (asked("x", **WORDS), "app", 1.0),
        (asked("x"), None, (Stage.VALIDATE, Reason.MISSING, "x")),
        (asked("x", Dtype.INT), None, (Stage.VALIDATE, Reason.MISSING, "x")),
        (asked("x", Dtype.BOOL), None, (Stage.VALIDATE, Reason.MISSING, "x")),
        (asked("x", **WORDS), None, (Stage.VALIDATE, Reason.MISSING, "x")),
        (asked("x", **WORDS), "fax", (Stage.VALIDATE, Reason.UNKNOWN_CATEGORY, "x")),
        (asked("x", **WORDS), "", (Stage.VALIDATE, Reason.UNKNOWN_CATEGORY, "x")),
        (asked("x", on_missing=Policy.DEFAULT, default=4.0), None, 4.0),
        (asked("x", on_missing=Policy.DEFAULT, default=1.0, **WORDS), None, 1.0),
        (asked("x", on_missing=Policy.DEFAULT, default=1.0, **WORDS), "fax", 1.0),
        (asked("x"), float("nan"), (Stage.VALIDATE, Reason.NOT_A_NUMBER, "x")),
        (asked("x", on_missing=Policy.DEFAULT, default=1.0, low=0.0), float("nan"), 1.0),  # as pandas writes "missing"
        (asked("x", on_missing=Policy.USE), float("inf"), (Stage.VALIDATE, Reason.NOT_A_NUMBER, "x")),
        (asked("x", on_missing=Policy.DEFAULT, default=1.0), float("-inf"), (Stage.VALIDATE, Reason.NOT_A_NUMBER, "x")),
        (asked("x"), float("inf"), (Stage.VALIDATE, Reason.NOT_A_NUMBER, "x")),
        (asked("x", high=1.0), float("-inf"), (Stage.VALIDATE, Reason.NOT_A_NUMBER, "x")),
        (asked("x", low=0.1, high=2.0), 0.1, 0.10000000149011612),
        (asked("x", low=0.1, high=2.0), 2.0, 2.0),
        (asked("x", low=0.0, high=2.0), 2.5, (Stage.VALIDATE, Reason.OUT_OF_RANGE, "x = 2.5")),
        (asked("x", low=0.0), -1.0, (Stage.VALIDATE, Reason.OUT_OF_RANGE, "x = -1")),
        (asked("x", Dtype.INT, high=3.0), 4, (Stage.VALIDATE, Reason.OUT_OF_RANGE, "x = 4")),
    ],
)
def test_one_request_value(item, value, expected):
    assert one(item, value) == expected


@pytest.mark.parametrize("more", [{}, WORDS])
@pytest.mark.parametrize("value", [None, "fax"])
def test_what_may_be_missing_reaches_the_model_as_nan(more, value):
    value = None if not more else value
    assert np.isnan(one(asked("x", on_missing=Policy.USE, **more), value))


def test_nan_is_missing_where_something_may_be_missing():
    signature = Signature(
        inputs=(
            asked("used", on_missing=Policy.USE, low=0.0),
            asked("filled", on_missing=Policy.DEFAULT, default=4.0),
            asked("needed"),
        )
    )
    nan = float("nan")
    rows = [
        dict(used=nan, filled=nan, needed=1.0),
        dict(used=2.0, filled=nan, needed=nan),
        dict(used=None, filled=None, needed=3.0),
    ]
    built = build(signature, rows)
    np.testing.assert_array_equal(built.matrix[[0, 2]], np.array([[nan, 4.0, 1.0], [nan, 4.0, 3.0]], np.float32))
    assert (built.rejects.record.tolist(), built.rejects.reason, built.rejects.detail) == (
        [1],
        (Reason.NOT_A_NUMBER,),
        ("needed",),
    )


@pytest.mark.parametrize(
    ("item", "age_s", "value", "expected"),
    [
        (looked_up("fast__a"), 10, 2.0, (2.0, Status.PRESENT, 10)),
        (looked_up("fast__a"), 60, 2.0, (2.0, Status.PRESENT, 60)),  # not older than its ttl
        (looked_up("fast__a"), 61, 2.0, (2.0, Status.STALE, 61)),
        (looked_up("fast__a", on_stale=Policy.DEFAULT, default=9.0), 61, 2.0, (9.0, Status.STALE, 61)),
        (looked_up("fast__a", on_stale=Policy.REJECT), 61, 2.0, Reason.FEATURE_STALE),
        (looked_up("fast__a", on_stale=Policy.REJECT, max_age_s=100.0), 61, 2.0, (2.0, Status.STALE, 61)),
        (looked_up("fast__a", on_stale=Policy.REJECT, max_age_s=5.0), 6, 2.0, Reason.FEATURE_STALE),
        (looked_up("fast__a", on_stale=Policy.REJECT), None, 0.0, (None, Status.NOT_FOUND, -1)),
        (looked_up("fast__a", on_missing=Policy.DEFAULT, default=9.0), None, 0.0, (9.0, Status.NOT_FOUND, -1)),
        (looked_up("fast__a", on_missing=Policy.REJECT), None, 0.0, Reason.FEATURE_MISSING),
        (looked_up("fast__a", on_missing=Policy.REJECT), 10, np.nan, Reason.FEATURE_MISSING),
        (looked_up("fast__a", on_missing=Policy.DEFAULT, default=9.0), 10, np.nan, (9.0, Status.PRESENT, 10)),
        (looked_up("fast__a", low=0.0), 10, -1.0, Reason.OUT_OF_RANGE),
        (looked_up("fast__a", low=0.0), None, 0.0, (None, Status.NOT_FOUND, -1)),  # no value is not out of range
    ],
)
def test_one_feature(item, age_s, value, expected):
    block = feature_block([[value, 0, 0]], [[age_s, 1]])
    built = build(Signature(inputs=(item,)), [{}], block)
    if isinstance(expected, Reason):
        stage = Stage.VALIDATE if expected is Reason.OUT_OF_RANGE else Stage.ASSEMBLE
        assert (built.rejects.stage, built.rejects.reason) == ((stage,), (expected,))
        return
    number, status, age = expected
    assert built.usable.tolist() == [True]
    assert built.matrix[0, 0] == (pytest.approx(np.nan, nan_ok=True) if number is None else number)
    assert (built.status[0, 0], built.age_s[0, 0]) == (status, age)


AWAY = {"on_missing": Policy.DEFAULT, "default": 9.0}


@pytest.mark.parametrize(
    ("item", "age_s", "value", "expected"),
    [
        (looked_up("fast__a"), 10, 2.0, (2.0, Status.STALE, 10)),  # the last value, by its true age
        (looked_up("fast__a", on_stale=Policy.DEFAULT, default=9.0), 10, 2.0, (2.0, Status.STALE, 10)),
        (looked_up("fast__a", on_stale=Policy.DEFAULT, default=9.0), 61, 2.0, (9.0, Status.STALE, 61)),
        (looked_up("fast__a", on_stale=Policy.REJECT), 61, 2.0, Reason.FEATURE_STALE),
        (
            looked_up("fast__a", on_stale=Policy.REJECT, on_unavailable=Policy.DEFAULT, default=9.0),
            61,
            2.0,
            (9.0, Status.STALE, 61),
        ),
        (looked_up("fast__a", on_unavailable=Policy.REJECT), 10, 2.0, Reason.FEATURE_UNAVAILABLE),
        (looked_up("fast__a"), None, 0.0, (None, Status.UNAVAILABLE, -1)),
        (looked_up("fast__a", **AWAY), None, 0.0, (9.0, Status.UNAVAILABLE, -1)),
        (looked_up("fast__a", on_missing=Policy.REJECT), None, 0.0, Reason.FEATURE_UNAVAILABLE),
        (looked_up("fast__a", on_missing=Policy.REJECT), 10, np.nan, Reason.FEATURE_MISSING),  # null, when last read
        (looked_up("fast__a", on_unavailable=Policy.DEFAULT, default=8.0), None, 0.0, (8.0, Status.UNAVAILABLE, -1)),
        (looked_up("fast__a", on_unavailable=Policy.REJECT), None, 0.0, Reason.FEATURE_UNAVAILABLE),
    ],
)
def test_one_feature_of_a_store_that_does_not_answer(item, age_s, value, expected):
    block = feature_block([[value, 0, 5.0]], [[age_s, 1]], [[True, False]])
    built = build(Signature(inputs=(item, looked_up("eternal__c"))), [{}], block)
    if isinstance(expected, Reason):
        assert (built.rejects.stage, built.rejects.reason) == ((Stage.ASSEMBLE,), (expected,))
        return
    number, status, age = expected
    assert built.matrix[0].tolist() == pytest.approx([np.nan if number is None else number, 5.0], nan_ok=True)
    assert (built.status[0].tolist(), built.age_s[0].tolist()) == ([status, Status.PRESENT], [age, 1])


def test_a_view_without_ttl_is_never_stale():
    block = feature_block([[0, 0, 5.0]], [[1, 10**9]])
    built = build(Signature(inputs=(looked_up("eternal__c", on_stale=Policy.REJECT),)), [{}], block)
    assert built.usable.tolist() == [True]
    assert built.status[0].tolist() == [Status.PRESENT, Status.PRESENT]
    assert built.age_s[0].tolist() == [1, 10**9]


def test_the_first_rule_that_is_broken_is_the_reason():
    signature = Signature(
        inputs=(
            asked("late", low=0.0),
            asked("word", **WORDS),
            asked("number"),
            looked_up("fast__a", on_missing=Policy.REJECT, on_stale=Policy.REJECT),
        )
    )
    rows = [
        {"late": -1.0, "word": "fax", "number": float("nan")},
        {"late": -1.0, "word": "web", "number": float("nan")},
        {"late": -1.0, "word": "web", "number": 1.0},
        {"late": -1.0, "word": "web", "number": 1.0},
        {"late": -1.0, "word": "web", "number": 1.0},
    ]
    block = feature_block([[1, 0, 0]] * 5, [[None, 1], [None, 1], [61, 1], [None, 1], [1, 1]])
    built = build(signature, rows, block)
    assert built.rejects.record.tolist() == [0, 1, 2, 3, 4]
    assert built.rejects.reason == (
        Reason.UNKNOWN_CATEGORY,
        Reason.NOT_A_NUMBER,
        Reason.FEATURE_STALE,
        Reason.FEATURE_MISSING,
        Reason.OUT_OF_RANGE,
    )
    assert built.rejects.detail == ("word", "number", "fast__a", "fast__a", "late = -1")


def test_a_batch_without_rows():
    signature = Signature(inputs=(asked("x", low=0.0), asked("w", **WORDS), looked_up("fast__a")))
    built = build(signature, [], feature_block(np.empty((0, 3)), []))
    assert built.matrix.shape == (0, 3)
    assert (built.age_s.shape, built.status.shape, len(built.rejects)) == ((0, 2), (0, 2), 0)


def test_hundreds_of_columns_may_each_have_a_reason():
    signature = Signature(inputs=tuple(asked(f"x{i}") for i in range(300)))
    rows = [{f"x{i}": None if i == row else 1.0 for i in range(300)} for row in range(300)]
    built = build(signature, rows)
    assert built.rejects.detail == tuple(f"x{i}" for i in range(300))


def test_columns_of_a_slice_are_those_of_the_slice():
    signature = Signature(inputs=(asked("x"), asked("b", Dtype.BOOL), asked("w", **WORDS)))
    rows = [{"x": float(i), "b": i % 2 == 0, "w": ("web", "app", "fax", None)[i % 4]} for i in range(20)]
    whole = request_rows(signature, rows)
    sliced = Assembler(signature, None).build(whole.slice(5, 9), None)
    alone = build(signature, rows[5:14])
    assert np.array_equal(sliced.matrix, alone.matrix, equal_nan=True)
    assert sliced.rejects.reason == alone.rejects.reason
    assert sliced.rejects.record.tolist() == alone.rejects.record.tolist()


def test_a_feature_that_the_plan_lacks_is_named():
    with pytest.raises(ValueError, match="does not have fast__z"):
        Assembler(Signature(inputs=(looked_up("fast__z"),)), PLAN)


def test_a_default_that_would_be_rejected_is_refused():
    with pytest.raises(ValueError, match=r"default -1 is not in \[0, inf\]"):
        asked("x", on_missing=Policy.DEFAULT, default=-1.0, low=0.0)


# ---- the same by a loop over rows


@dataclass
class Row:
    """What the reference makes of one row."""

    values: list[float]
    broken: tuple[Stage, Reason, str] | None
    defaulted: list[bool]


def slowly(  # noqa: PLR0912, PLR0915 - plain on purpose
    signature: Signature, request: dict, values: list[float], ages_s: list[float | None], away: list[bool]
) -> Row:
    """One row, rule after rule."""
    made: dict[str, float] = {}
    broken: list[tuple[Stage, Reason, str]] = []
    nan = float("nan")

    took: set[str] = set()

    def filled(item: Input) -> float:
        took.add(item.name)
        return float(item.default or 0.0)

    def give_up(stage: Stage, reason: Reason, name: str) -> None:
        broken.append((stage, reason, name))

    doubtful = []
    for item in signature.of(Source.REQUEST):
        value = request[item.ref]
        unknown = item.dtype is Dtype.CATEGORY and value is not None and value not in item.categories
        if value is None or unknown:
            if item.on_missing is Policy.REJECT:
                give_up(Stage.VALIDATE, Reason.UNKNOWN_CATEGORY if unknown else Reason.MISSING, item.name)
            made[item.name] = filled(item) if item.on_missing is Policy.DEFAULT else nan
        elif item.dtype is Dtype.CATEGORY:
            made[item.name] = float(item.categories.index(value))
        elif item.dtype is Dtype.STRING:
            made[item.name] = float(VALUES[Dtype.STRING].index(value))
        else:
            made[item.name] = float(np.float32(value))
            if np.isnan(made[item.name]) and item.on_missing is not Policy.REJECT:
                made[item.name] = filled(item) if item.on_missing is Policy.DEFAULT else nan
            elif not np.isfinite(made[item.name]):
                doubtful.append(item.name)
    for name in doubtful:
        give_up(Stage.VALIDATE, Reason.NOT_A_NUMBER, name)
    unanswered, stale, unknown, missing = [], [], [], []
    for item in signature.of(Source.FEATURE):
        view = item.ref.split("__")[0]
        age, silent = (column[("fast", "eternal").index(view)] for column in (ages_s, away))
        value = nan if age is None else values[PLAN.columns.index(item.ref)]
        limit = item.max_age_s or TTL_S[view] or float("inf")
        if silent and item.on_unavailable is Policy.REJECT:
            unanswered.append(item.name)
        if silent and item.on_unavailable is Policy.DEFAULT:
            value = filled(item)
        elif age is not None and age > limit:
            if item.on_stale is Policy.REJECT:
                stale.append(item.name)
            elif item.on_stale is Policy.DEFAULT:
                value = filled(item)
        if np.isnan(value):
            if item.on_missing is Policy.REJECT:
                (unknown if silent and age is None else missing).append(item.name)
            elif item.on_missing is Policy.DEFAULT:
                value = filled(item)
        made[item.name] = float(np.float32(value))
    for reason, names in (
        (Reason.FEATURE_UNAVAILABLE, unanswered),
        (Reason.FEATURE_STALE, stale),
        (Reason.FEATURE_UNAVAILABLE, unknown),
        (Reason.FEATURE_MISSING, missing),
    ):
        for name in names:
            give_up(Stage.ASSEMBLE, reason, name)
    for item in signature.inputs:
        low, high = (-np.inf if item.low is None else item.low), (np.inf if item.high is None else item.high)
        if made[item.name] < np.float32(low) or made[item.name] > np.float32(high):
            give_up(Stage.VALIDATE, Reason.OUT_OF_RANGE, f"{item.name} = {made[item.name]:g}")
    values = [made[item.name] for item in signature.inputs]
    return Row(values, broken[0] if broken else None, [item.name in took for item in signature.inputs])


POLICIES = st.sampled_from(Policy)
BOUNDS = st.sampled_from([(None, None), (0.0, None), (None, 2.0), (0.0, 2.0)])


@st.composite
def inputs(draw: st.DrawFn, name: str, source: Source) -> Input:
    dtype = draw(st.sampled_from(list(VALUES))) if source is Source.REQUEST else Dtype.FLOAT
    low, high = draw(BOUNDS) if dtype in (Dtype.FLOAT, Dtype.INT) else (None, None)
    aged = {
        "on_stale": draw(POLICIES),
        "on_unavailable": draw(POLICIES),
        "max_age_s": draw(st.sampled_from([None, 5.0, 500.0])),
    }
    return Input(
        name=name,
        source=source,
        ref=name,
        dtype=dtype,
        low=low,
        high=high,
        default=None if dtype is Dtype.STRING else 1.0,
        categories=("web", "app") if dtype is Dtype.CATEGORY else (),
        on_missing=draw(st.sampled_from([Policy.REJECT, Policy.USE]) if dtype is Dtype.STRING else POLICIES),
        **(aged if source is Source.FEATURE else {}),
    )


VALUES = {
    Dtype.FLOAT: [None, float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1.25, 3.0],
    Dtype.INT: [None, -1, 0, 2, 3],
    Dtype.BOOL: [None, True, False],
    Dtype.CATEGORY: [None, "web", "app", "fax"],
    Dtype.STRING: [None, "", "Fax ✆", "any word"],
}
AGES = st.sampled_from([None, 0, 3, 30, 60, 61, 1000])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Signature, list, list, list, list]:
    """A signature, and by row: the request, values, ages, and for which views the store did not answer."""
    names = draw(st.permutations(["r0", "r1", "r2", "fast__a", "fast__b", "eternal__c"]))
    names = names[: draw(st.integers(1, 6))]
    signature = Signature(
        inputs=tuple(draw(inputs(name, Source.FEATURE if "__" in name else Source.REQUEST)) for name in names)
    )
    count = draw(st.integers(0, 6))
    wanted = signature.of(Source.REQUEST)
    rows = [{item.ref: draw(st.sampled_from(VALUES[item.dtype])) for item in wanted} for _ in range(count)]
    numbers = st.sampled_from([float("nan"), -1.0, 0.5, 3.0])
    values = [[draw(numbers) for _ in range(3)] for _ in range(count)]
    ages = [[draw(AGES), draw(AGES)] for _ in range(count)]
    away = [[draw(st.booleans()), draw(st.booleans())] for _ in range(count)]
    return signature, rows, values, ages, away


@settings(max_examples=300, deadline=None)
@given(cases())
def test_columns_and_rows_agree(case):
    signature, rows, values, ages, away = case
    built = build(signature, rows, feature_block(values, ages, away))
    expected = [slowly(signature, row, *rest) for row, *rest in zip(rows, values, ages, away, strict=True)]
    assert built.usable.tolist() == [row.broken is None for row in expected]
    found = list(zip(built.rejects.stage, built.rejects.reason, built.rejects.detail, strict=True))
    assert found == [row.broken for row in expected if row.broken is not None]
    assert built.rejects.record.tolist() == [i for i, row in enumerate(expected) if row.broken is not None]
    usable = np.array([row.values for row in expected if row.broken is None], np.float32)
    matrix = built.matrix.copy()
    for column, words in zip(signature.strings, built.tables, strict=True):
        known = [VALUES[Dtype.STRING].index(word) for word in words]
        matrix[:, column] = [np.nan if np.isnan(code) else known[int(code)] for code in matrix[:, column]]
    assert np.array_equal(matrix[built.usable], usable.reshape(-1, len(signature.inputs)), equal_nan=True)
    defaulted = np.array([row.defaulted for row in expected], bool).reshape(-1, len(signature.inputs))
    assert defaulted[built.usable].any() <= bool(built.defaulted.shape[1])
    if built.defaulted.shape[1]:
        assert built.defaulted[built.usable].tolist() == defaulted[built.usable].tolist()


@pytest.mark.parametrize("required", [True, False])
def test_a_required_key_that_is_null_is_missing_and_another_is_not_found(required: bool) -> None:
    keys = (JoinKey(name="customer", required=required), JoinKey(name="shop", dtype=KeyType.INT64, required=False))
    signature = Signature(inputs=(looked_up("fast__a", on_missing=Policy.DEFAULT, default=9.0),), join_keys=keys)
    rows = pa.RecordBatch.from_pydict(
        {
            "event_time": pa.array([AT_MS] * 3, pa.timestamp("ms", "UTC")),
            "customer": pa.array(["a", None, "c"]),
            "shop": pa.array([None, 1, 2], pa.int64()),
        }
    )
    block = feature_block([[1, 0, 0], [1, 0, 0], [1, 0, 0]], [[1, 1], [None, 1], [1, 1]])
    built = Assembler(signature, PLAN).build(rows, block)
    assert built.usable.tolist() == [True, not required, True]
    assert built.matrix[:, 0].tolist() == [1.0, 9.0, 1.0]
    said = list(zip(built.rejects.stage, built.rejects.reason, built.rejects.detail, strict=True))
    assert said == ([(Stage.VALIDATE, Reason.MISSING, "customer")] if required else [])
