"""Groups of faults once, in brief, with everything compared: `make chaos` does the same at length, with all of them."""

from __future__ import annotations

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.scene import Fault, run
from tests.chaos.short import SHORT


def test_every_fault_can_be_called_by_name():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {fault.group for fault in FAULTS} == set(range(1, 9))


@pytest.mark.timeout(1200)  # six groups, a minute where nothing else runs
@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_a_fault_leaves_no_trace(fault: Fault, tmp_path):
    if missing := fault.missing():
        pytest.skip(missing)
    verdict = run(fault, 1, tmp_path, seed=7)
    assert not verdict.problems, verdict
    assert verdict.sent > 500
    assert (verdict.lost, verdict.doubled, verdict.wrong, verdict.ledger) == (0, 0, 0, "complete")
