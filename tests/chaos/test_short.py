"""One small round of one fault of each group, with everything compared: `make chaos` does the same at length."""

from __future__ import annotations

import pytest

from tests.chaos.faults import FAULTS, GROUPS
from tests.chaos.scene import Fault, run

SHORT = (
    "scorer and recorder killed -9",
    "scorer asleep past its session",
    "broker killed -9",
    "ClickHouse and recorder killed -9",
    "Redis silent",
    "a stream of garbage",
    "duplicates, out of order",
    "SIGTERM under load",
)
CHOSEN = [fault for fault in FAULTS if fault.name in SHORT]


def test_every_group_is_among_the_short_ones():
    assert [fault.group for fault in CHOSEN] == sorted(GROUPS)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", CHOSEN, ids=lambda fault: fault.name)
def test_a_fault_leaves_no_trace(fault: Fault, tmp_path):
    if missing := fault.missing():
        pytest.skip(missing)
    verdict = run(fault, 1, tmp_path, seed=7)
    assert not verdict.problems, verdict
    assert verdict.sent > 500
    assert (verdict.lost, verdict.doubled, verdict.wrong, verdict.ledger) == (0, 0, 0, "whole")
