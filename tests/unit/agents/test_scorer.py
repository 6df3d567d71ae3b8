"""How many rows a scorer takes at once."""

from types import SimpleNamespace
from typing import cast

import pytest
from weir.agents.scorer.agent import new_scorer
from weir.agents.scorer.delivery import Parts
from weir.agents.scorer.parts import LOOKUP_ROWS
from weir.settings import load


@pytest.mark.parametrize(
    ("lookup", "asked", "given"),
    [
        (None, 4 * LOOKUP_ROWS, 4 * LOOKUP_ROWS),
        (object(), 4 * LOOKUP_ROWS, LOOKUP_ROWS),  # more could not be read within the lookup budget
        (object(), 100, 100),
    ],
)
def test_a_batch_has_no_more_rows_than_its_features_can_be_read_for(tmp_path, lookup, asked, given):
    parts = cast(Parts, SimpleNamespace(scorer=SimpleNamespace(service=SimpleNamespace(lookup=lookup))))
    settings = load(home=tmp_path, batch_max_rows=asked, chunk_max_records=asked)
    found = new_scorer(settings, parts).settings
    assert (found.scoring.batch_max_rows, found.kafka.chunk_max_records) == (given, given)
