"""Whether another bundle is to answer, or to be in shadow, than when a worker was chosen: then it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from weir.core.errors import Refused
from weir.edges.bundles import folder
from weir.operations import challengers, serving
from weir.settings import Settings


def answers(settings: Settings) -> dict[str, str]:
    """What is promoted or chosen to answer, by service: paths. Raises Refused."""
    return serving.remembered(settings)


def beside(settings: Settings) -> dict[str, str]:
    """The same of shadows."""
    return {service: str(path) for service, path in challengers.known(settings).items()}


def scorer_is_over(settings: Settings, mine: Path, first: str) -> Callable[[], bool]:
    """Whether another bundle than this was promoted, or chosen, for the service of these settings.

    first: what was when this one was chosen, "": nothing; as long as that stands, it is not over.
    """
    return _other_than(settings.scoring.service, mine, first, lambda: answers(settings))


def shadow_is_over(settings: Settings, mine: Path, first: str) -> Callable[[], bool]:
    """The same of the bundle beside it."""
    return _other_than(settings.scoring.service, mine, first, lambda: beside(settings))


def of_service(settings: Settings) -> Settings:
    """Where the bundle is named by its service: the one that was promoted or chosen for it, if one was."""
    named = settings.scoring.bundle
    chosen = serving.remembered(settings).get(named)
    if chosen is None or (Path(named) / folder.MANIFEST).is_file():
        return settings
    return settings.having(bundle=chosen)


def is_other(now: str, mine: Path) -> bool:
    """Whether what is chosen, "": nothing, is another bundle than this."""
    return bool(now) and Path(now).name != mine.name


def _other_than(service: str, mine: Path, first: str, known: Callable[[], Mapping[str, str]]) -> Callable[[], bool]:
    stands = [first]

    def over() -> bool:
        try:
            now = known().get(service, "")
        except (Refused, OSError):  # whoever reads it next says so
            return False
        if not is_other(now, mine):
            stands[:] = [now]  # this one was chosen, or nothing is any more: what was before may be chosen again
        return now not in stands and Path(now).is_dir()

    return over
