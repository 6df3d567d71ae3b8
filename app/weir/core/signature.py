"""What a model takes and gives: the one description from which contract, assembly and checks are derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Dtype(StrEnum):
    """Type of an input as the caller writes it; the model itself always gets float32."""

    FLOAT = "float"  # Avro float
    INT = "int"  # Avro long; exact up to 2**24 once it is float32
    BOOL = "bool"  # Avro boolean
    CATEGORY = "category"  # Avro string; the model gets its position in `categories`


class Source(StrEnum):
    """Where an input comes from."""

    REQUEST = "request"  # a field of the request
    FEATURE = "feature"  # a Feast feature, looked up by join key


class Policy(StrEnum):
    """What to do with a missing, stale or unknown value."""

    USE = "use"  # missing: NaN goes to the model; stale: the old value does; unavailable: see Input
    DEFAULT = "default"  # the input's `default` takes its place
    REJECT = "reject"  # the row goes to the dead letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One column of the model's matrix.

    ref: name of the request field, or "view__feature" for a Feast feature.
    categories: for CATEGORY only; position = code. An unknown category follows `on_missing`.
    low, high: valid range, inclusive; None is open. A value outside it is rejected, whatever its source.
    max_age_s: for features; older than this is stale. None: the view's `ttl`.
    on_unavailable: for features, when the online store does not answer in time. USE takes the last value read, to which
    `on_stale` applies by its true age, and where none was kept does as `on_missing` says. REJECT stops the worker at
    the dead-letter limit when the store stays away.
    """

    name: str
    source: Source
    ref: str
    dtype: Dtype = Dtype.FLOAT
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    on_missing: Policy = Policy.REJECT
    on_stale: Policy = Policy.USE
    on_unavailable: Policy = Policy.USE
    default: float | None = None
    max_age_s: float | None = None
    doc: str = ""

    def __post_init__(self) -> None:
        if Policy.DEFAULT in (self.on_missing, self.on_stale, self.on_unavailable) and self.default is None:
            raise ValueError(f"input {self.name}: policy 'default' needs a default")
        low, high = -float("inf") if self.low is None else self.low, float("inf") if self.high is None else self.high
        if self.default is not None and not low <= self.default <= high:
            raise ValueError(f"input {self.name}: default {self.default:g} is not in [{low:g}, {high:g}]")
        if (self.dtype is Dtype.CATEGORY) != bool(self.categories):
            raise ValueError(f"input {self.name}: categories belong to dtype 'category', and only there")


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinKey:
    """A request field that names an entity.

    name: Feast join key and request field, the same word. dtype: STRING or INT64 as Feast writes it.
    """

    name: str
    dtype: str = "STRING"
    required: bool = True
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs in the order of the model's columns, join keys, and what the one output means.

    threshold: score >= threshold is the positive decision.
    input_tensor float32[n, k] -> output_tensor float32[n] or float32[n, 1], a probability.
    """

    inputs: tuple[Input, ...]
    join_keys: tuple[JoinKey, ...] = ()
    threshold: float = 0.5
    input_tensor: str = "x"
    output_tensor: str = "score"

    @property
    def names(self) -> tuple[str, ...]:
        """Input names in column order."""
        return tuple(item.name for item in self.inputs)

    def of(self, source: Source) -> tuple[Input, ...]:
        """Inputs from one source, in column order."""
        return tuple(item for item in self.inputs if item.source is source)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for bundle.yaml; `from_dict` gives the signature back."""
        return asdict(self)

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> Signature:
        """The inverse of `to_dict`. Raises ValueError or TypeError naming the entry that is wrong."""
        inputs = tuple(
            Input(
                **{
                    **item,
                    "source": Source(item["source"]),
                    "dtype": Dtype(item.get("dtype", "float")),
                    "categories": tuple(item.get("categories", ())),
                    "on_missing": Policy(item.get("on_missing", "reject")),
                    "on_stale": Policy(item.get("on_stale", "use")),
                    "on_unavailable": Policy(item.get("on_unavailable", "use")),
                }
            )
            for item in raw["inputs"]
        )
        keys = tuple(JoinKey(**item) for item in raw.get("join_keys", ()))
        rest = {name: value for name, value in raw.items() if name not in ("inputs", "join_keys")}
        return Signature(inputs=inputs, join_keys=keys, **rest)
