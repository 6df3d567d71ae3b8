"""Who looks after the services of a project, as their specifications say."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from weir.edges.bundles import text
from weir.settings import Settings


def owners(settings: Settings) -> dict[str, str]:
    """Service -> its owner, of services/*/service.yaml. A file that cannot be read, or names nobody, is left out."""
    found = {}
    for path in sorted(settings.paths.services_dir.glob("*/service.yaml")):
        try:
            if owner := _owner(path, path.stat().st_mtime_ns):
                found[path.parent.name] = owner
        except (OSError, ValueError):  # `weir bundle build` says what is wrong with it
            continue
    return found


@lru_cache(maxsize=256)
def _owner(path: Path, _changed_ns: int) -> str:
    owner = text.parse(path.read_bytes()).get("owner", "")
    return owner.strip() if isinstance(owner, str) else ""
