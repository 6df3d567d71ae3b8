"""All faults, by group. A group is a module; its list says what it does to a scene."""

from __future__ import annotations

from tests.chaos import ending, killed, pairs, pressure
from tests.chaos.scene import Fault

GROUPS = {
    1: "scorer and recorder killed",
    2: "two workers of a group",
    7: "pressure and strange input",
    8: "orderly ends, and pages that tell the truth",
}
FAULTS: list[Fault] = [*killed.FAULTS, *pairs.FAULTS, *pressure.FAULTS, *ending.FAULTS]
