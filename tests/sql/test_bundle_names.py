"""Names for predictions that were recorded before anybody had said what their features are called."""

import numpy as np
import pyarrow as pa
from weir.core.bundle_names import BundleNames
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import bundle_names
from weir.recording import tables

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
