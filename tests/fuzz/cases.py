"""How long fuzzing goes on, and how many cases it has tried.

A case is one record, request, text or file that was tried: records are decoded in batches, and each gets a verdict of
its own. FUZZ_CASES, from the environment, is how many there are to be in all; without it the run is short, and always
the same.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from weir.settings import ROOT

LONG_CASES: Final = int(os.environ.get("FUZZ_CASES", "0"))
HOME: Final = ROOT / ".weir" / "fuzz"
REPORT_EVERY: Final = 10_000
TRIED: Final[Counter[str]] = Counter()

# Target -> its share of a long run, and its cases in a short one; by what a case costs and what it may find.
TARGETS: Final = {
    "avro records": (0.80, 16_000),
    "avro records, evolved": (0.10, 2_000),
    "avro records, drawn": (0.004, 200),
    "frames": (0.06, 2_000),
    "facade statements": (0.012, 400),
    "facade bodies": (0.012, 400),
    "facade requests": (0.002, 100),
    "registry requests": (0.003, 100),
    "bundle manifests": (0.005, 100),
    "bundle folders": (0.002, 50),
}


def asked(target: str) -> int:
    """Cases of a target in a run like this one."""
    share, short = TARGETS[target]
    return int(LONG_CASES * share) if LONG_CASES else short


def tried(target: str, count: int = 1) -> None:
    """Count cases of a target."""
    assert target in TARGETS, target
    before = TRIED.total() // REPORT_EVERY
    TRIED[target] += count
    if TRIED.total() // REPORT_EVERY > before:
        report()  # a run that is cut short has said how far it came


def fuzz(target: str, at_once: int = 1, **strategies: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """`given` with as many examples as the target has cases, `at_once` of them an example."""
    run = settings(
        max_examples=max(1, asked(target) // at_once),
        deadline=None,
        derandomize=not LONG_CASES,
        database=DirectoryBasedExampleDatabase(HOME / "failures") if LONG_CASES else None,
        phases=[phase for phase in Phase if phase is not Phase.explain],
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: run(given(**strategies)(test))


def seeds() -> st.SearchStrategy[int]:
    """Where a batch of mutated records begins; the failure names the record, so the seed need not shrink."""
    return st.integers(0, 2**64 - 1)


def report() -> Path | None:
    """Write what was tried of what was asked, by target, when this is a long run.

    Every target is there, so that a run of one file is not taken for a whole one.
    """
    if not LONG_CASES:
        return None
    HOME.mkdir(parents=True, exist_ok=True)
    path = HOME / "report.json"
    targets = {target: {"asked": asked(target), "tried": TRIED[target]} for target in TARGETS}
    path.write_text(json.dumps({"targets": targets, "total": TRIED.total()}, indent=2) + "\n")
    return path
