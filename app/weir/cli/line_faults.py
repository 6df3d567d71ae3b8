"""What is wrong with lines of a file, told so that a file of which every line is wrong says so in a few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import typer

EXAMPLES = 3  # lines that are told for the same reason


class LineFaults:
    """The first lines of each reason as they come, and at the end how many more there were."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()

    def tell(self, wrong: Mapping[int, str]) -> None:
        """Tell on stderr. wrong: why, by line number."""
        for number, why in sorted(wrong.items()):
            self._reasons[why] += 1
            if self._reasons[why] <= EXAMPLES:
                typer.echo(f"line {number}: {why}", err=True)

    def tell_rest(self) -> None:
        """Tell how many lines were not told."""
        for why, count in self._reasons.items():
            if count > EXAMPLES:
                typer.echo(f"{count - EXAMPLES:,} more lines: {why}", err=True)
