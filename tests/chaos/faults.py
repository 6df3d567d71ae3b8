"""All faults, by group. A group is a module; its list says what it does to a scene."""

from __future__ import annotations

from tests.chaos import brokers, ending, killed, pairs, poison, pressure, storage, stores
from tests.chaos.scene import Fault

GROUPS = {
    1: "scorer and recorder killed",
    2: "two workers of a group",
    3: "brokers away, killed, moved",
    4: "ClickHouse killed, away, full",
    5: "online store away or slow",
    6: "poison and garbage",
    7: "pressure and strange input",
    8: "orderly ends, and pages that tell the truth",
}
MODULES = (killed, pairs, brokers, storage, stores, poison, pressure, ending)
FAULTS: list[Fault] = [fault for module in MODULES for fault in module.FAULTS]
