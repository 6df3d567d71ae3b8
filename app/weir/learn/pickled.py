"""What a learner knows whose model can be kept as a pickle only: sealed with a key, and opened through a list of names.

A pickle runs what it names. So the seal is compared first: what is opened, somebody wrote who has the key, for this
learner, at this place of this log. Then only what stands on the list is ever named; see allowed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from weir.learn import allowed, sealed
from weir.learn.allowed import Outside
from weir.learn.baselines import Seen
from weir.learn.guards import Usual
from weir.learn.history import History, State
from weir.learn.learner import Subject
from weir.learn.live import Held, Place
from weir.learn.run import Good, Position, Stop
from weir.learn.tenants import Gap

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Whose:
    """What a sealed state is of, and where: all of it is under the seal.

    learner: what makes it its own, see agents.learner.made. log: of labelled outcomes. beside: what is written beside
    it, and goes on with it.
    """

    learner: Mapping[str, Any]
    log: str
    beside: str

    def told(self, subject: Subject) -> dict[str, Any]:
        """For JSON."""
        return {
            "format": FORMAT,
            "learner": dict(self.learner),
            "log": self.log,
            "beside": hashlib.sha256(self.beside.encode()).hexdigest(),
            "task": subject.task.value,
            "classes": list(subject.classes),
            "columns": list(subject.columns),
        }


def dump(key: bytes, held: Held, subject: Subject, whose: Whose, versions: Mapping[str, str]) -> bytes:
    """The state, and those that it has answered with.

    Raises sealed.TooLarge; ValueError where its model has parts that are not on the list.
    """
    good, states = held.good, held.history.states
    allowed.loads(good.kept)  # what could not be opened again is not written
    said = whose.told(subject) | {
        "versions": dict(versions),
        "next": [held.next.offset, held.next.number],
        "outcomes": good.outcomes,
        "position": asdict(good.position),
        "stop": asdict(good.stop) if good.stop else None,
        "usual": [good.usual.rows, *(each.tolist() for each in _arrays(good.usual))],
        "gaps": {tenant: [gap.rows, *gap.means] for tenant, gap in sorted(good.gaps.items())},
        "seen": _seen(good.seen),
        "states": [[state.since_ms, _seen(state.seen)] for state in states],
    }
    return sealed.seal(key, said, [good.kept, *(state.kept for state in states)])


def load(
    key: bytes, content: bytes, subject: Subject, whose: Whose, place: Place
) -> tuple[Good, History, dict[str, str]]:
    """The state, those that it has answered with, and the versions of what made it. No pickle is opened yet: see look.

    place: where the record says that it goes on. Raises ValueError saying why it is none, or is another learner's.
    """
    said, parts = sealed.unseal(key, content)
    told = whose.told(subject) | {"next": [place.offset, place.number]}
    if differing := [name for name, value in told.items() if said.get(name) != value]:
        raise ValueError(f"it is sealed for something else: {', '.join(differing)} differ")
    rows, *usual, classes = said["usual"]
    counts, means, squares = (np.array(each, np.float64) for each in usual)
    kept = [Outside(part) for part in parts]
    stop = said["stop"]
    good = Good(
        kept[0],
        Usual(rows, counts, means, squares, np.array(classes, np.int64)),
        _of_seen(said["seen"]),
        said["outcomes"],
        Position(**said["position"]),
        Stop(**{**stop, "at": Position(**stop["at"])}) if stop else None,
        {tenant: Gap(n, (first, second)) for tenant, (n, first, second) in said["gaps"].items()},
    )
    states = [
        State(since_ms, each, _of_seen(seen)) for (since_ms, seen), each in zip(said["states"], kept[1:], strict=True)
    ]
    return good, History(tuple(states)), said["versions"]


def look(good: Good, history: History) -> None:
    """Open each pickle once. Raises ValueError for one that names what is not on the list, or cannot be opened here."""
    for kept in (good.kept, *(state.kept for state in history.states)):
        allowed.loads(kept)


def _arrays(usual: Usual) -> tuple[Any, ...]:
    return usual.counts, usual.means, usual.squares, usual.classes


def _seen(seen: Seen) -> list[Any]:
    return [seen.count, seen.sums.tolist(), None if math.isnan(seen.last) else seen.last]


def _of_seen(said: Sequence[Any]) -> Seen:
    count, sums, last = said
    return Seen(count, np.array(sums, np.float64), math.nan if last is None else last)
