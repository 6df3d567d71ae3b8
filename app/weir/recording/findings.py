"""What measurements, alerts, notes and actions say in JSON, and which of their numbers cannot be."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.rejects import Reason

Fault = tuple[npt.NDArray[np.bool_], Reason, str]

COVERED: Final = pa.list_(
    pa.struct(
        [
            pa.field("log", pa.string()),
            pa.field("topic", pa.string()),
            pa.field("partition", pa.int32()),
            pa.field("first", pa.int64()),
            pa.field("last", pa.int64()),
        ]
    )
)


def no_objects(rows: pa.RecordBatch, *names: str) -> list[Fault]:
    """Rows of which a text is no JSON object, by column."""
    return [
        (
            np.array([not isinstance(_json(text), dict) for text in rows[name].to_pylist()], np.bool_),
            Reason.OUT_OF_RANGE,
            f"{name} is no JSON object",
        )
        for name in names
    ]


def no_covers(texts: pa.Array) -> Fault:
    """Rows whose covers are not what `covers_column` reads."""
    bad = np.array([_covers(text) is None for text in texts.to_pylist()], np.bool_)
    return bad, Reason.OUT_OF_RANGE, "covers is no JSON array of [log, topic, partition, first, last]"


def covers_column(texts: pa.Array) -> pa.ListArray:
    """The offsets that measurements cover, as lists of structs; the texts passed `no_covers`."""
    names = [field.name for field in COVERED.value_type]
    found = [[dict(zip(names, item, strict=True)) for item in json.loads(text)] for text in texts.to_pylist()]
    return pa.array(found, COVERED)


def not_finite(rows: pa.RecordBatch, *names: str) -> list[Fault]:
    """Rows of which a number is none; null is no fault."""
    return [
        (_where(pc.invert(pc.is_finite(rows[name]))), Reason.NOT_A_NUMBER, f"{name} is not a number") for name in names
    ]


def outside(rows: pa.RecordBatch, low: float, high: float, *names: str) -> list[Fault]:
    """Rows of which a number lies outside [low, high]; null is no fault."""
    return [
        (
            _where(pc.or_(pc.less(rows[name], low), pc.greater(rows[name], high))),
            Reason.OUT_OF_RANGE,
            f"{name} is not between {low:g} and {high:g}",
        )
        for name in names
    ]


def none_of(rows: pa.RecordBatch, name: str, words: Collection[str]) -> Fault:
    """Rows of which a word is not one of these."""
    known = pc.is_in(rows[name], pa.array(sorted(words), rows[name].type))
    return _where(pc.invert(known)), Reason.OUT_OF_RANGE, f"{name} is none of {', '.join(sorted(words))}"


def empty(rows: pa.RecordBatch, *names: str) -> list[Fault]:
    """Rows of which a text is empty."""
    return [(_where(pc.equal(rows[name], "")), Reason.MISSING, f"{name} is empty") for name in names]


def ends_early(rows: pa.RecordBatch) -> Fault:
    """Rows whose window ends before it begins."""
    return _where(pc.less(rows["end"], rows["begin"])), Reason.OUT_OF_RANGE, "end is before begin"


def _where(mask: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
    return found


def _covers(text: str) -> list[Any] | None:
    found = _json(text)
    return found if isinstance(found, list) and all(map(_is_stretch, found)) else None


def _is_stretch(item: Any) -> bool:
    if not (isinstance(item, list) and len(item) == 5 and all(isinstance(name, str) for name in item[:2])):
        return False
    return all(type(number) is int for number in item[2:]) and abs(item[2]) < 2**31 and max(map(abs, item[3:])) < 2**63


def _json(text: str) -> Any:
    """What a text says; None where it is no JSON, or nothing that every reader takes."""
    try:
        found = json.loads(text, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # halves of a surrogate pair have no encoding
    except (ValueError, RecursionError):
        return None
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")
