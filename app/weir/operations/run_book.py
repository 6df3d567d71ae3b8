"""The run-book: what to do about an alert, an entry each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from weir.settings import Settings

FOLDER: Final = Path(__file__).parents[1] / "runbook"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def place(settings: Settings, name: str) -> Path | None:
    """Where an entry is: in the project, else among those of Weir; None where there is none of this name here."""
    if not NAME.fullmatch(name):
        return None
    files = (folder / f"{name}.md" for folder in (settings.paths.runbook_dir, FOLDER))
    return next((path for path in files if path.is_file()), None)
