"""How many rows a scorer takes at once."""

from types import SimpleNamespace
from typing import cast

import pytest
from weir.agents.scorer.agent import new_scorer
from weir.agents.scorer.resources import LOOKUP_ROWS, ScorerResources
from weir.settings import load


@pytest.mark.parametrize(
    ("features", "asked", "given"),
    [
        (False, 4 * LOOKUP_ROWS, 4 * LOOKUP_ROWS),
        (True, 4 * LOOKUP_ROWS, LOOKUP_ROWS),  # more could not be read within the lookup budget
        (True, 100, 100),
    ],
)
def test_a_batch_has_no_more_rows_than_its_features_can_be_read_for(tmp_path, features, asked, given):
    service = SimpleNamespace(reads_features=features)
    resources = cast(ScorerResources, SimpleNamespace(scorer=SimpleNamespace(service=service)))
    settings = load(home=tmp_path, batch_max_rows=asked, chunk_max_records=asked)
    found = new_scorer(settings, resources).settings
    assert (found.scoring.batch_max_rows, found.kafka.chunk_max_records) == (given, given)
