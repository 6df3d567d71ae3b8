"""What the demo asks monitors: the figures of a month, and the cost of all that was scored."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from weir.core.prices import UNITS, Price, tariffs
from weir.demo import months
from weir.edges.clickhouse import costs, results
from weir.edges.clickhouse.client import connect
from weir.recording import tables
from weir.settings import load

from tests.databases import migrated, put
from tests.doubles import records, spent
from tests.doubles.spent import FIRST_MS, Answer, Batch
from tests.sql.test_reports import LOG, WORTH, predict

JULY, AUGUST = datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 8, 1, tzinfo=UTC)
EIGHTHS = [int(i) for i in np.random.default_rng(1).integers(1, 8, 200)]


@pytest.fixture
def client(databases):
    with migrated(databases) as settings:
        yield connect(settings.recording)


def test_a_month_has_the_figures_of_scikit_learn_and_says_how_much_is_known(client):
    put(client, "bundles", tables.bundles(records.bundles(records.DIGEST), LOG, np.arange(1)))
    predict(client, [(False, eighths, at) for at, eighths in enumerate(EIGHTHS)])
    late = [int(eighths + at % 5 > 5) for at, eighths in enumerate(EIGHTHS)][:180]
    told = records.outcomes([f"r-{at}" for at in range(180)], late, by="request_id", at_ms=records.BASE_MS + 10**6)
    put(client, "outcomes", tables.outcomes(told, LOG, np.arange(len(told)), 0))
    results.make(client, {records.SERVICE: WORTH})
    (found,) = months.by_month(load(), client, records.SERVICE, JULY, AUGUST)
    scores = np.array(EIGHTHS[:180]) / 8
    assert (found.begin, found.predictions, found.outcomes, found.maturity) == (JULY, 200, 180, 0.9)
    assert found.figures["auc"][0] == pytest.approx(roc_auc_score(late, scores), abs=1e-9)
    assert found.figures["log_loss"][0] == pytest.approx(log_loss(late, scores), abs=1e-9)
    assert {"precision", "recall", "mean_value"} <= found.figures.keys()
    assert (found.inputs, found.drifted) == (0, ()), "no histogram is recorded"


def test_all_that_was_metered_is_what_predictions_dead_letters_and_nobody_bear(client):
    batch = Batch(0, 0, 9, 2, FIRST_MS, (1_000_000, 500_000, 2_000, 4_000, 30, 10), other_us=10**6)
    answers = [Answer(at, 0, FIRST_MS, tenant="t" if at else "") for at in range(8)]
    results.make(client, {"fraud": "0"})
    book = [one for unit in UNITS for one in tariffs(unit, [Price(date(2025, 12, 1), Decimal(1))])]
    costs.make(client, "EUR", book, [])
    spent.record(client, [batch], answers)
    found = months.cost(load(), client, "fraud")
    assert (found.predictions, found.currency, found.unexplained) == (8, "EUR", 0.0)
    assert found.metered == pytest.approx(found.allocated + found.rejected + found.idle, rel=1e-12)
    assert found.per_thousand(found.allocated) == pytest.approx(125 * found.allocated)
    assert found.components["cpu"] == 1.0
