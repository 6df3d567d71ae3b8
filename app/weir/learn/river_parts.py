"""River's classes by their import paths: those of a list, made with plain values; nothing else is imported or run."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Final

from weir.core.errors import shortened
from weir.core.signature import Task
from weir.learn.learner import RIVER, Faulty, Learner, Part, Value

# Modules whose classes learn, or are parts of what learns. None of these reads a file, downloads or runs what it is
# given: datasets, streams, functions in the place of values and other libraries' models are in other ones.
MODULES: Final = (
    "river.drift",
    "river.drift.binary",
    "river.dummy",
    "river.ensemble",
    "river.feature_selection",
    "river.forest",
    "river.imblearn",
    "river.linear_model",
    "river.multiclass",
    "river.naive_bayes",
    "river.neighbors",
    "river.optim",
    "river.optim.initializers",
    "river.optim.losses",
    "river.optim.schedulers",
    "river.preprocessing",
    "river.rules",
    "river.stats",
    "river.tree",
    "river.tree.splitter",
)
SGD: Final = "river.optim.SGD"


def made(learner: Learner, task: Task) -> Any:
    """A new model of River for a learner, before its first outcome.

    Raises Faulty; ModuleNotFoundError where River is not installed.
    """
    from river import compose  # noqa: PLC0415 - an extra, and large

    faults = [fault for part in learner.model for fault in _faults(part)]
    if not faults:
        parts = _rated(learner, faults)
    steps = [] if faults else [_made(part, faults) for part in parts]
    if not faults:
        faults += [fault for step in steps for fault in _unseeded(step)]
        faults += _misfits(steps, task)
    if faults:
        raise Faulty(faults)
    return steps[0] if len(steps) == 1 else compose.Pipeline(*steps)


def _rated(learner: Learner, faults: list[str]) -> Sequence[Part]:
    """The steps, the last one with SGD of the learning rate, where one is given."""
    *before, last = learner.model
    rate = learner.learning_rate
    if rate is None:
        return learner.model
    if not 0 < rate < math.inf:
        faults.append(f"learning_rate is {rate:g}, not above 0")
    if "optimizer" not in _takes(_class(last.path)):
        faults.append(f"learning_rate belongs to models with an optimizer, and {last} has none")
    elif "optimizer" in last.parameters:
        faults.append("learning_rate is the rate of SGD, and the model names an optimizer: leave one of them out")
    return *before, Part(last.path, {**last.parameters, "optimizer": Part(SGD, {"lr": rate})})


def _made(part: Part, faults: list[str]) -> Any:
    """The object of a part; None where there is a fault, which is put to the others."""
    try:
        return _value(part)
    except Exception as error:  # whatever a constructor of River raises for what it is given
        faults.append(f"{part.path} cannot be made: {shortened(str(error)) or type(error).__name__}")
        return None


def _value(value: Value) -> Any:
    if isinstance(value, Part):
        return _class(value.path)(**{name: _value(one) for name, one in value.parameters.items()})
    return [_value(one) for one in value] if isinstance(value, list) else value


def _class(path: str) -> Any:
    """The class of a path. Raises ValueError for any other."""
    module, _, name = path.rpartition(".")
    if module not in MODULES:
        raise ValueError(f"{path} is not of {', '.join(MODULES)}")
    of = import_module(module)
    found = getattr(of, name, None) if name in of.__all__ else None
    if not inspect.isclass(found):
        classes = [one for one in of.__all__ if inspect.isclass(getattr(of, one, None))]
        near = difflib.get_close_matches(name, classes, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"there is no {path}: {meant}{module} has {', '.join(classes)}")
    return found


def _takes(kind: Any) -> dict[str, inspect.Parameter]:
    signature = inspect.signature(kind.__init__).parameters
    return {name: one for name, one in signature.items() if name != "self"}


def _faults(part: Part) -> Iterator[str]:
    """What is wrong with a part, and with those that it is made with."""
    try:
        kind = _class(part.path)
    except ValueError as error:
        yield str(error)
        return
    takes = _takes(kind)
    if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values()):
        for name in part.parameters.keys() - takes.keys():
            yield f"{part.path} takes no {name}; it takes {', '.join(takes) or 'nothing'}"
    if "seed" in takes and part.parameters.get("seed") is None:
        yield f"{part.path} draws at random: give it a seed, so that a replay gives the same"
    for value in part.parameters.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Part):
                yield from _faults(one)


def _unseeded(of: Any) -> Iterator[str]:
    """Parts that a class makes by itself, and that draw at random, such as the engine of KNNClassifier."""
    for name, value in vars(of).items() if hasattr(of, "__dict__") else ():
        if name.startswith("_") or not type(value).__module__.startswith(RIVER):
            continue
        if getattr(value, "seed", 0) is None:
            part = f"{{{name}: {{{_public(type(value))}: {{seed: 1}}}}}}"
            yield f"{type(of).__name__} draws at random by its {name}: name that with a seed, such as {part}"
        else:
            yield from _unseeded(value)


def _public(kind: type) -> str:
    """Where a class of River is imported from."""
    return f"{'.'.join(kind.__module__.split('.')[:2])}.{kind.__name__}"


def _misfits(steps: Sequence[Any], task: Task) -> Iterator[str]:
    """Steps that cannot stand where they stand, and a model of another task than the service's."""
    from river import base  # noqa: PLC0415 - an extra, and large

    for step in steps[:-1]:
        if not isinstance(step, base.Transformer):
            yield f"{type(step).__name__} changes no features, so that it can only be the last step"
    last, name = steps[-1], type(steps[-1]).__name__
    wanted = base.Regressor if task is Task.REGRESSION else base.Classifier
    if not isinstance(last, wanted):
        what = "no regressor" if task is Task.REGRESSION else "no classifier"
        yield f"{name} is {what}, and the task of the service is {task}"
    elif task is Task.MULTICLASS and not last._multiclass:
        within = f"river.multiclass.OneVsRestClassifier: {{classifier: river...{name}}}"
        yield f"{name} tells two classes apart, and the service has more: write {within}"
