"""The harness sees what it is there to see: rows lost, doubled, changed, and rollups that do not add up."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.chaos.scene import SHADOW, VARIANTS, Fault, scene
from tests.chaos.verdict import Verdict, judge

# It tries the harness, not the product.
pytestmark = pytest.mark.skipif("WEIR_TEST_CHAOS" not in os.environ, reason="takes minutes: `make chaos` runs it")

NOTHING = Fault(0, "nothing", lambda _scene, _rounds: [])
ONE = "source_offset = (SELECT max(source_offset) FROM predictions WHERE source_partition = 2) AND source_partition = 2"
LAST = "source_offset = (SELECT max(source_offset) FROM shadows WHERE source_partition = 0) AND source_partition = 0"
CHANGED = "SETTINGS mutations_sync = 1"
OTHER = "if(variant = 'champion', 'challenger', 'champion')"
TAMPERED = [  # each beside those before it; the first touches what the others change, too
    ("INSERT INTO chaos_decisions SELECT * FROM chaos_decisions LIMIT 1", ["rollup chaos_decisions"]),
    ("INSERT INTO chaos_reasons SELECT 'x', 'y', 1, uniqExactState(1::Int32, 1::Int64)", ["rollup chaos_reasons"]),
    ("INSERT INTO shadows SELECT * FROM shadows LIMIT 1", ["1 rows of the shadow beyond one"]),
    (f"DELETE FROM shadows WHERE {LAST}", ["answers have no row of the shadow"]),
    (  # the other variant answers, too
        f"INSERT INTO predictions SELECT * REPLACE ({OTHER} AS variant) FROM predictions WHERE {ONE}",
        ["1 answers beyond one", "the ledger is not complete: 1 duplicates"],
    ),
    (f"DELETE FROM predictions WHERE {ONE}", ["1 requests have no answer", "the ledger is not complete: 1 missing"]),
    (f"ALTER TABLE predictions UPDATE score = 0.25 WHERE {ONE} {CHANGED}", ["1 predictions do not say"]),
    ("DELETE FROM outcomes WHERE prediction_id = (SELECT any(prediction_id) FROM outcomes)", ["1 outcomes are lost"]),
    ("DELETE FROM ledger WHERE log_partition = 1", ["the ledger is not complete"]),
    (
        f"ALTER TABLE dead_letters UPDATE stage = 'validate' WHERE reason = 'empty' {CHANGED}",
        ["dead letters do not say"],
    ),
]


def test_whatever_is_tampered_with_is_told(tmp_path):
    with scene(tmp_path, 3, replace(NOTHING, load={"bad": 0.05})) as stage:
        stage.scorers()
        stage.shadow()
        stage.recorder()
        stage.until_ready(*stage.children)
        stage.load.send(600)
        stage.settle()
        clean = Verdict(0, "nothing", 0)
        judge(clean, stage.service, stage.client, stage.truth, SHADOW)
        assert clean.problems == []
        assert (clean.sent, clean.ledger) == (stage.truth.total, "complete")
        assert clean.by_variant.keys() == set(VARIANTS)
        before: list[str] = []
        for statement, words in TAMPERED:
            stage.client.command(statement, settings={"insert_deduplicate": 0, "lightweight_deletes_sync": 2})
            found = Verdict(0, statement, 0)
            judge(found, stage.service, stage.client, stage.truth, SHADOW)
            new = [problem for problem in found.problems if problem not in before]
            for said in words:
                assert any(said in problem for problem in new), (statement, said, found.problems)
            before = found.problems
