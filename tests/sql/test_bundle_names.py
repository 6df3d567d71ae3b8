"""Names for predictions that were recorded before anybody had said what their features are called."""

import numpy as np
import pyarrow as pa
import pytest
from weir.agents.recorder.agent import open_names
from weir.core.bundle_names import BundleNames
from weir.core.chunk import LogPartition
from weir.core.errors import Refused
from weir.edges.clickhouse import bundle_names
from weir.edges.kafka import topics
from weir.edges.schemas.registry import Registry, publish
from weir.recording import tables
from weir.telemetry import Telemetry

from tests.databases import put
from tests.doubles import records

LOG = LogPartition("log", "weir.predictions", 0)
LATE = "ba9876543210"
ALL = {("log", 0): 1 << 40}  # counted
COLUMNS = "toString(features), feature_age_s, feature_status"  # as text, a NaN equals another
OF = "FROM predictions WHERE digest = {digest:String} ORDER BY source_offset"


def record(client, rows):
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(len(rows)), records.names))


def test_rows_that_are_named_late_have_what_they_would_have_had(client):
    record(client, records.predictions(0, list(range(40))))
    record(client, records.predictions(0, list(range(40)), digest=LATE))
    record(client, records.predictions(1, [7], digest=LATE, inputs=2))  # its bytes are another bundle's
    assert bundle_names.unnamed(client) == {LATE: 41}
    put(client, "bundles", tables.bundles(records.bundles(LATE), LOG, np.arange(1)))
    names = bundle_names.read(client)
    normal = records.reference(records.INPUTS)
    assert names == {LATE: BundleNames(LATE, records.INPUTS, records.VIEWS, reference=normal)}
    bundle_names.name(client, names[LATE], ALL)
    assert bundle_names.unnamed(client) == {LATE: 1}
    wanted = client.query(f"SELECT {COLUMNS} {OF}", parameters={"digest": records.DIGEST}).result_rows
    found = client.query(f"SELECT {COLUMNS} {OF}, source_partition", parameters={"digest": LATE}).result_rows
    assert [row for row in found if row[1]] == list(wanted)


def test_outputs_and_texts_that_are_named_late_are_what_the_bytes_say(client):
    classes, words = ("early", "late", "never"), ("carrier", "remark")
    rows = records.predictions(0, list(range(40)), digest=LATE, outputs=3, texts=2)
    record(client, rows)
    put(client, "shadows", tables.shadows(shadowed(rows), LOG, np.arange(40), records.names))
    assert bundle_names.unnamed(client) == {LATE: 80}
    categories = {"carrier": ["AA", "B6"], "remark": []}
    said = records.bundles(LATE, outputs=classes, texts=words, categories=categories)
    put(client, "bundles", tables.bundles(said, LOG, np.arange(1)))
    assert client.query("SELECT categories FROM bundles").first_row[0] == categories
    names = bundle_names.read(client)[LATE]
    assert (names.outputs, names.texts) == (classes, words)
    assert bundle_names.name(client, names, ALL)
    assert not bundle_names.name(client, names, ALL)
    assert bundle_names.unnamed(client) == {}
    shares = [dict(zip(classes, row, strict=True)) for row in records.shares_of(np.arange(40), 3).tolist()]
    written = [dict(zip(words, records.words_of(offset, 2), strict=True)) for offset in range(40)]
    there = [{name: word for name, word in row.items() if word is not None} for row in written]
    found = client.query("SELECT outputs, texts FROM predictions ORDER BY source_offset").result_rows
    assert found == [*zip(shares, there, strict=True)]
    assert client.query("SELECT outputs FROM shadows ORDER BY source_offset").result_rows == [(row,) for row in shares]


def test_every_digit_is_there_however_late_it_is_named(client):
    record(client, records.predictions(0, list(range(40)), digest=LATE, exact=2))
    put(
        client,
        "bundles",
        tables.bundles(records.bundles(LATE, doubles=("a", "b"), longs=("c", "d")), LOG, np.arange(1)),
    )
    assert bundle_names.name(client, bundle_names.read(client)[LATE], ALL)
    found = client.query("SELECT doubles, longs FROM predictions ORDER BY source_offset").result_rows
    doubles, longs = (numbers(np.arange(40), 2).tolist() for numbers in (records.doubles_of, records.longs_of))
    assert found == [
        ({"a": one[0], "b": one[1]}, {"c": two[0], "d": two[1]}) for one, two in zip(doubles, longs, strict=True)
    ]


def test_defaults_are_told_by_the_names_of_their_inputs_however_late_these_come(client):
    """A row whose offset is a multiple of 7 has the first and the third."""
    record(client, records.predictions(0, list(range(20))))
    record(client, records.predictions(0, list(range(20)), digest=LATE))
    taken = [list(records.INPUTS[::2]) if offset % 7 == 0 else [] for offset in range(20)]
    question = "SELECT defaulted FROM predictions WHERE digest = {digest:String} ORDER BY source_offset"

    def told(digest):
        return [names for (names,) in client.query(question, parameters={"digest": digest}).result_rows]

    assert told(records.DIGEST) == taken
    assert told(LATE) == [[]] * 20
    put(client, "bundles", tables.bundles(records.bundles(LATE), LOG, np.arange(1)))
    assert bundle_names.name(client, bundle_names.read(client)[LATE], ALL)
    assert told(LATE) == taken


def test_every_bit_of_the_defaults_finds_its_input(client):
    names = [f"input_{number:02}" for number in range(19)]
    rows = records.predictions(0, list(range(19)), digest=LATE, inputs=19)
    bits = [(1 << number | 1 << 18).to_bytes(3, "little") for number in range(19)]
    rows = rows.set_column(rows.schema.get_field_index("defaulted"), "defaulted", pa.array(bits, pa.binary()))
    record(client, rows)
    put(client, "bundles", tables.bundles(records.bundles(LATE, inputs=names), LOG, np.arange(1)))
    assert bundle_names.name(client, bundle_names.read(client)[LATE], ALL)
    found = client.query("SELECT defaulted FROM predictions ORDER BY source_offset").result_rows
    assert found == [(sorted({name, names[18]}),) for name in names]


def test_texts_of_other_lengths_than_they_say_are_not_named(client):
    rows = records.predictions(0, [0, 1, 2, 3], digest=LATE, texts=1)
    texts = [rows["texts"][0].as_py(), b"", np.array([-2], "<i4").tobytes(), np.array([7], "<i4").tobytes() + b"six"]
    rows = rows.set_column(rows.schema.get_field_index("texts"), "texts", pa.array(texts, pa.binary()))
    record(client, rows)
    put(client, "bundles", tables.bundles(records.bundles(LATE, texts=["remark"]), LOG, np.arange(1)))
    assert bundle_names.name(client, bundle_names.read(client)[LATE], ALL)
    assert bundle_names.unnamed(client) == {LATE: 3}


def shadowed(rows):
    """What a shadow with the same digest says of the same rows."""
    said = records.shadows(0, rows["source_offset"].to_pylist(), outputs=3)
    return said.set_column(said.schema.get_field_index("digest"), "digest", rows["digest"])


def test_the_last_word_on_a_bundle_counts_once(client):
    twice = pa.concat_batches([records.bundles(LATE), records.bundles(LATE)])
    put(client, "bundles", tables.bundles(twice, LOG, np.arange(2)))
    assert len(bundle_names.read(client)) == 1


@pytest.fixture
def late(database):
    """The names that a recorder knows; nobody has said anything on Kafka."""
    declared = topics.declared(database)
    topics.ensure(database, declared)
    publish(Registry(database.registry), database.paths.schemas_dir, declared)
    return open_names(database, Telemetry())


def test_rows_that_come_after_the_table_was_asked_are_named_too(client, late):
    put(client, "bundles", tables.bundles(records.bundles(LATE), LOG, np.arange(1)))
    late.lack({LATE: 40})  # a block is shaped
    assert late.name_lacking() == []
    record(client, records.predictions(0, list(range(40)), digest=LATE))  # and is in
    assert late.name_lacking() == [LATE]
    assert bundle_names.unnamed(client) == {}
    record(client, records.predictions(0, [40], digest=LATE))  # the same block's other half
    assert late.name_lacking() == [LATE]


def test_what_could_not_be_named_is_tried_again_and_holds_up_nothing(client, late):
    record(client, records.predictions(0, list(range(40)), digest=LATE))
    record(client, records.predictions(0, list(range(40)), digest="cccccccccccc"))
    put(client, "bundles", tables.bundles(records.bundles(LATE), LOG, np.arange(1)))
    client.command("ALTER TABLE predictions RENAME COLUMN feature_age_s TO elsewhere")
    for _ in range(2):
        with pytest.raises(Refused):
            late.name_lacking()
    client.command("ALTER TABLE predictions RENAME COLUMN elsewhere TO feature_age_s")
    assert late.name_lacking() == [LATE]
    assert bundle_names.unnamed(client) == {"cccccccccccc": 40}  # nobody has described it
    put(client, "bundles", tables.bundles(records.bundles("cccccccccccc"), LOG, np.arange(1)))
    assert late.name_lacking() == ["cccccccccccc"]


def test_rows_that_no_names_fit_are_not_named_again_and_again(client, late):
    record(client, records.predictions(1, [7], digest=LATE, inputs=2))
    put(client, "bundles", tables.bundles(records.bundles(LATE), LOG, np.arange(1)))
    assert late.name_lacking() == []
    count = "SELECT count() FROM system.mutations WHERE database = currentDatabase()"
    assert client.query(count).first_row == (0,)


def test_names_of_any_text_name_rows(client):
    odd = ("tab\tand\nline", "quote ' and \" and \\", "\u0000", "\N{SNOWMAN} [,]")
    record(client, records.predictions(0, list(range(4)), digest=LATE))
    said = records.bundles(LATE, odd)
    assert not len(tables.check_bundles(said))
    put(client, "bundles", tables.bundles(said, LOG, np.arange(1)))
    bundle_names.name(client, bundle_names.read(client)[LATE], ALL)
    assert client.query("SELECT DISTINCT mapKeys(features) FROM predictions").result_rows == [(list(odd),)]


def test_two_thousand_inputs_are_named_late(client):
    """All names go with the question."""
    names = BundleNames(LATE, tuple(f"an_input_of_a_usual_name_{i}" for i in range(2000)), records.VIEWS)
    record(client, records.predictions(0, list(range(20)), digest=LATE, inputs=2000))
    assert bundle_names.unnamed(client) == {LATE: 20}
    assert bundle_names.name(client, names, ALL)
    assert bundle_names.unnamed(client) == {}
    found = client.query("SELECT DISTINCT mapKeys(features) FROM predictions").result_rows
    assert [tuple(row[0]) for row in found] == [names.inputs]
