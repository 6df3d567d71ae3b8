"""What is normal for a bundle: how its inputs, its score and its decisions were distributed over its baseline rows.

And what is known of each input beside that: how important it is, where it comes from, what it moves with by nature.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from weir.core.grid import MISSING, Grid, GridKind
from weir.core.signature import Cycle

MOST_WORDS: Final = 1000  # that are counted by name; those of a text that have more say little one by one
LONGEST_WORD: Final = 200  # bytes of a word that is counted by name
LARGEST_COUNT: Final = 2**62
CYCLES: Final = frozenset(map(str, Cycle))


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts of a number on its grid.

    bins: bin -> rows, also of what is missing or infinite. total: sum of the finite values.
    """

    grid: Grid
    bins: Mapping[int, int] = field(default_factory=dict)
    total: float = 0.0

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.bins.get(MISSING, 0)


@dataclass(frozen=True, slots=True)
class Words:
    """Counts of words.

    rest: rows whose word is none of these. whole: whether `words` are all that there were, so that another is new.
    Of a text that has too many words, or a new one every other time, they are not: there rest says how often.
    """

    words: Mapping[str, int] = field(default_factory=dict)
    rest: int = 0
    missing: int = 0
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of an input beside its distribution.

    importance: share from 0 to 1 in how far the model's answers move by its inputs, see edges.bundles.importance; None
    where nobody has measured it. view: feature view that it is read from; empty for the request. cycle: see Input.
    """

    importance: float | None = None
    view: str = ""
    cycle: str = ""

    def plain(self) -> dict[str, Any]:
        """What of it is known."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Of n rows. features: inputs that are numbers. categories: inputs that are words. classes: probability of each.

    inputs: of those of which more is known.
    """

    n: int
    features: Mapping[str, Numbers] = field(default_factory=dict)
    categories: Mapping[str, Words] = field(default_factory=dict)
    score: Numbers
    classes: Mapping[str, Numbers] = field(default_factory=dict)
    decisions: Words = field(default_factory=Words)
    inputs: Mapping[str, About] = field(default_factory=dict)


def dump(reference: Reference) -> str:
    """As JSON: the same text for equal references. `inputs` is left out where nothing more is known of any.

    >>> names = {"a": Words({"x": 1, "b": 2}), "B": Words()}, {"B": Words(), "a": Words({"b": 2, "x": 1})}
    >>> score = Numbers(Grid(GridKind.UNIT), {500: 1}, 0.5)
    >>> one, other = (dump(Reference(n=1, score=score, categories=found)) for found in names)
    >>> one == other, load(one) == load(other)
    (True, True)
    """
    content = {
        "n": reference.n,
        "features": {name: _plain_numbers(found) for name, found in reference.features.items()},
        "categories": {name: _plain_words(found) for name, found in reference.categories.items()},
        "score": _plain_numbers(reference.score),
        "classes": {name: _plain_numbers(found) for name, found in reference.classes.items()},
        "decisions": _plain_words(reference.decisions),
    }
    if more := {name: plain for name, about in reference.inputs.items() if (plain := about.plain())}:
        content["inputs"] = more
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def load(text: str) -> Reference:
    """The inverse of `dump`. Raises ValueError for any other text."""
    try:
        content = json.loads(text)
        return Reference(
            n=_count(content["n"]),
            features={name: _numbers(plain) for name, plain in content["features"].items()},
            categories={name: _words(plain) for name, plain in content["categories"].items()},
            score=_numbers(content["score"]),
            classes={name: _numbers(plain) for name, plain in content["classes"].items()},
            decisions=_words(content["decisions"]),
            inputs=_inputs(content.get("inputs", {})),
        )
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"it is no reference: {error!r}") from error


def inputs(text: str) -> dict[str, About]:
    """What a reference's JSON says of `inputs` alone; nothing where it is empty or no such JSON.

    >>> inputs('{"a": {"importance": 0.25, "cycle": "season"}}')
    {'a': About(importance=0.25, view='', cycle='season')}
    >>> inputs(""), inputs('{"a": 1}')
    ({}, {})
    """
    try:
        return _inputs(json.loads(text)) if text else {}
    except (TypeError, AttributeError, ValueError):
        return {}


def _plain_numbers(found: Numbers) -> dict[str, Any]:
    grid, bins = found.grid, sorted(found.bins)
    return {
        "grid": {"kind": str(grid.kind), "center": grid.center, "scale": grid.scale, "lo": grid.lo, "hi": grid.hi},
        "bins": bins,
        "counts": [found.bins[at] for at in bins],
        "total": found.total,
    }


def _plain_words(found: Words) -> dict[str, Any]:
    return {"words": dict(found.words), "rest": found.rest, "missing": found.missing, "whole": found.whole}


def _numbers(plain: Any) -> Numbers:
    grid, total = plain["grid"], plain["total"]
    numbers = (
        grid["center"],
        grid["scale"],
        total,
        *(bound for bound in (grid["lo"], grid["hi"]) if bound is not None),
    )
    if any(isinstance(number, bool) or not math.isfinite(number) for number in numbers):
        raise ValueError(f"a grid is made of {numbers}")
    kind = GridKind(grid["kind"])
    bins = dict(zip(map(_bin, plain["bins"]), _counts(plain["counts"]), strict=True))
    return Numbers(Grid(kind, grid["center"], grid["scale"], grid["lo"], grid["hi"]), bins, total)


def _words(plain: Any) -> Words:
    counts = _counts(plain["words"].values())
    for word in plain["words"]:
        word.encode()  # JSON can name halves of a surrogate pair, which no column holds
    if not isinstance(plain["whole"], bool):
        raise ValueError(f"whole is {plain['whole']!r}")
    words = dict(zip(plain["words"], counts, strict=True))
    return Words(words, _count(plain["rest"]), _count(plain["missing"]), plain["whole"])


def _inputs(plain: Mapping[str, Mapping[str, Any]]) -> dict[str, About]:
    return {name: _about(said) for name, said in plain.items()}


def _about(plain: Mapping[str, Any]) -> About:
    found = About(importance=plain.get("importance"), view=plain.get("view", ""), cycle=plain.get("cycle", ""))
    if not isinstance(found.view, str) or found.cycle not in CYCLES:
        raise ValueError(f"an input is of view {found.view!r} and cycle {found.cycle!r}")
    share = found.importance
    if share is not None and (isinstance(share, bool) or not 0 <= share <= 1):
        raise ValueError(f"an importance is {share!r}, not a share from 0 to 1")
    return found


def _bin(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MISSING:
        raise ValueError(f"{value!r} is no bin")
    return value


def _counts(values: Iterable[Any]) -> list[int]:
    return [_count(value) for value in values]


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LARGEST_COUNT:
        raise ValueError(f"{value!r} is no count")
    return value
