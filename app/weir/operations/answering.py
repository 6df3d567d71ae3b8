"""Scorers, shadows and askers of `weir up`: what each has, and which begin anew since another bundle was promoted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from weir.edges.bundles import folder
from weir.operations import challengers, serving
from weir.operations.following_promotions import is_other
from weir.operations.local import Workers
from weir.operations.serving import Choices
from weir.settings import Settings

SCORER: Final = "scorer"
SHADOW: Final = "shadow"
GOLDEN: Final = "golden"
ONE_A_MINUTE: Final = ("--count", "1", "--every", "60")  # enough to notice; what a person asks here are hundreds


@dataclass(frozen=True, slots=True)
class Running:
    """A worker. name: what it is called. bundle: what it has.

    chosen: what was chosen when that was; "": nothing. Whatever is chosen later ends it.
    """

    name: str
    bundle: Path
    chosen: str


class Answering:
    """Those of a stack. A worker that follows promotions ends by itself once it has answered what it read."""

    def __init__(self, workers: Workers, settings: Settings, say: Callable[[str], None]) -> None:
        self._workers, self._settings, self._say = workers, settings, say
        self._scorers: dict[str, Running] = {}
        self._shadows: dict[str, Running] = {}
        self._asked: dict[str, Path] | None = None  # the bundle whose known answers are asked for, by service

    def start_scorers(self, choices: Choices) -> list[str]:
        """A process for each service; what they are called."""
        chosen = serving.remembered(self._settings)
        for service, choice in choices.served.items():
            name = SCORER if len(choices.served) == 1 else f"{SCORER}-{service}"
            self._scorer(service, Running(name, choice.path, chosen.get(service, "")))
        return [one.name for one in self._scorers.values()]

    def start_shadows(self) -> None:
        """A process for each service of which a promotion left another bundle in shadow, where none runs."""
        for service, path in challengers.there(self._settings).items():
            mine, scorer = self._shadows.get(service), self._scorers.get(service)
            if scorer is None or path.name == scorer.bundle.name or (mine is not None and mine.bundle == path):
                continue
            if mine is not None and not self._has_ended(mine):
                continue
            self._say(f"in shadow beside {service}: {path.name[:12]}, since a learner was promoted or taken back")
            self._shadows[service] = Running(f"{SHADOW}-{service}", path, str(path))
            self._start(SHADOW, service, self._shadows[service])

    def ask_for_known(self) -> None:
        """From here on a process for each service asks for the known answers of the bundle that it has.

        A bundle of a learner has none: its answers change as it learns.
        """
        self._asked = self._asked or {}
        for service, scorer in self._scorers.items():
            if self._asked.get(service) == scorer.bundle:
                continue
            name = GOLDEN if len(self._scorers) == 1 else f"{GOLDEN}-{service}"
            self._workers.end(name)
            self._asked[service] = scorer.bundle
            if folder.read(scorer.bundle).bundle.learner is None:
                of = {"WEIR_SERVICE": service, "WEIR_BUNDLE": str(scorer.bundle)}
                self._workers.start(GOLDEN, *ONE_A_MINUTE, name=name, **of)

    def look(self) -> None:
        """Start those anew that have ended since another bundle was promoted, and shadows that there were not."""
        chosen = serving.remembered(self._settings)
        for service, mine in list(self._scorers.items()):
            now = chosen.get(service, "")
            if not is_other(now, mine.bundle):
                self._scorers[service] = replace(mine, chosen=now)
            elif self._changes(now, mine) and self._has_ended(mine):
                path = Path(now)
                self._say(
                    f"{service} is answered by {path.name[:12]} from here on, and no more by {mine.bundle.name[:12]}"
                )
                self._scorer(service, Running(mine.name, path, now))
        self.start_shadows()
        if self._asked is not None:
            self.ask_for_known()

    def changing(self) -> set[str]:
        """What workers are called that end, or have ended, since another bundle was promoted."""
        chosen, beside = serving.remembered(self._settings), challengers.there(self._settings)
        return {one.name for service, one in self._scorers.items() if self._changes(chosen.get(service, ""), one)} | {
            one.name for service, one in self._shadows.items() if beside.get(service, one.bundle) != one.bundle
        }

    def _changes(self, now: str, mine: Running) -> bool:
        return is_other(now, mine.bundle) and now != mine.chosen and Path(now).is_dir()

    def _has_ended(self, one: Running) -> bool:
        return self._workers.children[one.name].poll() is not None

    def _scorer(self, service: str, one: Running) -> None:
        self._start(SCORER, service, one)
        serving.note_served(self._settings, service, one.bundle)
        self._scorers[service] = one

    def _start(self, role: str, service: str, one: Running) -> None:
        options = ("--follow", "--chosen", one.chosen)
        self._workers.start(role, *options, name=one.name, WEIR_SERVICE=service, WEIR_BUNDLE=str(one.bundle))
