"""A learner as a project declares it: which model learns from the outcomes of which service."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from weir.core.signature import Task

CHAMPION: Final = "champion"  # the column of what the champion said
LEARNER: Final = "learner"  # who it is among those who answer
MONITOR: Final = "learner"  # of the alert of one that has stopped
RIVER: Final = "river."


class Promotion(StrEnum):
    """Who takes what a learner proposes: a person, or the learner worker by itself."""

    MANUAL = "manual"
    AUTOMATIC = "automatic"


class Faulty(ValueError):
    """A learner cannot be what its file says. faults: each, as a clause."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


@dataclass(frozen=True, slots=True)
class Part:
    """A class of River by its import path, and what it is made with."""

    path: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        """Its name, without parameters."""
        return self.path.rpartition(".")[2]


Value: TypeAlias = "bool | int | float | str | Part | list[Value] | None"


def _beyond(of: object, bounds: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    """Each number of a dataclass that is not within its bounds, as a clause."""
    for name, (low, high) in bounds.items():
        if not low <= getattr(of, name) <= high:
            between = f"from {low:g} on" if high == math.inf else f"from {low:g} to {high:g}"
            yield f"{name} is {getattr(of, name):g}, not {between}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a learner stops; see guards.

    window: outcomes that are judged together. outlier_sd: standard deviations that a value may be from its mean.
    missing: largest share of a feature's values that a window may lack, where it had them before. one_class: least
    share of what was usual that the classes beside one must keep. weight: largest weight, of scaled features; of
    a model of numbers in their standard deviations.
    outcomes_per_hour: how fast outcomes may come over a window; 0 is any. tenant_sd: standard deviations that the
    champion may be further off on the outcomes of one tenant than on all others', beside what is usual; see tenants.
    """

    window: int = 1000
    outlier_sd: float = 1000.0
    missing: float = 0.9
    one_class: float = 0.05
    weight: float = 100.0
    outcomes_per_hour: float = 0.0
    tenant_sd: float = 1.2

    def __post_init__(self) -> None:
        bounds = {
            "window": (20, 1_000_000),
            "outlier_sd": (1, math.inf),
            "missing": (0, 1),
            "one_class": (0, 1),
            "weight": (0, math.inf),
            "outcomes_per_hour": (0, math.inf),
            "tenant_sd": (0.1, math.inf),
        }
        if faults := list(_beyond(self, bounds)):
            raise ValueError(", and ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms a learner is better than the champion; see comparison.

    alpha: chance that it is ever called better, or worse, where it is not. margin: of log loss or squared error, by
    which it has to be surely better. wait_h: hours that outcomes of a day are waited for, from its end. warm_up:
    outcomes that are known before a day counts.
    """

    alpha: float = 0.05
    margin: float = 0.0
    wait_h: float = 24.0
    warm_up: int = 1000

    def __post_init__(self) -> None:
        bounds = {"alpha": (1e-6, 0.5), "margin": (0, math.inf), "wait_h": (0, math.inf), "warm_up": (0, math.inf)}
        if faults := list(_beyond(self, bounds)):
            raise ValueError(", and ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """When what comes true has drifted away from what the champion expects; see drift.

    tolerance: of a mean chance, that is none; of numbers in four standard deviations of their errors. block_h: hours
    whose outcomes are one. run_length_days: mean time to an alarm, at the least, where nothing exceeds the tolerance.
    """

    tolerance: float = 0.03
    block_h: float = 6.0
    run_length_days: float = 365.0

    def __post_init__(self) -> None:
        bounds = {"tolerance": (0.001, 0.2), "block_h": (1, 168), "run_length_days": (1, math.inf)}
        if faults := list(_beyond(self, bounds)):
            raise ValueError(", and ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrain:
    """When the champion is to be trained anew; see retraining. 0: never for that reason.

    drift: when there is one. decay: share by which its loss may rise. age_days: since the last request. outcomes: that
    have come since then. rest_days: between two requests.
    """

    drift: bool = True
    decay: float = 0.0
    age_days: float = 0.0
    outcomes: int = 0
    rest_days: float = 14.0

    def __post_init__(self) -> None:
        ever = (0, math.inf)
        bounds = {"decay": ever, "age_days": ever, "outcomes": ever, "rest_days": (1, math.inf)}
        if faults := list(_beyond(self, bounds)):
            raise ValueError(", and ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """One file of learners/.

    model: the steps of a pipeline, the last one learns the outcome. features: inputs of the service by name; empty:
    all that are numbers. champion: what the champion said is a feature, too. learning_rate: of SGD; None: the model's
    own optimizer. promotion: who takes its proposals.
    """

    name: str
    service: str
    model: tuple[Part, ...]
    features: tuple[str, ...] = ()
    champion: bool = False
    learning_rate: float | None = None
    promotion: Promotion = Promotion.MANUAL
    guards: Limits = field(default_factory=Limits)
    compare: Terms = field(default_factory=Terms)
    drift: Slow = field(default_factory=Slow)
    retrain: Retrain = field(default_factory=Retrain)

    def __str__(self) -> str:
        """Its model, as a pipeline is written."""
        return " | ".join(str(part) for part in self.model)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is learned: the task, its classes, of two the positive one second, and the columns that are known of a row.

    A service's inputs that are numbers, and last CHAMPION, where it is asked for.
    """

    task: Task
    classes: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def width(self) -> int:
        """Numbers of an answer: a chance for each of several classes, else one."""
        return len(self.classes) if self.task is Task.MULTICLASS else 1


def subject_of(
    learner: Learner, task: Task, classes: Sequence[str], numbers: Sequence[str], others: Sequence[str]
) -> Subject:
    """What a learner learns of a service.

    numbers, others: the service's inputs that are numbers, and that are not. Raises Faulty.
    """
    faults = [f"feature {name} is no number: learners take numbers" for name in learner.features if name in others]
    there = ", ".join(numbers) or "none"
    unknown = [name for name in learner.features if name not in numbers and name not in others]
    faults += [f"{learner.service} has no input {name}; its numbers are {there}" for name in unknown]
    if learner.champion and learner.promotion is Promotion.AUTOMATIC:
        faults.append(
            "promotion: automatic is for learners without champion: true, whose feature would be their own answer"
        )
    if learner.champion and task is Task.MULTICLASS:
        faults.append("champion: true is for two classes and for numbers, and the service has several classes")
    chosen = learner.features or tuple(numbers)
    if not chosen and not learner.champion:
        faults.append(f"{learner.service} has no input that is a number")
    if learner.champion and CHAMPION in chosen:
        faults.append(f"champion: true names a column {CHAMPION}, and the service has an input of that name")
    if faults:
        raise Faulty(faults)
    return Subject(task, tuple(classes), (*chosen, *((CHAMPION,) if learner.champion else ())))
