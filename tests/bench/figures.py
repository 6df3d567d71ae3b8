"""What a small bench prints, and writes where it is asked for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def told(about: str | None, measure: Callable[[], Mapping[str, Any]], line: Callable[[str, Any], str]) -> None:
    """Read the command line, measure, print a line for each figure and write all as JSON. about: the module's words."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure()
    for name, figures in found.items():
        print(line(name, figures))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def listed(figures: Mapping[str, float]) -> str:
    """Several figures on a line."""
    return ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
