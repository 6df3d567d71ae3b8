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

from tests.doubles import records
from tests.sql.databases import put

LOG = LogPartition("log", "weir.predictions", 0)
LATE = "ba9876543210"
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
    assert names == {LATE: BundleNames(LATE, records.INPUTS, records.VIEWS)}
    bundle_names.name(client, names[LATE])
    assert bundle_names.unnamed(client) == {LATE: 1}
    wanted = client.query(f"SELECT {COLUMNS} {OF}", parameters={"digest": records.DIGEST}).result_rows
    found = client.query(f"SELECT {COLUMNS} {OF}, source_partition", parameters={"digest": LATE}).result_rows
    assert [row for row in found if row[1]] == list(wanted)


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
    bundle_names.name(client, bundle_names.read(client)[LATE])
    assert client.query("SELECT DISTINCT mapKeys(features) FROM predictions").result_rows == [(list(odd),)]
