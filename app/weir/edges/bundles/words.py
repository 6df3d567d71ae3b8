"""What a model file itself says of its columns, held against the signature.

A trained model is often stored with the names of its columns in their order, and with the order of its categories.
These words come from the training, the signature from a person: where they differ, scores are wrong, and none looks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from weir.core.signature import Dtype, Input, Signature, Source

# metadata keys of what `weir bundle build` found
FEATURES, CATEGORIES, CLASSES = "weir.model_features", "weir.model_categories", "weir.model_classes"
NAMES: Final = re.compile(
    r"(?:.*[._/-])?(?:feature_?names?(?:_in_?)?|features|column_?names?|columns|input_?names?)$", re.I
)
LEVELS: Final = re.compile(r"(?:.*[._/-])?(?:pandas_categorical|categor(?:y|ies|ical)(?:_(?:values|levels))?)$", re.I)
SHOWN: Final = 40  # names of a list that one message shows


@dataclass(frozen=True, slots=True)
class Words:
    """What a model file says; None for what it does not.

    features: names in the order of its columns. categories: of each categorical column, in the order of the columns,
    its values in the order of their codes. classes: in the order of the output's columns.
    """

    features: tuple[str, ...] | None = None
    categories: tuple[tuple[str, ...], ...] | None = None
    classes: tuple[str, ...] | None = None

    @property
    def named(self) -> bool:
        """Whether the names are a person's, and not numbers that a library gave out."""
        return self.features is not None and not _numbered(self.features)

    def metadata(self) -> dict[str, str]:
        """As properties of the stored model, from which `of_metadata` makes the same words."""
        said = {FEATURES: self.features, CATEGORIES: self.categories, CLASSES: self.classes}
        return {key: json.dumps(value, ensure_ascii=False) for key, value in said.items() if value is not None}


def of_metadata(properties: Mapping[str, str]) -> tuple[Words, ...]:
    """What the properties of a model file say: one for each property that says something."""
    found = []
    for key, value in properties.items():
        if key == FEATURES or NAMES.match(key):
            names = listed(value)
            found.append(Words(features=tuple(map(str, names)) if names else None))
        elif key == CATEGORIES or LEVELS.match(key):
            found.append(Words(categories=levels(_json(value))))
        elif key == CLASSES and (names := listed(value)):
            found.append(Words(classes=tuple(names)))
    return tuple(found)


def listed(value: str) -> list[Any] | None:
    """A list in JSON, or names with commas between them; None for anything else."""
    found = _json(value)
    if isinstance(found, list) and found and all(isinstance(name, str) for name in found):
        return found
    if found is None and "," in value and not set(value) & set("{}[]\n"):
        return [name.strip() for name in value.split(",")]
    return None


def levels(value: Any) -> tuple[tuple[str, ...], ...] | None:
    """Lists of category values as text, 1.0 as "1"; None for anything else, and for no list at all."""
    if not isinstance(value, list) or not value or not all(isinstance(item, list) for item in value):
        return None
    return tuple(tuple(_level(level) for level in item) for item in value)


def mismatch(signature: Signature, words: Words) -> str | None:
    """How the model's words and the signature differ, with both lists; None where they agree or it says nothing."""
    if words.features is not None and (wrong := _columns(signature, words.features)):
        return wrong
    if words.categories is not None and (wrong := _categories(signature, words.categories)):
        return wrong
    return _classes(signature, words.classes) if words.classes is not None else None


def strangers(signature: Signature, encoded: Sequence[Sequence[str]]) -> Iterator[str]:
    """How categories and the words that encoders of texts were trained on differ, as warnings.

    encoded: a list for each encoder; it belongs to the input with which it shares a word.
    """
    for item in (item for item in signature.inputs if item.dtype is Dtype.CATEGORY):
        known = max(encoded, key=lambda words: len(set(words) & set(item.categories)), default=())
        if not set(known) & set(item.categories):
            continue
        if unknown := [word for word in item.categories if word not in known]:
            yield f"input {item.name}: the model was not trained on [{listed_names(unknown)}]"
        if lacking := [word for word in known if word not in item.categories]:
            yield f"input {item.name}: the model knows [{listed_names(lacking)}] too, which `categories` lacks"


def fits(name: str, item: Input) -> bool:
    """Whether a model's column of this name is this input."""
    return plain(name) in names_of(item)


def names_of(item: Input) -> tuple[str, ...]:
    """What a model may call this input, each `plain`: by its name, its field or its feature."""
    known = [item.name, item.ref]
    if item.source is Source.FEATURE:
        known.append(item.ref.partition("__")[2])
    return tuple(map(plain, known))


def plain(name: str) -> str:
    """A name with the characters that libraries replace all alike."""
    return re.sub(r"\W", "_", name)


def listed_names(names: Sequence[str]) -> str:
    """As many names as one message shows."""
    more = f", ... ({len(names)})" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _columns(signature: Signature, features: Sequence[str]) -> str | None:
    inputs = signature.inputs
    if len(features) == len(inputs) and all(map(fits, features, inputs)):
        return None
    both = f"the model has {_list(features)}, the signature {_list(signature.names)}"
    if len(features) != len(inputs):
        return f"the model was trained on {len(features)} columns, the signature has {len(inputs)} inputs: {both}"
    known = {plain(word) for item in inputs for word in (item.name, item.ref)}
    if _numbered(features) and not known & {plain(name) for name in features}:
        return None
    at = next(i for i in range(len(inputs)) if not fits(features[i], inputs[i]))
    moved = any(fits(features[at], item) for item in inputs)
    why = "in another order" if moved else "under other names"
    return f"the model's columns stand {why}, first at {at}: {both}"


def _categories(signature: Signature, categories: Sequence[Sequence[str]]) -> str | None:
    """Each list must be the categories of an input, in the order of the inputs; others may be coded by hand."""
    inputs = [item for item in signature.inputs if item.dtype is Dtype.CATEGORY]
    if len(inputs) == len(categories):
        for item, codes in zip(inputs, categories, strict=True):
            if item.categories != tuple(codes):
                both = f"the model has the categories {_list(codes)}, the signature {_list(item.categories)}"
                return f"input {item.name}: {both}"
        return None
    waiting = iter(inputs)
    for codes in categories:
        if not any(item.categories == tuple(codes) for item in waiting):
            have = "; ".join(f"{item.name}: {_list(item.categories)}" for item in inputs) or "none"
            return f"the model has the categories {_list(codes)}, which no input of the signature has there: {have}"
    return None


def _classes(signature: Signature, classes: Sequence[str]) -> str | None:
    """The classes by the same names in the same order; where the model has whole numbers in order, by any names."""
    named = signature.classes
    if not named or named == tuple(classes):
        return None
    if wholly_numbered(classes) and not set(named) & set(classes):
        return None
    return f"the model has the classes {_list(classes)}, the signature {_list(named)}"


def wholly_numbered(names: Sequence[str]) -> bool:
    """Whether names are whole numbers that rise, as labels that a library counted or was given as numbers."""
    if not all(re.fullmatch(r"-?\d+", name) for name in names):
        return False
    numbers = [int(name) for name in names]
    return numbers == sorted(numbers)


def _numbered(names: Sequence[str]) -> bool:
    """Whether names are only numbers in order behind one word, such as Column_0, Column_1 or f0, f1."""
    found = [re.fullmatch(r"(\D*)(\d+)", name) for name in names]
    if not all(found):
        return False
    numbers = [int(match[2]) for match in found if match]
    return (
        len({match[1] for match in found if match}) == 1
        and numbers == list(range(numbers[0], numbers[0] + len(names)))
        and numbers[0] in (0, 1)
    )


def _level(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _list(names: Sequence[str]) -> str:
    return f"[{listed_names(names)}]"


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None
