"""False alarms and delays of the alarm rule, of rules of thumb and of River's detectors, on the same streams.

Run as a program: `python -m tests.bench.alarms [--quick] [--json PATH]`. A stream is windows of rows of 30 features,
standard normal; a reference of 100,000 rows came before. After twenty windows one feature moves, or gets another's
values. Rules see each feature's ten bins, River's detectors each row of each feature. Without River they are left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from weir.monitor import multiplicity, unchanged
from weir.monitor.judge import Bounds, Rule, judge
from weir.monitor.measurement import State
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold

Floats = npt.NDArray[np.float64]

FEATURES, BINS, REFERENCE = 30, 10, 100_000
BEFORE = 20  # windows without a change, before each change
LATEST = 40  # windows after it in which it counts as found
ALARMED = {State.WARN, State.PAGE}
TIME = datetime(2026, 1, 1, tzinfo=UTC)
CHANGES = {"0.25 sd": 0.25, "0.5 sd": 0.5, "swapped": 4.0}  # sd: of two columns that are swapped, their means' distance
WIDTH = 150  # of the table where there is no terminal


# Windows of rows, float64[rows, FEATURES] each; and of each whether a rule alarms. After an alarm a rule begins anew.
Stream = Iterable[Floats]
Alarms = Callable[[Stream], Iterator[bool]]


def still(seed: Sequence[int], n_windows: int, rows: int) -> Iterator[Floats]:
    """Nothing changes."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((rows, FEATURES)) for _ in range(n_windows))


def moved(seed: Sequence[int], rows: int, by: float) -> Iterator[Floats]:
    """One feature moves by so many standard deviations after BEFORE windows."""
    for window, values in enumerate(still(seed, BEFORE + LATEST, rows)):
        values[:, 7] += by if window >= BEFORE else 0.0
        yield values


class Binned:
    """Counts in bins between the reference's deciles: what the record has of each feature."""

    def __init__(self, rng: np.random.Generator) -> None:
        reference = rng.standard_normal((REFERENCE, FEATURES))
        self.edges = np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1], axis=0)
        self.shares = self._counts(reference) / REFERENCE

    def _counts(self, rows: Floats) -> Floats:
        found = np.empty((FEATURES, BINS))
        for feature in range(FEATURES):
            bins = np.searchsorted(self.edges[:, feature], rows[:, feature])
            found[feature] = np.bincount(bins, minlength=BINS)
        return found

    def figures(self, rows: Floats) -> tuple[Floats, Floats]:
        """PSI and p of each feature in one window."""
        shares = self._counts(rows) / len(rows)
        smoothed = np.maximum(shares, 0.5 / len(rows))
        psi = ((smoothed - self.shares) * np.log(smoothed / self.shares)).sum(axis=1)
        scaled = ((shares - self.shares) ** 2 / self.shares).sum(axis=1)
        return psi, np.exp(unchanged.log_p_of_psi(scaled, BINS, len(rows), REFERENCE))


def rules(binned: Binned) -> dict[str, Alarms]:
    """Weir's and those that are used instead, over binned windows."""

    def plain(says: Callable[[Floats, Floats], bool]) -> Alarms:
        return lambda stream: (says(*binned.figures(rows)) for rows in stream)

    def corrected(p: Floats) -> bool:
        return bool((multiplicity.benjamini_hochberg(p) <= 0.05).any())

    return {
        "Weir, default": lambda stream: judged(binned, stream, "> 0.1"),
        "Weir, evidence alone": lambda stream: judged(binned, stream, "> 0"),
        "any p < 0.05": plain(lambda _psi, p: bool((p < 0.05).any())),
        "any p < 0.05, Benjamini-Hochberg": plain(lambda _psi, p: corrected(p)),
        "any PSI > 0.1": plain(lambda psi, _p: bool((psi > 0.1).any())),
    }


def judged(binned: Binned, stream: Stream, bound: str) -> Iterator[bool]:
    """Of each window whether the alarm rule says warn or page."""
    rule, memory = Rule(bounds=Bounds(page=Threshold.of(bound))), {}
    for rows in stream:
        figures = zip(*binned.figures(rows), strict=True)
        told = [
            Row(begin=TIME, subject=str(i), value=float(psi), n=len(rows), p=float(p), details={})
            for i, (psi, p) in enumerate(figures)
        ]
        verdicts = judge(rule, told, memory)
        alarmed = any(verdict.state in ALARMED for verdict in verdicts)
        memory = {} if alarmed else {verdict.subject: verdict.memory for verdict in verdicts}
        yield alarmed


def of_river() -> dict[str, Alarms]:
    """River's detectors, one for each feature, at their defaults."""
    try:
        drift = importlib.import_module("river.drift")
    except ImportError:
        return {}

    def by_row(new: Callable[[], Any]) -> Alarms:
        def alarms(stream: Stream) -> Iterator[bool]:
            detectors = [new() for _ in range(FEATURES)]
            for rows in stream:
                found = False
                for feature, values in enumerate(rows.T.tolist()):
                    detector = detectors[feature]
                    for value in values:
                        detector.update(value)
                        found |= detector.drift_detected
                yield found
                if found:
                    detectors = [new() for _ in range(FEATURES)]

        return alarms

    return {
        "River ADWIN(0.002)": by_row(drift.ADWIN),
        "River ADWIN(1e-5)": by_row(lambda: drift.ADWIN(delta=1e-5)),
        "River PageHinkley()": by_row(drift.PageHinkley),
    }


def delay(alarms: Alarms, stream: Stream) -> int | None:
    """Windows from the change to the alarm, the one that has it included; None where none came in time."""
    for window, alarmed in enumerate(alarms(stream)):
        if alarmed and window >= BEFORE:
            return window - BEFORE + 1
    return None


def measure(*, quick: bool) -> list[dict[str, Any]]:
    """Of each rule and size of windows: alarms per 1,000 windows in which nothing changes, and delays in windows."""
    found = []
    for rows in (200, 1000):
        binned = Binned(np.random.default_rng(rows))
        for name, alarms in (rules(binned) | of_river()).items():
            by_row = name.startswith("River")  # a call for each row of each feature
            n = (60 if quick else 500) if by_row else (1000 if quick else 10_000)
            repeats = 2 if by_row and quick else 10
            delays = {
                change: [delay(alarms, moved((rows, repeat), rows, by)) for repeat in range(repeats)]
                for change, by in CHANGES.items()
            }
            false = 1000 * sum(alarms(still((rows, 1000), n, rows))) / n
            found.append({"rule": name, "rows": rows, "windows": n, "false_per_1000": false, "delays": delays})
    return found


def shown(delays: Sequence[int | None]) -> str:
    """The median delay, the longest, and how many changes were missed."""
    seen = [delay for delay in delays if delay is not None]
    missed = f", {len(delays) - len(seen)} of {len(delays)} missed" if len(seen) < len(delays) else ""
    return f"{statistics.median(seen):g} ({max(seen)}){missed}" if seen else "missed"


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.alarms", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer windows, about two minutes")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    asked = parser.parse_args()
    found = measure(quick=asked.quick)
    title = f"{FEATURES} features; delays are windows, the longest of some in brackets"
    table = Table("rule", "rows a window", "windows", "false alarms per 1,000", *CHANGES, title=title)
    for one in found:
        told = (
            f"{one['rows']:,}",
            f"{one['windows']:,}",
            f"{one['false_per_1000']:.1f}",
            *map(shown, one["delays"].values()),
        )
        table.add_row(one["rule"], *told)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
