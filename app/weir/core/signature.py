"""What a model takes and gives: the one description from which contract, assembly and checks are derived."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import numpy as np

NEGATIVE_POSITIVE: Final = ("negative", "positive")  # the classes of a binary model that names none
WHOLE_END: Final = 2**53  # from here on a float64 may be another whole number's nearest
THRESHOLD: Final = 0.5  # of a binary model that says neither threshold nor bands


class Task(StrEnum):
    """What a model's output is."""

    BINARY = "binary"  # the probability of the second of two classes
    MULTICLASS = "multiclass"  # a probability for each class
    REGRESSION = "regression"  # a value


class Dtype(StrEnum):
    """Type of an input as the caller writes it; what the model gets of it is its `Held`, but for STRING."""

    FLOAT = "float"  # Avro float
    DOUBLE = "double"  # Avro double
    INT = "int"  # Avro long
    BOOL = "bool"  # Avro boolean
    CATEGORY = "category"  # Avro string, or a String feature; the model gets its position in `categories`
    STRING = "string"  # Avro string; the model gets it as it is
    AGE = "age"  # a UnixTimestamp feature; the model gets the time from then to the request, in `unit`


class Held(StrEnum):
    """As what an input's numbers go to the model: float32, or what its own tensor has where float32 would lose digits.

    A model of float32 has float32 of every number, as in the library that trained it: 16,777,217 is 16,777,216 to it.
    """

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT64 = "int64"
    INT32 = "int32"


UNITS_S: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}  # of an AGE, in seconds


class KeyType(StrEnum):
    """Type of a join key, as Feast names it."""

    STRING = "STRING"  # Avro string
    INT64 = "INT64"  # Avro long


class Source(StrEnum):
    """Where an input comes from."""

    REQUEST = "request"  # a field of the request
    FEATURE = "feature"  # a Feast feature, looked up by join key


class Cycle(StrEnum):
    """What an input moves with by nature, so that it is away from its baseline without a fault."""

    NONE = ""
    CALENDAR = "calendar"  # the clock: the hour, the weekday, what follows them
    SEASON = "season"  # the year: it leaves a baseline of some months, and comes back


class Policy(StrEnum):
    """What to do with a missing, stale or unknown value."""

    USE = "use"  # missing: NaN goes to the model; stale: the old value does; unavailable: see Input
    DEFAULT = "default"  # the input's `default` takes its place
    REJECT = "reject"  # the row goes to the dead letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One of the model's columns.

    name: the model's own name of the column, where its file has one; else any.
    ref: name of the request field, or "view__feature" for a Feast feature.
    categories: for CATEGORY only; position = code. An unknown category follows `on_missing`.
    held: found in the model's file when a bundle is built; nobody need write it.
    unit: for AGE only; one of UNITS_S.
    on_missing: of a STRING, USE gives the model an empty text.
    low, high: valid range, inclusive; None is open. A value outside it is rejected, whatever its source.
    cycle: what it moves with by nature; the map of drift says so and does not count it among what has moved.
    max_age_s: for features; older than this is stale. None: the view's `ttl`.
    on_unavailable: for features, when the online store does not answer in time. USE takes the last value read, to which
    `on_stale` applies by its true age, and where none was kept does as `on_missing` says. REJECT stops the worker at
    the dead-letter limit when the store stays away.
    """

    name: str
    source: Source
    ref: str
    dtype: Dtype = Dtype.FLOAT
    held: Held = Held.FLOAT32
    categories: tuple[str, ...] = ()
    unit: str = ""
    low: float | None = None
    high: float | None = None
    on_missing: Policy = Policy.REJECT
    on_stale: Policy = Policy.USE
    on_unavailable: Policy = Policy.USE
    default: float | None = None
    max_age_s: float | None = None
    cycle: Cycle = Cycle.NONE
    doc: str = ""

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise ValueError(f"input {self.name}: {', and '.join(faults)}")

    def _faults(self) -> Iterator[str]:
        """What cannot be meant, or would be read by nobody."""
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        numbers = {"low": low, "high": high, "default": self.default, "max_age_s": self.max_age_s}
        if wrong := [name for name, number in numbers.items() if number is not None and math.isnan(number)]:
            yield f"{wrong[0]} is not a number"
        if low > high:
            yield f"low {low:g} is above high {high:g}"
        elif self.dtype is Dtype.INT and math.isfinite(low) and math.isfinite(high) and math.ceil(low) > high:
            yield f"there is no whole number from low {low:g} to high {high:g}"
        if Policy.DEFAULT in (self.on_missing, self.on_stale, self.on_unavailable) and self.default is None:
            yield "policy 'default' needs a default"
        if self.default is not None and not low <= self.default <= high:
            yield f"default {self.default:g} is not in [{low:g}, {high:g}]"
        if self.dtype is Dtype.INT and self.default is not None and abs(self.default) >= WHOLE_END:
            yield f"default {self.default:.0f} may be rounded: a specification holds whole numbers below 2**53"
        if (self.dtype is Dtype.CATEGORY) != bool(self.categories):
            yield "categories belong to dtype 'category', and only there"
        if (self.dtype is Dtype.AGE) != bool(self.unit):
            yield f"a unit ({', '.join(UNITS_S)}) belongs to dtype 'age', and only there"
        elif self.unit and self.unit not in UNITS_S:
            yield f"unit {self.unit!r} is not one of {', '.join(UNITS_S)}"
        if self.dtype is Dtype.STRING:
            yield from self._text_faults()
        if len(set(self.categories)) < len(self.categories):
            yield f"categories hold {_repeated(self.categories)!r} twice, so that one code is never given"
        if self.categories and self.default is not None and self.default not in range(len(self.categories)):
            yield f"default {self.default:g} is no code of its {len(self.categories)} categories"
        yield from self._feature_faults() if self.source is Source.FEATURE else self._request_faults()

    def _text_faults(self) -> Iterator[str]:
        """What is said of a text and is meant for a number."""
        for name, said in (("low", self.low), ("high", self.high), ("default", self.default)):
            if said is not None:
                yield f"{name} belongs to numbers, and dtype is string"
        if self.held is not Held.FLOAT32:
            yield f"held {self.held} belongs to numbers, and dtype is string"
        if self.source is Source.FEATURE:
            yield "a feature is a number: dtype 'string' belongs to request inputs"

    def _feature_faults(self) -> Iterator[str]:
        view, _, feature = self.ref.partition("__")
        if not view or not feature:
            yield f"ref {self.ref!r} does not name a feature: write view__feature"
        if self.max_age_s is not None and self.max_age_s <= 0:
            yield f"max_age_s {self.max_age_s:g} is not above 0"

    def _request_faults(self) -> Iterator[str]:
        if self.dtype is Dtype.AGE:
            yield "dtype 'age' belongs to features: a request that knows a time can say how long ago it was"
        given = self.on_stale is not Policy.USE, self.on_unavailable is not Policy.USE, self.max_age_s is not None
        for name, said in zip(("on_stale", "on_unavailable", "max_age_s"), given, strict=True):
            if said:
                yield f"{name} belongs to features; what a request carries has no age"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinKey:
    """A request field that names an entity.

    name: Feast join key and request field, the same word. dtype: what the entity's key holds.
    required: a request without it goes to the dead letters; else its features are "not found".
    """

    name: str
    dtype: KeyType = KeyType.STRING
    required: bool = True
    doc: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in list(KeyType):
            raise ValueError(f"join key {self.name}: dtype {self.dtype} is not one of {', '.join(KeyType)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A span of scores, and the decision that it is.

    start: its lowest score; None for the lowest band, which has none. It ends where the next one begins.
    """

    name: str
    start: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs in the order of the model's columns, join keys, and what the output means.

    input_tensor float32[n, k] -> output_tensor float32[n, m], or float32[n] where m is 1. What float32 does not hold
    comes in tensors of its own, see `beside`.
    classes: multiclass: a name for each of the m columns of the output, in their order. binary: the words for negative
    and positive.
    threshold: binary: score >= threshold is the positive decision. It is short for two bands.
    bands: binary and regression: the decisions by score, the lowest first.
    """

    inputs: tuple[Input, ...]
    join_keys: tuple[JoinKey, ...] = ()
    task: Task = Task.BINARY
    classes: tuple[str, ...] = ()
    threshold: float | None = None
    bands: tuple[Band, ...] = ()
    input_tensor: str = "x"
    output_tensor: str = "score"

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("there are no inputs")
        named = {"inputs": self.names, "join keys": tuple(key.name for key in self.join_keys)}
        named |= {"classes": self.classes, "bands": tuple(band.name for band in self.bands)}
        for what, names in named.items():
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} are called {_repeated(names)}")
            if not all(names):
                raise ValueError(f"one of the {what} has an empty name")
        if faults := list(self._output_faults()):
            raise ValueError(", and ".join(faults))

    def _output_faults(self) -> Iterator[str]:
        """What is said of the output and does not fit the task."""
        if self.task is Task.MULTICLASS:
            if len(self.classes) < 2:
                yield "task multiclass needs `classes`, all of them, in the order of the output's columns"
            if self.bands or self.threshold is not None:
                yield "task multiclass decides for the class of the highest score: it has no threshold and no bands"
            return
        if self.task is Task.BINARY and len(self.classes) not in (0, 2):
            yield f"task binary has two classes, negative and positive, not {len(self.classes)}: is multiclass meant?"
        if self.task is Task.REGRESSION and self.classes:
            yield "task regression has no classes"
        if self.task is Task.REGRESSION and self.threshold is not None:
            yield "task regression has no threshold: give `bands`"
        if self.threshold is not None and not math.isfinite(self.threshold):
            yield f"threshold is {self.threshold}"
        if self.bands:
            yield from self._band_faults()

    def _band_faults(self) -> Iterator[str]:
        if self.threshold is not None:
            yield "a threshold is short for two bands: give it or `bands`"
        if len(self.bands) < 2:
            yield f"band {self.bands[0].name} is alone: give two bands or more"
        if self.bands[0].start is not None:
            yield f"the lowest band, {self.bands[0].name}, begins nowhere: leave its `from` out"
        if absent := [band.name for band in self.bands[1:] if band.start is None]:
            yield f"band {absent[0]} lacks `from`, its lowest score"
            return
        starts = [band.start for band in self.bands[1:] if band.start is not None]
        if wrong := [start for start in starts if not math.isfinite(start)]:
            yield f"a band begins from {wrong[0]}"
        elif any(low >= high for low, high in pairwise(starts)):
            yield "bands do not rise: write the lowest first, each `from` above the one before"
        elif len(set(np.array(starts, np.float32).tolist())) < len(starts):
            yield "two bands begin at one score, as float32 holds it, so that one of them is never decided"

    @property
    def texts(self) -> tuple[Input, ...]:
        """Inputs that a caller writes as words, in column order."""
        return tuple(item for item in self.of(Source.REQUEST) if item.dtype in (Dtype.CATEGORY, Dtype.STRING))

    @property
    def strings(self) -> tuple[int, ...]:
        """Columns of the inputs that the model gets as texts."""
        return tuple(column for column, item in enumerate(self.inputs) if item.dtype is Dtype.STRING)

    @property
    def doubles(self) -> tuple[int, ...]:
        """Columns of the numbers that the model gets as float64."""
        return tuple(column for column, item in enumerate(self.inputs) if item.held is Held.FLOAT64)

    @property
    def longs(self) -> tuple[int, ...]:
        """Columns of the whole numbers that the model gets as int64 or int32."""
        return tuple(column for column, item in enumerate(self.inputs) if item.held in (Held.INT64, Held.INT32))

    @property
    def beside(self) -> tuple[int, ...]:
        """Columns of what float32 does not hold: in the matrix stands a position, beside it the values."""
        return tuple(sorted((*self.strings, *self.doubles, *self.longs)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the output's columns are called where it has several: the classes of a multiclass model."""
        return self.classes if self.task is Task.MULTICLASS else ()

    @property
    def width(self) -> int:
        """Columns of the output, m."""
        return len(self.outputs) or 1

    @property
    def labels(self) -> tuple[str, ...]:
        """What a row can turn out to be: the classes by name, of two the positive one second; none of a regression."""
        return NEGATIVE_POSITIVE if self.task is Task.BINARY and not self.classes else self.classes

    @property
    def decisions(self) -> tuple[str, ...]:
        """The words of which each decision is one: by class, or by score, the lowest first."""
        return tuple(band.name for band in self.bands) or self.labels or ("",)

    @property
    def cuts(self) -> tuple[float, ...]:
        """Scores at which the decision becomes the next of `decisions`, ascending; none where it is not by score."""
        if self.bands:
            return tuple(band.start for band in self.bands if band.start is not None)
        if self.task is Task.BINARY:
            return (THRESHOLD if self.threshold is None else self.threshold,)
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """Input names in column order."""
        return tuple(item.name for item in self.inputs)

    @property
    def feature_words(self) -> dict[str, tuple[str, ...]]:
        """Features that are words, "view__feature" -> categories in the order of their codes."""
        return {item.ref: item.categories for item in self.of(Source.FEATURE) if item.dtype is Dtype.CATEGORY}

    @property
    def looked_up(self) -> tuple[str, ...]:
        """Feature columns that are read, "view__feature", in column order."""
        return tuple(item.ref for item in self.of(Source.FEATURE))

    @property
    def views(self) -> tuple[str, ...]:
        """Feature views that are read, as `ServicePlan.reading` orders them: that in which inputs first name them."""
        return tuple(dict.fromkeys(column.partition("__")[0] for column in self.looked_up))

    def of(self, source: Source) -> tuple[Input, ...]:
        """Inputs from one source, in column order."""
        return tuple(item for item in self.inputs if item.source is source)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as bundle.yaml and a specification have them.

        Without a cycle that nobody has said, so that the signatures of bundles before there was one are what they were.
        """
        bands = [{"name": band.name} | ({} if band.start is None else {"from": band.start}) for band in self.bands]
        plain = asdict(self) | {"bands": bands}
        for item in plain["inputs"]:
            if not item["cycle"]:
                del item["cycle"]
        return plain


def _repeated(names: tuple[str, ...]) -> str:
    return next(name for i, name in enumerate(names) if name in names[:i])
