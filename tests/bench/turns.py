"""Two commits in turns: `python -m tests.bench.turns BASE` tells how this tree compares with BASE, by ratios new / old.

Each side has a stand of its own (broker, registry, ClickHouse) and runs its own code and its own bench, see side.py. A
round measures everything on one side and then on the other, the order changes each round, and a ratio is taken within
its round, so that a machine that is slower for a while is slower for both. The median over the rounds is what is told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from weir.edges.embedded import kafka_jars
from weir.edges.embedded.kafka_node import find_java
from weir.settings import ROOT

from tests.bench import machine
from tests.bench.protocol import finite, median, spread
from tests.bench.side import CASES, MARK
from tests.bench.stand import HOME
from tests.kafka_cluster import find_kafka

LEAST = 0.97  # of the commit before
RATES = (50.0, 500.0, 5000.0)
SIZES = {True: (250_000, 3, 3.0), False: (1_000_000, 5, 15.0)}  # quick: rows of a drain, rounds, seconds of a loop
WARM_UPS = 4  # drains of each side that are not counted: Java compiles meanwhile
WARM_UP = "inside/1p"
LOOPS, STAGES = "loops", "stages"  # of --only
STAGE_TURNS = 12  # of a round: short, so that the least of them is of a quiet moment even where the machine has few
LOOP_FIGURES = {"p50_ms": "p50 ms", "p99_ms": "p99 ms", "scorer_us": "scorer's CPU us"}


class Side:
    """One commit's stand, in a process of its own."""

    def __init__(self, name: str, tree: Path, log: Path) -> None:
        self.name = name
        paths = [str(tree), *([str(tree / "app")] if (tree / "app" / "weir").is_dir() else [])]
        java = Path(find_java()).resolve().parent.parent
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "JAVA_HOME": str(java)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("side.py"))],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )
        self._log = log

    def ready(self) -> None:
        """Wait until the stand is up. Raises RuntimeError when it does not come up."""
        self._answer()

    def ask(self, *command: Any) -> dict[str, Any]:
        """Measure. Raises RuntimeError when the side has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Take the stand down."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=120)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(MARK):
                found: dict[str, Any] = json.loads(line.removeprefix(MARK))
                return found
        last = "\n".join(self._log.read_text().splitlines()[-15:])
        raise RuntimeError(f"the side {self.name} has ended; the end of {self._log}:\n{last}")


def base_tree(commit: str) -> Path:
    """A work tree of a commit, kept between runs so that its models are not trained again."""
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run([*git, "rev-parse", f"{commit}^{{commit}}"], capture_output=True, text=True, check=True)
    tree = (HOME / "trees" / found.stdout.strip()[:12]).resolve()
    if not tree.is_dir():
        subprocess.run([*git, "worktree", "add", "--detach", str(tree), found.stdout.strip()], check=True)
    libs = tree / ".weir" / "kafka" / "libs"
    libs.mkdir(parents=True, exist_ok=True)
    for jar in kafka_jars.find(find_kafka()):  # the same broker on both sides
        if not (libs / jar.name).exists():
            (libs / jar.name).symlink_to(jar)
    return tree


def main(arguments: list[str]) -> int:
    """Measure, show, write; the exit status is 0 when no median is below LEAST."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turns", description=__doc__)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("--full", action="store_true", help="larger drains and more rounds, about an hour")
    parser.add_argument("--only", action="append", choices=[*CASES, LOOPS, STAGES], help="may be given several times")
    parser.add_argument("--rounds", type=int, help="instead of those of the form")
    parser.add_argument("--json", type=Path, default=HOME / "turns.json")
    asked = parser.parse_args(arguments)
    console, began_s = Console(width=None if sys.stdout.isatty() else 130), time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - began_s:6.1f} s[/dim]  {line}", highlight=False, soft_wrap=True)

    HOME.mkdir(parents=True, exist_ok=True)
    tree = base_tree(asked.base)
    sides = [Side("old", tree, HOME / "old.log"), Side("new", ROOT, HOME / "new.log")]
    try:
        for side in sides:
            side.ready()
            say(f"{side.name} is up")
        found = _measure(sides, asked, say)
    finally:
        for side in sides:
            side.end()
    summary = summed_up(found)
    _show(summary, console)
    report = {"machine": machine.describe(), "base": tree.name, "rounds": found, "summary": summary}
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(finite(report), indent=1) + "\n")
    return 0 if all(one["ratio"] >= LEAST for one in summary.values() if one["held"]) else 1


def _measure(sides: list[Side], asked: argparse.Namespace, say: Any) -> list[dict[str, dict[str, Any]]]:
    """Round -> side -> what it gave."""
    rows, rounds, seconds = SIZES[not asked.full]
    wanted = asked.only or [*CASES, LOOPS, STAGES]
    for _ in range(WARM_UPS if wanted != [STAGES] else 0):
        for side in sides:
            say(f"warming up  {side.name}  {side.ask('drain', WARM_UP, rows)['events_per_s']:>9,.0f}/s")
    found: list[dict[str, dict[str, Any]]] = []
    for turn in range(asked.rounds or rounds):
        order = sides if turn % 2 == 0 else sides[::-1]
        gave: dict[str, dict[str, Any]] = {side.name: {} for side in sides}
        for case in (case for case in CASES if case in wanted):
            for side in order:
                gave[side.name][case] = one = side.ask("drain", case, rows)
                say(
                    f"round {turn + 1}  {case:12} {side.name}  {one['events_per_s']:>9,.0f}/s  "
                    f"CPU {one['scorer_us']:.1f} + {one['broker_us']:.1f} us  {'; '.join(one['faults'])}"
                )
        for side in order if LOOPS in wanted else ():
            gave[side.name][LOOPS] = loops = side.ask("loops", RATES, seconds)
            told = ", ".join(f"{rate}/s {one['p50_ms']:.1f} / {one['p99_ms']:.1f} ms" for rate, one in loops.items())
            say(f"round {turn + 1}  p50 / p99     {side.name}  {told}")
        for _ in range(STAGE_TURNS if STAGES in wanted else 0):
            for side in order:
                gave[side.name].setdefault(STAGES, []).append(side.ask("stages"))
        if STAGES in wanted:
            say(f"round {turn + 1}  stages")
        found.append(gave)
    return found


def summed_up(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What -> ratio (median), its spread, and the medians of both sides. A ratio over 1 is better, whatever it is of.

    held: whether it is held to LEAST; the longest of a loop's latencies are told alone, since one standstill of the
    machine decides them.

    >>> one = lambda rate: {"inside/1p": {"events_per_s": rate, "scorer_us": 2.0, "faults": []}, "loops": {}}
    >>> summed_up([{"old": one(100.0), "new": one(110.0)}])["inside/1p events/s"]["ratio"]
    1.1
    """
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for gave in rounds:
        old, new = gave["old"], gave["new"]
        for case in (name for name in old if name in CASES):
            if not old[case]["faults"] and not new[case]["faults"]:
                pairs[f"{case} events/s"].append((old[case]["events_per_s"], new[case]["events_per_s"]))
                pairs[f"{case} scorer's CPU us"].append((old[case]["scorer_us"], new[case]["scorer_us"]))
        for rate in old.get(LOOPS, {}):
            for name, what in LOOP_FIGURES.items():
                pairs[f"{what} at {rate}/s"].append((old["loops"][rate][name], new["loops"][rate][name]))
        for stage in old.get(STAGES, [{}])[0]:
            least = [min(one[stage] for one in side[STAGES]) for side in (old, new)]
            pairs[f"{stage}, CPU us"].append((least[0], least[1]))
    summary = {}
    for what, values in pairs.items():
        rising = what.endswith("events/s")
        ratios = [new / old if rising else old / new for old, new in values]
        summary[what] = {
            "old": median([old for old, _ in values]),
            "new": median([new for _, new in values]),
            "ratio": round(median(ratios), 4),
            "spread": spread(ratios),
            "held": "p99" not in what,
        }
    return summary


def _show(summary: dict[str, dict[str, Any]], console: Console) -> None:
    table = Table(title="new / old, over 1 is better", title_justify="left")
    for number, column in enumerate(("what", "old", "new", "ratio", "spread of ratios", "")):
        table.add_column(column, justify="left" if number == 0 else "right")
    for what, one in summary.items():
        verdict = "" if not one["held"] else "ok" if one["ratio"] >= LEAST else f"below {LEAST}"
        cells = (f"{one['old']:,.2f}", f"{one['new']:,.2f}", f"{one['ratio']:.3f}", f"{one['spread']:.0%}", verdict)
        table.add_row(what, *cells)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
