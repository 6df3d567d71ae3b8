"""Train and export the models of modules here: `python export OUT scikit boosted`.

Runs in an environment of toolchains, without Weir.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from cases import save


def main(into: Path, modules: Sequence[str]) -> None:
    """Write a folder for each case."""
    for module in modules:
        for case in importlib.import_module(module).cases():
            save(case, into)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
