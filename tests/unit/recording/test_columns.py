"""Columns of the recorder against the plain way of making them, row by row."""

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.arrow import unpack
from weir.core.block import dump_marks, load_marks
from weir.core.chunk import LogPartition
from weir.core.rejects import Reason
from weir.core.texts import are_texts, columns
from weir.core.times import EVENT_MS
from weir.recording import naming, packed, tables
from weir.recording.packed import maps
from weir.recording.rising import rising
from weir.scoring import identity

from tests.doubles import records

SOURCES = st.tuples(st.sampled_from(["r", "s"]), st.integers(0, 2), st.sampled_from(["champion", "b"]))


def rising_by_rows(marks, rows):
    kept, marks = [], dict(marks)
    for source, offset in rows:
        kept.append(offset > marks.get(source, -1))
        marks[source] = max(offset, marks.get(source, -1))
    return kept, marks


@given(
    marks=st.dictionaries(SOURCES, st.integers(0, 20), max_size=4),
    rows=st.lists(st.tuples(SOURCES, st.integers(0, 30)), max_size=60),
    cut=st.integers(0, 60),
)
def test_the_filter_equals_the_rule_row_by_row_wherever_it_is_cut(marks, rows, cut):
    expected = rising_by_rows(marks, rows)
    kept, after = [], marks
    for part in (rows[:cut], rows[cut:]):
        columns = [pa.array([source[i] for source, _ in part], pa.int32() if i == 1 else pa.string()) for i in range(3)]
        new, after = rising(load_marks(dump_marks(after)), columns, np.array([offset for _, offset in part], np.int64))
        kept += new.tolist()
    assert (kept, dict(after)) == expected


def values(seed, names):
    return [float(seed % 1000 + i) for i in range(len(names))]


@given(
    rows=st.lists(st.tuples(st.sampled_from(["one", "two", "none"]), st.integers(0, 2**31)), max_size=40),
    skipped=st.integers(0, 5),
)
def test_maps_of_several_bundles_in_one_block(rows, skipped):
    words = {"one": ("a", "b", "c"), "two": ("c", "a"), "none": ()}
    octets = pa.array(
        [struct.pack(f"<{len(words[digest])}f", *values(seed, words[digest])) for digest, seed in rows], pa.binary()
    )
    rows, octets = rows[skipped:], octets.slice(skipped)  # a slice has a buffer that begins elsewhere
    groups = []
    for digest, names in words.items():
        members = np.array([i for i, (found, _) in enumerate(rows) if found == digest], np.intp)
        if len(members):
            mine = octets.take(pa.array(members))
            groups.append((members, names, unpack(mine, np.dtype("<f4"), len(names))))
    made = maps(groups, len(rows))
    made.validate(full=True)
    assert made.to_pylist() == [
        list(zip(words[digest], values(seed, words[digest]), strict=True)) for digest, seed in rows
    ]


def test_packed_values_of_another_length_are_refused():
    with pytest.raises(ValueError, match="of 8, 12 bytes where 8"):
        unpack(pa.array([b"12345678", b"123456789012"]), np.dtype("<f4"), 2)
    with pytest.raises(ValueError, match="null"):
        unpack(pa.array([b"12345678", None]), np.dtype("<f4"), 2)


def test_unaligned_values_are_read_all_the_same():
    octets = pa.array([b"x", struct.pack("<2f", 1.5, -2.0), struct.pack("<2f", 3.0, 4.0)]).slice(1)
    assert unpack(octets, np.dtype("<f4"), 2).tolist() == [[1.5, -2.0], [3.0, 4.0]]


TEXTS = st.lists(st.none() | st.text(max_size=5), min_size=2, max_size=2)


@given(rows=st.lists(st.tuples(st.sampled_from(["one", "two", "none"]), TEXTS), max_size=40), skipped=st.integers(0, 5))
def test_texts_of_several_bundles_in_one_block(rows, skipped):
    names = {"one": ("a", "b"), "two": ("b", "c"), "none": ()}
    values = [records.packed_texts(words if names[digest] else []) for digest, words in rows]
    rows, values = rows[skipped:], pa.array(values, pa.binary()).slice(skipped)
    groups = []
    for digest, called in names.items():
        members = np.array([i for i, (found, _) in enumerate(rows) if found == digest], np.intp)
        if len(members):
            mine = values.take(pa.array(members))
            assert are_texts(mine, len(called)).all()
            groups.append((members, called, mine))
    for _, called, mine in groups:
        pairs = columns(mine, len(called)) if called else []
        assert records_of(pairs) == [row for row in mine.to_pylist() if called]
    made = packed.texts(groups)
    made.validate(full=True)
    pairs = [zip(names[digest], words if names[digest] else [], strict=True) for digest, words in rows]
    wanted = [[(name, word.encode()) for name, word in row if word is not None] for row in pairs]
    assert made.to_pylist() == wanted


def records_of(columns: list[pa.Array]) -> list[bytes]:
    return [records.packed_texts(row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]


@given(st.binary(max_size=24), st.integers(0, 3))
def test_bytes_that_are_no_texts_are_told(octets, width):
    sizes = np.frombuffer(octets[: 4 * width], "<i4") if len(octets) >= 4 * width else []
    whole = 4 * width + sum(max(int(size), 0) for size in sizes)
    wanted = len(octets) >= 4 * width and all(size >= -1 for size in sizes) and whole == len(octets)
    beside = records.packed_texts([None] * width)
    assert are_texts(pa.array([octets, beside]), width).tolist() == [wanted, True]


def test_predictions_without_names_keep_their_bytes_and_the_others_have_them():
    """Of a bundle that nobody has described, and of one whose names do not fit."""
    fitting, other = records.predictions(0, [0, 3]), records.predictions(0, [1], digest="ffffffffffff")
    short = records.predictions(0, [2], inputs=3)
    rows = pa.concat_batches([fitting, other, short]).take(pa.array([0, 2, 3, 1]))
    known = records.Known()
    made = tables.predictions(rows, LogPartition("log", "weir.predictions", 0), np.arange(4), known)
    assert known.lacking == {"ffffffffffff": 1, records.DIGEST: 1}
    octets = [[rows[name][row].as_py() for name in naming.PACKED] for row in (1, 2)]
    assert made["packed"].to_pylist() == [[], *octets, []]
    named = tables.predictions(fitting, LogPartition("log", "weir.predictions", 0), np.arange(2), records.names)
    for name in naming.PACKED:
        assert repr(made[name].to_pylist()) == repr([named[name][0].as_py(), [], [], named[name][1].as_py()])


@pytest.mark.parametrize(
    ("column", "value", "detail"),
    [
        ("prediction_id", "x" * 36, "no UUID"),
        ("prediction_id", "", "no UUID"),
        ("feature_status", b"\x01\x06", "status"),
        ("feature_status", b"\x00", "status"),
        ("event_time", -1, "event_time is no time"),
        ("scored_at", 1_790_000_000_000_000, "scored_at is no time"),  # microseconds
    ],
)
def test_predictions_that_the_table_cannot_hold(column, value, detail):
    good = records.predictions(0, [0, 1, 2])
    assert len(tables.check_predictions(good)) == 0
    rejects = tables.check_predictions(changed(good, column, value))
    assert (rejects.record.tolist(), rejects.reason) == ([1], (Reason.OUT_OF_RANGE,))
    assert detail in rejects.detail[0]


@pytest.mark.parametrize("time_ms", [1_790_000_000_000_000, -(2**62), -1, 4_102_444_800_000])
@pytest.mark.parametrize(
    ("check", "rows", "column"),
    [
        (tables.check_dead_letters, records.dead_letters(0, [0, 1, 2]), "rejected_at"),
        (tables.check_ledger, records.ledger(0, [(0, 1), (2, 3), (4, 5)]), "recorded_at"),
        (tables.check_bundles, pa.concat_batches([records.bundles()] * 3), "written_at"),
        (tables.check_batches, records.batches(0, [(0, 1), (2, 3), (4, 5)]), "scored_at"),
        (tables.check_batches, records.batches(0, [(0, 1), (2, 3), (4, 5)]), "oldest_at"),
        *((tables.check_measurements, records.said("measurements"), name) for name in ("begin", "end", "computed_at")),
        *((tables.check_alerts, records.said("alerts"), name) for name in ("begin", "end", "at")),
        *((tables.check_alert_notes, records.said("alert_notes"), name) for name in ("at", "until")),
        *((tables.check_actions, records.said("actions"), name) for name in ("begin", "end", "at")),
    ],
)
def test_times_that_cannot_be_are_not_recorded(check, rows, column, time_ms):
    assert len(check(rows)) == 0
    rejects = check(changed(rows, column, time_ms))
    assert (rejects.record.tolist(), rejects.reason) == ([1], (Reason.OUT_OF_RANGE,))
    assert f"{column} is no time between 1970 and 2100" in rejects.detail[0]


@pytest.mark.parametrize(
    ("column", "value", "detail"),
    [
        ("ranges", b"123", "ranges are no int32, int64, int64"),
        ("contract_ids", b"123", "contract_ids are no int32"),
        ("runs", b"123", "runs are no int32, int64"),
        ("digests", "3fa94c01b2de", "digests is no JSON array of different names"),
        ("idle_us", -1, "a count or a time is below 0"),
        ("rejected", -1, "a count or a time is below 0"),
    ],
)
def test_batches_that_the_table_cannot_hold(column, value, detail):
    rejects = tables.check_batches(changed(records.batches(0, [(0, 1), (2, 3), (4, 5)]), column, value))
    assert (rejects.record.tolist(), rejects.detail) == ([1], (detail,))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '["a", "a"]', '[""]', "null"])
def test_names_that_are_none_are_not_recorded(text):
    assert tables.check_bundles(changed(pa.concat_batches([records.bundles()] * 3), "views", text)).record.tolist() == [
        1
    ]


def changed(rows: pa.RecordBatch, column: str, value: object) -> pa.RecordBatch:
    """The rows with another value in the second one."""
    index = rows.schema.get_field_index(column)
    dtype = rows.schema.field(index).type
    values = rows.column(index).cast(pa.int64()) if pa.types.is_timestamp(dtype) else rows.column(index)
    listed = values.to_pylist()
    listed[1] = value
    return rows.set_column(index, column, pa.array(listed, values.type).cast(dtype))


@pytest.mark.parametrize(
    ("column", "value", "reason", "detail"),
    [
        ("prediction_id", "", Reason.OUT_OF_RANGE, "UUIDv7"),
        ("prediction_id", "x" * 36, Reason.OUT_OF_RANGE, "UUIDv7"),
        ("prediction_id", "5d7c0d4e-0000-4000-8000-000000000000", Reason.OUT_OF_RANGE, "UUIDv7"),  # version 4
        ("prediction_id", "ffffffff-ffff-7000-8000-000000000000", Reason.OUT_OF_RANGE, "UUIDv7"),  # the year 10889
        ("prediction_id", "03bb2cc3-d800-7000-8000-000000000000", Reason.OUT_OF_RANGE, "UUIDv7"),  # 2100-01-01
        ("prediction_id", None, Reason.MISSING, "neither prediction_id nor request_id"),
        ("request_id", "r", Reason.OUT_OF_RANGE, "both given"),
        ("request_id", "", Reason.OUT_OF_RANGE, "both given"),
        ("service", "", Reason.MISSING, "service is empty"),
        ("label", "", Reason.OUT_OF_RANGE, "label is empty"),
        ("revision", -1, Reason.OUT_OF_RANGE, "revision is below 0"),
        ("attributes", [("a", float("nan"))], Reason.NOT_A_NUMBER, "an attribute is not a number"),
        ("attributes", [("a", 1.0), ("b", -float("inf"))], Reason.NOT_A_NUMBER, "an attribute is not a number"),
        ("attributes", [("a", 1.0), ("b", 2.0), ("a", 1.0)], Reason.OUT_OF_RANGE, "name something twice"),
        ("observed", float("inf"), Reason.NOT_A_NUMBER, "observed"),
        ("occurred_at", 1_790_000_000_000_000, Reason.OUT_OF_RANGE, "occurred_at is no time"),  # microseconds
        ("occurred_at", -(2**63), Reason.OUT_OF_RANGE, "occurred_at is no time"),
    ],
)
def test_outcomes_that_cannot_be_joined_or_counted(column, value, reason, detail):
    good = records.outcomes([records.prediction_id(0, offset) for offset in range(3)], [0.0, 1.0, 1.0])
    assert len(tables.check_outcomes(good)) == 0
    rejects = tables.check_outcomes(changed(good, column, value))
    assert (rejects.record.tolist(), rejects.reason) == ([1], (reason,))
    assert detail in rejects.detail[0]


def test_every_id_that_the_scorer_makes_can_have_an_outcome():
    edges = np.array([EVENT_MS[0], EVENT_MS[1] - 1])
    ids = identity.text(identity.prediction_ids(LogPartition("log", "requests", 0), np.arange(2), edges)).to_pylist()
    assert len(tables.check_outcomes(records.outcomes(ids, [0.0, 1.0]))) == 0


def test_one_reason_is_kept_for_a_row_with_several():
    rows = records.outcomes(["", records.prediction_id(0, 1).upper()], [7.0, 1.0], [float("nan"), 1.0])
    rejects = tables.check_outcomes(rows)
    assert (rejects.record.tolist(), rejects.detail) == ([0], ("prediction_id is not a UUIDv7",))


def test_an_outcome_by_request_needs_its_name_and_something_to_say():
    good = records.outcomes(["a", "b", "c"], [0.0, 1.0, 1.0], by="request_id")
    assert len(tables.check_outcomes(good)) == 0
    assert tables.check_outcomes(changed(good, "request_id", "")).detail == ("request_id is empty",)
    silent = changed(changed(good, "label", None), "observed", None)
    assert len(tables.check_outcomes(silent)) == 0  # its attributes say something
    silent = changed(silent, "attributes", [])
    assert tables.check_outcomes(silent).detail == ("neither label nor observed nor attributes are given",)
    assert len(tables.check_outcomes(changed(silent, "withdrawn", True))) == 0


AMOUNTS = st.lists(st.tuples(st.sampled_from("abc"), st.floats()), max_size=4)


@given(st.lists(st.tuples(AMOUNTS, st.booleans()), min_size=1, max_size=12), st.integers(0, 5))
def test_attributes_are_looked_at_and_withdrawn_ones_emptied_wherever_a_column_is_cut(rows, skipped):
    n = len(rows)
    good = records.outcomes([str(i + 1) for i in range(n)], [1.0] * n, by="request_id")
    columns = {
        "attributes": pa.array([given for given, _ in rows], records.AMOUNTS),
        "withdrawn": pa.array([gone for _, gone in rows]),
    }
    for name, column in columns.items():
        good = good.set_column(good.schema.get_field_index(name), name, column)
    cut, rows = good.slice(skipped), rows[skipped:]
    bad = [
        i
        for i, (given, _) in enumerate(rows)
        if len(dict(given)) < len(given) or not all(np.isfinite(amount) for _, amount in given)
    ]
    assert tables.check_outcomes(cut).record.tolist() == bad
    kept = tables.outcomes(cut, LogPartition("log", "weir.outcomes", 0), np.arange(len(rows)), records.BASE_MS)
    kept.validate(full=True)
    said = [(repr([] if gone else given), None if gone else "1") for given, gone in rows]
    assert list(zip(map(repr, kept["attributes"].to_pylist()), kept["label"].to_pylist(), strict=True)) == said


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "{}", "null", "NaN", "[1]", "[1e999]", '["a", "a"]', '[""]', '["a", ["b"]]', "9" * 5000),
        *('["\\ud800"]', '["a\\udfff"]', "[" * 100_000, '{"a":' * 100_000),
    ],
)
@pytest.mark.parametrize("column", ["inputs", "views", "outputs", "texts", "classes", "decisions"])
def test_names_that_cannot_be_read_are_rejects_of_their_own(column, text):
    good = pa.concat_batches([records.bundles()] * 3)
    rows = changed(good, column, text)
    rejects = tables.check_bundles(rows)
    assert (rejects.record.tolist(), rejects.reason) == ([1], (Reason.OUT_OF_RANGE,))
    kept = rows.take(pa.array([0, 2]))
    assert len(tables.bundles(kept, LogPartition("log", "weir.bundles", 0), np.arange(2))) == 2


@pytest.mark.parametrize(
    "text", ["[NaN]", "[Infinity]", "[1e999]", "[true]", '["1"]', "[[1]]", f"[1{'0' * 400}]", "1", ""]
)
def test_cuts_that_are_no_numbers_are_rejects_of_their_own(text):
    rows = changed(pa.concat_batches([records.bundles()] * 3), "cuts", text)
    assert tables.check_bundles(rows).record.tolist() == [1]


@pytest.mark.parametrize("text", ["", "[]", "null", '{"a": 1}', '{"a": ["b", "b"]}', '{"": ["b"]}', '{"a": {"b": []}}'])
def test_categories_that_cannot_be_read_are_rejects_of_their_own(text):
    rows = changed(pa.concat_batches([records.bundles(categories={"a": ["b", "c"]})] * 3), "categories", text)
    assert tables.check_bundles(rows).record.tolist() == [1]
    made = tables.bundles(rows.take(pa.array([0])), LogPartition("log", "weir.bundles", 0), np.arange(1))
    assert made["categories"].to_pylist() == [[("a", ["b", "c"])]]


def test_names_outside_the_first_plane_are_names():
    said = records.bundles(inputs=["\U0001f6eb", "\u0000"])
    assert r"\ud83d" in said["inputs"][0].as_py()  # JSON writes both halves
    assert len(tables.check_bundles(said)) == 0
    made = tables.bundles(said, LogPartition("log", "weir.bundles", 0), np.arange(1))
    assert made["inputs"].to_pylist() == [["\U0001f6eb", "\u0000"]]


@pytest.mark.parametrize(
    ("record", "column", "value", "detail"),
    [
        ("measurements", "measurement_id", "1", "measurement_id is no UUID"),
        ("measurements", "service", "", "service is empty"),
        ("measurements", "state", "fine", "state is none of failed, few, immature, ok, page, warn"),
        ("measurements", "value", float("nan"), "value is not a number"),
        ("measurements", "log_e", float("inf"), "log_e is not a number"),
        ("measurements", "p", 1.5, "p is not between 0 and 1"),
        ("measurements", "maturity", -0.1, "maturity is not between 0 and 1"),
        ("measurements", "n", -1, "n is not between"),
        ("measurements", "revision", -1, "revision is not between"),
        ("measurements", "memory", "[]", "memory is no JSON object"),
        ("measurements", "details", '{"a": NaN}', "details is no JSON object"),
        ("measurements", "details", '{"a": "\\ud800"}', "details is no JSON object"),
        ("measurements", "memory", "{" * 100_000, "memory is no JSON object"),
        ("measurements", "covers", "{}", "covers is no JSON array"),
        ("measurements", "covers", '[["log", "topic", 0, 1]]', "covers is no JSON array"),
        ("measurements", "covers", '[["log", "topic", 0, 1, 2.5]]', "covers is no JSON array"),
        ("measurements", "covers", f'[["log", "topic", 0, 1, {2**63}]]', "covers is no JSON array"),
        ("measurements", "end", 1372690799999, "end is before begin"),
        ("alerts", "key", "", "key is empty"),
        ("alerts", "number", 0, "number is not between"),
        ("alerts", "from_state", "acknowledged", "from_state is none of firing, ok, pending, resolved"),
        ("alerts", "to_state", "gone", "to_state is none of"),
        ("alerts", "evidence", "", "evidence is no JSON object"),
        ("alert_notes", "note_id", "", "note_id is no UUID"),
        ("alert_notes", "kind", "shout", "kind is none of ack, silence, unsilence"),
        ("alert_notes", "matchers", "null", "matchers is no JSON object"),
        ("actions", "proposed_by", "", "proposed_by is empty"),
        ("actions", "parameters", "7", "parameters is no JSON object"),
    ],
)
def test_findings_that_the_tables_cannot_hold(record, column, value, detail):
    check, shape = getattr(tables, f"check_{record}"), getattr(tables, record)
    good = records.said(record)
    assert len(check(good)) == 0
    rows = changed(good, column, value)
    rejects = check(rows)
    assert rejects.record.tolist() == [1]
    assert rejects.detail[0].startswith(detail)
    assert len(shape(rows.take(pa.array([0, 2])), LogPartition("log", "weir.x", 0), np.arange(2))) == 2
