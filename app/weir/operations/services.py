"""The services of a project: a folder each under services/, with the specification of its bundle."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Final

from weir import project
from weir.core.errors import Refused
from weir.core.topics import SERVICE
from weir.settings import Settings

SPEC: Final = "service.yaml"


def spec_of(which: str, settings: Settings) -> Path:
    """The specification that a path or the name of a service means. Raises Refused where there is none."""
    path = Path(which)
    if path.is_file():
        return path
    if (path / SPEC).is_file():
        return path / SPEC
    own = settings.paths.services_dir / which / SPEC
    if re.fullmatch(SERVICE, which) and own.is_file():
        return own
    known = listed(settings)
    near = difflib.get_close_matches(which, known, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    there = f"there are {', '.join(known)}; " if known else ""
    raise Refused(
        f"there is no service {which}, and no such file",
        where=str(settings.paths.services_dir.absolute()),
        remedy=project.enter() or f"{meant}{there}`weir service add {which} MODEL --sample ROWS` makes one",
    )


def listed(settings: Settings) -> tuple[str, ...]:
    """The services of the project, by name."""
    return tuple(sorted(path.parent.name for path in settings.paths.services_dir.glob(f"*/{SPEC}")))
