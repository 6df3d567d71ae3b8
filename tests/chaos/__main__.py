"""`python -m tests.chaos`: bring faults about, compare everything with the truth, show a table; status 1 if wrong."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.chaos.faults import FAULTS, GROUPS
from tests.chaos.scene import BACK_S, run
from tests.chaos.verdict import Verdict

TAKES = (
    "On two cores a round takes about 15 s, of some faults 40 s, and a fault 20 s beside its rounds: the three kills, "
    "20 rounds each (--only 1 --rounds 20), about 16 minutes. "
    f"No wait is longer than {BACK_S:g} s; after that the fault has failed, and the next one begins."
)
WIDTH = 170  # of a log file, which has none of its own
COLUMNS = (
    "fault",
    "rounds",
    "sent",
    "answers by variant",
    "lost",
    "doubled",
    "wrong",
    "dead letters",
    "repeats",
    "recovery s",
    "ledger",
    "took s",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__, epilog=TAKES)
    parser.add_argument("--quick", action="store_true", help="few rounds of each fault")
    parser.add_argument("--only", type=int, action="append", choices=sorted(GROUPS), help="a group; may be repeated")
    parser.add_argument("--fault", default="", help="only faults with this in their name")
    parser.add_argument("--rounds", type=int, default=0, help="of each fault, instead of its own number")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of all that is left to chance")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no further fault after so long; 0: no bound")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--home", type=Path, default=Path(".weir"), help="where services keep their files")
    asked = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(f"seed {asked.seed}", style="dim")
    asked.home.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="chaos-", dir=asked.home.resolve()))
    chosen = [f for f in FAULTS if (not asked.only or f.group in asked.only) and asked.fault in f.name]
    verdicts: list[Verdict] = []
    skipped: dict[str, str] = {}
    began = time.monotonic()
    for number, fault in enumerate(chosen):
        missing = fault.missing()
        if not missing and asked.minutes and time.monotonic() - began > 60 * asked.minutes:
            missing = f"{asked.minutes:g} minutes are over"
        if missing:
            skipped[fault.name] = missing
            console.print(f"{fault.name}: [yellow]not run[/], {missing}")
            continue
        rounds = asked.rounds or (fault.quick if asked.quick else fault.full)
        verdict = run(fault, rounds, home / str(number), asked.seed)
        verdicts.append(verdict)
        console.print(f"{fault.name}: {_said(verdict)}", highlight=False)
        if verdict.passed:
            shutil.rmtree(home / str(number), ignore_errors=True)
    console.print(table(verdicts))
    for verdict in verdicts:
        for note in verdict.notes:
            console.print(f"{verdict.fault}: {note}", highlight=False, style="dim")
    if asked.json:
        asked.json.write_text(json.dumps(_report(asked.seed, verdicts, skipped), indent=2) + "\n")
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if failed:
        console.print(f"[bold red]{len(failed)} of {len(verdicts)} faults left a trace[/]; logs under {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)
    return 1 if failed or not verdicts else 0


def _said(verdict: Verdict) -> str:
    if verdict.passed:
        return f"[green]nothing lost, nothing doubled[/], {verdict.seconds:.0f} s"
    return "[bold red]" + "; ".join(verdict.problems) + "[/]"


def table(verdicts: list[Verdict]) -> Table:
    """One line a fault. recovery: median / longest, from the fault's end until all that was sent before is recorded."""
    shown = Table(title="faults", title_justify="left")
    for heading in COLUMNS:
        shown.add_column(heading, justify="left" if heading in ("fault", "ledger") else "right")
    for v in verdicts:
        times = f"{np.median(v.recovery_s):.1f} / {max(v.recovery_s):.1f}" if v.recovery_s else "-"
        bad = "bold red" if not v.passed else ""
        shown.add_row(
            f"{v.group} {v.fault}",
            str(v.rounds),
            f"{v.sent:,}",
            " + ".join(f"{answers:,}" for answers in v.by_variant.values()),
            f"{v.lost:,}",
            f"{v.doubled:,}",
            f"{v.wrong:,}",
            f"{v.dead_lettered:,}",
            f"{v.repeated_in_log:,}",
            times,
            v.ledger,
            f"{v.seconds:.0f}",
            style=bad,
        )
    return shown


def _report(seed: int, verdicts: list[Verdict], skipped: dict[str, str]) -> dict[str, object]:
    return {
        "seed": seed,
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "load": os.getloadavg()},
        "passed": bool(verdicts) and all(verdict.passed for verdict in verdicts),
        "faults": [verdict.as_json() for verdict in verdicts],
        "skipped": skipped,
    }


if __name__ == "__main__":
    sys.exit(main())
