"""Whether somebody else is to answer, or to be in shadow, than when a worker started: then it ends, to begin anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from weir.core.errors import Refused
from weir.edges.bundles import folder
from weir.operations import challengers, serving
from weir.settings import Settings


def scorer_is_over(settings: Settings, mine: Path) -> Callable[[], bool]:
    """Whether another bundle than this was promoted, or chosen, for the service of these settings since then."""
    return _other_than(settings.scoring.service, mine, lambda: serving.remembered(settings))


def shadow_is_over(settings: Settings, mine: Path) -> Callable[[], bool]:
    """The same of the bundle beside it."""
    return _other_than(
        settings.scoring.service, mine, lambda: {s: str(p) for s, p in challengers.known(settings).items()}
    )


def of_service(settings: Settings) -> Settings:
    """Where the bundle is named by its service: the one that was promoted or chosen for it, if one was."""
    named = settings.scoring.bundle
    chosen = serving.remembered(settings).get(named)
    if chosen is None or (Path(named) / folder.MANIFEST).is_file():
        return settings
    return settings.having(bundle=chosen)


def _other_than(service: str, mine: Path, known: Callable[[], Mapping[str, str]]) -> Callable[[], bool]:
    first = known().get(service)

    def over() -> bool:
        try:
            now = known().get(service)
        except Refused:  # whoever reads it next says so
            return False
        return now is not None and now != first and Path(now).name != mine.name

    return over
