"""The learners of a project: a file each in learners/, read, checked, and refused with what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from weir.core.errors import Refused
from weir.core.signature import Dtype, Signature
from weir.edges.bundles import folder, manifest, text
from weir.learn.learner import (
    RIVER,
    Faulty,
    Learner,
    Limits,
    Part,
    Promotion,
    Retrain,
    Slow,
    Subject,
    Terms,
    Value,
    subject_of,
)
from weir.settings import Settings

LINEAR: Final = "a standard scaler with a logistic or linear regression"
WRITE: Final = "correct it; learners/README.md of a new project (`weir init DIR`) shows every key"

Kind = TypeVar("Kind", Limits, Terms, Slow, Retrain)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The keys of a file. model: a path, a path with parameters, or a list of them."""

    service: str
    model: Any
    features: tuple[str, ...] = ()
    champion: bool = False
    learning_rate: float | None = None
    promotion: Promotion = Promotion.MANUAL
    guards: dict[str, Any] = field(default_factory=dict)
    compare: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, Any] = field(default_factory=dict)
    retrain: dict[str, Any] = field(default_factory=dict)


def looked(settings: Settings) -> tuple[dict[str, Learner], dict[Path, list[Refused]]]:
    """The learners by name, and what is wrong with the files that are none, by path."""
    found: dict[str, Learner] = {}
    refused: dict[Path, list[Refused]] = {}
    for path in sorted(settings.paths.learners_dir.glob("*.yaml")):
        try:
            found[path.stem] = _parsed(path)
        except Refused as error:
            refused[path] = [error]
        except Faulty as error:
            said = [f"this is no learner: {fault}" for fault in error.faults]
            refused[path] = [Refused(one, where=str(path), remedy=WRITE) for one in said]
    for path in sorted(settings.paths.learners_dir.glob("*.yml")):
        what = "this is not read: a learner's file ends in .yaml"
        refused[path] = [Refused(what, where=str(path), remedy=f"call it {path.stem}.yaml")]
    return found, refused


def named(settings: Settings, name: str) -> Learner:
    """One learner. Raises Refused where there is none, or its file is refused."""
    path = settings.paths.learners_dir / f"{name}.yaml"
    if name and path.parent == settings.paths.learners_dir and path.is_file():
        return read(path)
    known = sorted(one.stem for one in settings.paths.learners_dir.glob("*.yaml"))
    there = f"there are {', '.join(known)}" if known else "there is none: write one"
    raise Refused(f"there is no learner {name}", where=str(settings.paths.learners_dir), remedy=there)


def read(path: Path) -> Learner:
    """The learner that a file declares. Raises Refused naming everything that is wrong with what it says."""
    try:
        return _parsed(path)
    except Faulty as error:
        raise Refused(f"this is no learner: {error}", where=str(path), remedy=WRITE) from error


def _parsed(path: Path) -> Learner:
    """Raises Faulty; Refused where the file cannot be read."""
    try:
        content = text.parse(path.read_bytes())
    except OSError as error:
        what = f"this learner cannot be read: {error.strerror}"
        raise Refused(what, where=str(path), remedy="make it a file that can be read") from error
    except ValueError as error:
        raise Faulty([str(error)]) from error
    faults: list[str] = []
    looks: list[Callable[[Mapping[str, Any]], object]] = [
        partial(manifest.typed, _File),
        partial(_typed, key="guards", kind=Limits),
        partial(_typed, key="compare", kind=Terms),
        partial(_typed, key="drift", kind=Slow),
        partial(_typed, key="retrain", kind=Retrain),
        _parts,
    ]
    for look in looks:
        try:
            look(content)
        except Faulty as error:
            faults += error.faults
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise Faulty(faults)
    said = manifest.typed(_File, content)
    return Learner(
        name=path.stem,
        service=said.service,
        model=_parts(content),
        features=said.features,
        champion=said.champion,
        learning_rate=said.learning_rate,
        promotion=said.promotion,
        guards=_typed(content, "guards", Limits),
        compare=_typed(content, "compare", Terms),
        drift=_typed(content, "drift", Slow),
        retrain=_typed(content, "retrain", Retrain),
    )


def check(settings: Settings, learner: Learner) -> list[Refused]:
    """What is wrong with a learner beside its file: its model, its service and its features.

    Raises ModuleNotFoundError where River is not installed.
    """
    from weir.learn import linear_river, river_parts  # noqa: PLC0415 - River, which other commands do without

    where = str(settings.paths.learners_dir / f"{learner.name}.yaml")
    try:
        bundle = folder.read(folder.find(learner.service, settings)).bundle
    except Refused as error:
        return [Refused(f"the service of this learner has no bundle: {error.what}", where=where, remedy=error.remedy)]
    if bundle.service != learner.service:
        what = f"{learner.service} is no service, but names a bundle of {bundle.service}"
        return [Refused(f"this is no learner: {what}", where=where, remedy=WRITE)]
    looks = partial(subject, learner, bundle.signature), partial(river_parts.made, learner, bundle.signature.task)
    faults = [fault for look in looks for fault in _said(look)]
    if not faults and learner.promotion is Promotion.AUTOMATIC:
        of = river_parts.made(learner, bundle.signature.task)
        faults = (
            [] if linear_river.is_linear(of) else [f"promotion: automatic is for {LINEAR}: {learner} cannot answer"]
        )
    return [Refused(f"this is no learner: {one}", where=where, remedy=WRITE) for one in faults]


def _said(look: Callable[[], object]) -> list[str]:
    """The faults that a look names."""
    try:
        look()
    except Faulty as error:
        return list(error.faults)
    return []


def subject(learner: Learner, signature: Signature) -> Subject:
    """What it learns of a service with this signature. Raises Faulty."""
    others = [item.name for item in signature.inputs if item.dtype in (Dtype.CATEGORY, Dtype.STRING)]
    numbers = [item.name for item in signature.inputs if item.name not in others]
    return subject_of(learner, signature.task, signature.labels, numbers, others)


def model_text(learner: Learner) -> str:
    """Its model with all parameters, as one line of JSON: the same for the same model."""
    said = {"steps": [_plain(part) for part in learner.model], "learning_rate": learner.learning_rate}
    return json.dumps(said, sort_keys=True)


def _plain(value: Value) -> Any:
    if isinstance(value, Part):
        return {value.path: {name: _plain(one) for name, one in value.parameters.items()}}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _typed(content: Mapping[str, Any], key: str, kind: type[Kind]) -> Kind:
    """What a file says under a key. Raises ValueError; what is no mapping is said of the whole file."""
    said = content.get(key, {})
    try:
        return manifest.typed(kind, said) if isinstance(said, Mapping) else kind()
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _parts(content: Mapping[str, Any]) -> tuple[Part, ...]:
    """The steps of a model as a file says them, none where it says no model. Raises Faulty."""
    if "model" not in content:
        return ()
    said = content["model"]
    steps = said if isinstance(said, list) else [said]
    faults: list[str] = []
    parts = [_value(step, f"step {number}", faults) for number, step in enumerate(steps, 1)]
    if not steps:
        faults.append("model has no step")
    faults += [
        f"step {number} of the model is {step!r}, no path such as river.linear_model.LogisticRegression"
        for number, (step, part) in enumerate(zip(steps, parts, strict=True), 1)
        if not isinstance(part, Part) and not isinstance(step, Mapping)
    ]
    if faults:
        raise Faulty(faults)
    return tuple(part for part in parts if isinstance(part, Part))


def _value(said: Any, where: str, faults: list[str]) -> Value:
    """A part where a path of River stands, with or without parameters; else the plain value."""
    if isinstance(said, str) and said.startswith(RIVER):
        return Part(said)
    if isinstance(said, list):
        return [_value(one, where, faults) for one in said]
    if not isinstance(said, Mapping):
        plain: bool | int | float | str | None = said
        return plain
    paths: Sequence[Any] = list(said)
    if len(paths) != 1 or not str(paths[0]).startswith(RIVER):
        faults.append(f"{where} of the model has the keys {', '.join(map(str, paths))}, and not one path of River")
        return None
    given = said[paths[0]]
    if given is not None and not isinstance(given, Mapping):
        faults.append(f"{paths[0]} has {given!r} in the place of parameters: write {{name: value}}")
        return None
    return Part(str(paths[0]), dict(_parameters(str(paths[0]), given or {}, faults)))


def _parameters(path: str, given: Mapping[Any, Any], faults: list[str]) -> Iterator[tuple[str, Value]]:
    for name, one in given.items():
        yield str(name), _value(one, f"{name} of {path}", faults)
