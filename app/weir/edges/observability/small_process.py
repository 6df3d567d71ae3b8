"""What a process does not load, though it is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

ABSENT = "pandas"


class _Absent(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == ABSENT:
            raise ModuleNotFoundError(f"this process does without {ABSENT}", name=ABSENT)


def do_without_pandas() -> None:
    """Let pandas be as if it were not installed; to be called before anything imports pyarrow.

    pyarrow loads it with the first list that becomes an array, to see whether it is one of pandas': 36 MiB and a third
    of a second of each process. Where it is not there pyarrow does all else as before.
    """
    if not any(isinstance(one, _Absent) for one in sys.meta_path):
        sys.meta_path.insert(0, _Absent())
