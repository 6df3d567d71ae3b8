"""What most likely made a service's figures change: causes, ranked by the share of the change that each explains.

The change is the sum of what can be seen of it: how far each feature and the score have moved, how far what comes true
of equal scores has, how much longer batches and their parts take, how many feature records are missing, how many
requests are rejected; each from 0 (not moved, or no more than chance moves it) to 1. A cause explains its own part and
whatever follows from it:

1. a group of rows that was not there before (bundle, runtime, contract, tenant, team, a word): what is gone without
   them;
2. infrastructure: a store that is slow explains the batches that wait for it and the records that are missing, a
   consumer that is behind explains the time that requests wait before they are read;
3. data: a feature that has moved explains itself, and its part of what the score and the truth of equal scores did;
4. the truth: what comes true of equal scores has changed though neither features nor scores have.

They stand in this order where they explain the same, since those behind follow from those before. Two of one kind that
explain the same are a tie, and said to be one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

from weir.monitor.moves import GRAIN, Moved, Pair, Seen, distance, moved

NEW_BELOW: Final = 0.005  # share of the rows before that a new group may have had
GROWN: Final = 0.15  # a group whose share has grown by so much may be a cause, too
LEAST_GROUP: Final = 0.02  # share of the window
TIMES: Final = 4.0  # doublings of a time that count as a whole change
LEAST_US: Final = 1000.0  # what a time may change by and nobody has to ask why
LEAST_WAIT_US: Final = 100_000.0  # the same of how long requests wait: a consumer that is as late lags behind nothing
SAME: Final = 0.03  # shares that differ by less are the same
SEEN: Final = 0.05  # a share below it is not worth a line


class Kind(IntEnum):
    """What a cause is, in the order in which one follows from another."""

    UPSTREAM = 1  # who asks, and how: contract, tenant, team, words
    MODEL = 2  # which bundle answers
    RUNTIME = 3  # with what it answers: engine, versions, options, processor
    INFRASTRUCTURE = 4
    DATA = 5
    TRUTH = 6


# dimension of a group -> what it is, and its word; of all others it is a segment of who asks
KINDS: Final = {
    "bundle": (Kind.MODEL, "model version"),
    "runtime": (Kind.RUNTIME, "runtime"),
    "contract": (Kind.UPSTREAM, "producer version"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Mean microseconds: in lookups, in the model, in all else of a batch, and from a request's record to its score."""

    lookup_us: float
    run_us: float
    other_us: float
    lag_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that have the same value in one dimension: shares of the rows before, and of the window's.

    without: what is seen when they are left out; None where nothing is left then.
    """

    dimension: str
    value: str
    before: float
    window: float
    without: Seen | None = None

    @property
    def suspect(self) -> bool:
        """Whether it is new, or has grown so much that it may be a cause."""
        new = self.before <= NEW_BELOW and self.window >= LEAST_GROUP
        return new or self.window - self.before >= GROWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What else changed.

    stages: before and in the window. unavailable, stale: share of rows in the window beyond that before, by view.
    letters: the same of rejected requests, by reason. views: view of each feature that has one.
    """

    stages: tuple[Stages, Stages] | None = None
    unavailable: Mapping[str, float] = field(default_factory=dict)
    stale: Mapping[str, float] = field(default_factory=dict)
    letters: Mapping[str, float] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause.

    share: of the change that it explains, 0 to 1. query: that shows it, with its own parameters beside those of the
    windows. tied: another of its kind explains the same.
    """

    kind: Kind
    name: str
    subject: str
    share: float
    sentence: str
    query: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tied: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Causes, the likeliest first. change: the sum of what has moved; 0: nothing has, beyond chance."""

    change: float
    causes: tuple[Cause, ...]


def diagnose(seen: Seen, groups: Sequence[Group], circumstances: Circumstances) -> Diagnosis:
    """Causes of what is seen, ranked."""
    moved = Moved.of(seen)
    lookup, lag, run = _slower(circumstances.stages)
    store = max([0.0, *circumstances.unavailable.values()])
    letters = sum(circumstances.letters.values())
    change = moved.total + lookup + lag + run + store + letters
    if change <= 0:
        return Diagnosis(0.0, ())
    found = [
        *_groups(groups, moved, run, letters),
        *_infrastructure(circumstances, moved, lookup, lag, store),
        *_features(seen, moved, circumstances, letters),
        *_truth(moved),
    ]
    shares = [_share(cause, change) for cause in found if cause.share / change >= SEEN]
    return Diagnosis(change, tuple(_ranked(shares)))


def _slower(stages: tuple[Stages, Stages] | None) -> tuple[float, float, float]:
    """How much longer lookups take, requests wait to be read, and the model takes: 0 to 1 each."""
    if stages is None:
        return 0.0, 0.0, 0.0
    before, window = stages
    waits = (before.lag_us - _inside(before), window.lag_us - _inside(window))
    return (
        _longer(before.lookup_us, window.lookup_us),
        _longer(*waits, LEAST_WAIT_US),
        _longer(before.run_us, window.run_us),
    )


def _inside(stages: Stages) -> float:
    """Of the time from record to score, what the batch itself and a batch before it explain."""
    return 2 * (stages.lookup_us + stages.run_us + stages.other_us)


def _longer(before_us: float, window_us: float, least_us: float = LEAST_US) -> float:
    before_us, window_us = max(before_us, least_us), max(window_us, least_us)
    return min(1.0, max(0.0, math.log2(window_us / before_us) - 0.5) / TIMES)


def _groups(groups: Sequence[Group], moved: Moved, run: float, letters: float) -> list[Cause]:
    """What is gone when the rows of a group are left out; of one that is all of the window, what it can do."""
    found = []
    for group in groups:
        kind, what = KINDS.get(group.dimension, (Kind.UPSTREAM, "segment"))
        model = kind is not Kind.UPSTREAM
        if not group.suspect:
            continue
        if group.without is None:
            untouched = 0.0 if not model else sum(moved.features.values())
            explained = moved.total - untouched + (run if model else letters)
        else:
            left = Moved.of(group.without)
            explained = max(0.0, moved.total - left.total) + (run if model else letters) * bool(group.window)
        found.append(
            Cause(
                kind=kind,
                name=f"new {what}",
                subject=f"{group.dimension} {group.value}",
                share=explained,
                sentence=f"{group.dimension} {group.value} has {group.window:.0%} of the rows, and had "
                f"{group.before:.1%}; without them {explained / max(moved.total, 1e-12):.0%} of the change is gone",
                query="diagnose/values",
                parameters={"dimension": group.dimension, "value": group.value},
            )
        )
    return found


def _infrastructure(circumstances: Circumstances, moved: Moved, lookup: float, lag: float, store: float) -> list[Cause]:
    found = []
    views = {view for view, share in circumstances.unavailable.items() if share > 0}
    if lookup or store:
        lacking = sum(moved.features.get(name, 0.0) for name, view in circumstances.views.items() if view in views)
        follows = _following(moved, lacking)
        stages = circumstances.stages
        times = (
            f"lookups take {stages[1].lookup_us / 1000:.0f} ms, and took {stages[0].lookup_us / 1000:.0f}"
            if stages
            else ""
        )
        found.append(
            Cause(
                kind=Kind.INFRASTRUCTURE,
                name="slow store",
                subject="feature store",
                share=lookup + store + lacking + follows + (lag if lookup else 0.0),
                sentence=f"{times}; {store:.0%} more rows have a view that was not available".strip("; "),
                query="diagnose/stages",
            )
        )
    if lag and not lookup:
        assert circumstances.stages is not None
        before, window = circumstances.stages
        found.append(
            Cause(
                kind=Kind.INFRASTRUCTURE,
                name="lagging consumer",
                subject="scorer",
                share=lag,
                sentence=f"requests wait {window.lag_us / 1e6:.1f} s until they are scored, and waited "
                f"{before.lag_us / 1e6:.1f}; batches themselves take no longer",
                query="diagnose/stages",
            )
        )
    return found


def _features(seen: Seen, moved: Moved, circumstances: Circumstances, letters: float) -> list[Cause]:
    """Features that have moved, with what follows from them; two that have changed places are one cause."""
    total = sum(moved.features.values())
    names = sorted((name for name, far in moved.features.items() if far > 0), key=lambda name: -moved.features[name])
    found: list[Cause] = []
    done: set[str] = set()
    for name in names:
        other = _swapped(name, [one for one in names if one != name and one not in done], seen)
        if name in done:
            continue
        mine = (name,) if other is None else (name, other)
        done.update(mine)
        far = sum(moved.features[one] for one in mine)
        follows = (moved.score + moved.truth + letters) * far / total
        if other is not None:
            what, sentence = "swapped columns", f"{name} has the values that {other} had, and the other way round"
        else:
            pair = seen.values[name]
            before, window = (part.missing / part.rows for part in (pair.before, pair.window))
            what = "broken feature"
            sentence = f"{name} has moved by {far:.2f} (Kolmogorov's distance beyond chance)"
            sentence += f"; {window:.0%} of it is missing, and {before:.0%} was" if window - before > SEEN else ""
        found.append(
            Cause(
                kind=Kind.DATA,
                name=what,
                subject=", ".join(mine),
                share=far + follows,
                sentence=sentence,
                query="diagnose/values",
                parameters={"dimension": "", "value": ""},
            )
        )
    return found


def _swapped(name: str, others: Sequence[str], seen: Seen) -> str | None:
    """The feature that this one has changed places with."""
    mine = seen.values[name]
    for other in others:
        theirs = seen.values[other]
        crossed = Pair(theirs.before, mine.window), Pair(mine.before, theirs.window)
        if all(moved(pair) <= SAME for pair in crossed) and distance(mine.before, theirs.before) > GRAIN:
            return other
    return None


def _following(moved: Moved, explained: float) -> float:
    """Of what score and truth did, the part of the features that are explained."""
    total = sum(moved.features.values())
    return (moved.score + moved.truth) * explained / total if total else 0.0


def _truth(moved: Moved) -> list[Cause]:
    """The truth of equal scores, as far as neither features nor scores can have moved it."""
    features = sum(moved.features.values())
    alone = moved.truth * (1 - min(1.0, (features + moved.score) / max(moved.truth, 1e-12)))
    if alone <= 0:
        return []
    return [
        Cause(
            kind=Kind.TRUTH,
            name="changed label",
            subject="outcomes",
            share=alone,
            sentence=f"what comes true of equal scores has moved by {moved.truth:.2f} of its spread, and features and "
            "scores have not",
            query="diagnose/labels",
            parameters={"dimension": "", "value": ""},
        )
    ]


def _ms(time_us: float) -> str:
    return f"{time_us / 1000:.3g}"


def _share(cause: Cause, change: float) -> Cause:
    return replace(cause, share=min(1.0, cause.share / change))


def _ranked(causes: Sequence[Cause]) -> list[Cause]:
    """By share; where shares are the same, what others follow from comes first. Ties of one kind are marked."""
    left, ranked = list(causes), list[Cause]()
    while left:
        most = max(cause.share for cause in left)
        first = min(
            (cause for cause in left if cause.share > most - SAME), key=lambda cause: (cause.kind, -cause.share)
        )
        left.remove(first)
        ranked.append(first)
    return [
        replace(
            cause,
            tied=any(
                other is not cause and other.kind == cause.kind and abs(other.share - cause.share) <= SAME
                for other in ranked
            ),
        )
        for cause in ranked
    ]
