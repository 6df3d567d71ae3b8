"""What scorers say of their bundles, as columns and as names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core import reference
from weir.core.bundle_names import LISTS, BundleNames
from weir.core.rejects import Reason

LARGEST = 1e300  # of a cut
LISTED = (*LISTS, "classes", "decisions")


def unreadable(rows: pa.RecordBatch) -> tuple[npt.NDArray[np.bool_], Reason, str]:
    """Which rows of contract bundles have lists that cannot be read, and how that is called."""
    texts = zip(
        *(rows[name].to_pylist() for name in (*LISTED, "cuts", "ttl_s", "categories", "reference")), strict=True
    )
    read = [
        (*map(_names, names), _numbers(cuts), _numbers(limits), _by_name(words), _normal(said))
        for *names, cuts, limits, words, said in texts
    ]
    bad = np.array([None in found for found in read], np.bool_)
    what = f"{', '.join(LISTED)}, cuts, ttl_s, categories or reference are not the JSON that they should be"
    return bad, Reason.OUT_OF_RANGE, what


def no_names(texts: pa.Array, what: str) -> tuple[npt.NDArray[np.bool_], Reason, str]:
    """Which texts are no list of names, and how that is called."""
    bad = np.array([_names(text) is None for text in texts.to_pylist()], np.bool_)
    return bad, Reason.OUT_OF_RANGE, f"{what} is no JSON array of different names"


def of(rows: pa.RecordBatch) -> list[BundleNames]:
    """The names of n rows that are readable."""
    columns = (rows[name].to_pylist() for name in ("digest", *LISTS, "categories", "reference"))
    return [
        BundleNames(
            digest,
            *(tuple(json.loads(text)) for text in texts),
            categories={name: tuple(words) for name, words in json.loads(categories).items()},
            reference=said,
        )
        for digest, *texts, categories, said in zip(*columns, strict=True)
    ]


def lists_column(texts: pa.Array, of: pa.DataType) -> pa.ListArray:
    """JSON arrays as lists of text or of numbers."""
    return pa.array([json.loads(text) for text in texts.to_pylist()], pa.list_(of))


def lists_by_name(texts: pa.Array) -> pa.MapArray:
    """JSON objects of arrays as maps of lists of text."""
    pairs = [list(json.loads(text).items()) for text in texts.to_pylist()]
    return pa.array(pairs, pa.map_(pa.string(), pa.list_(pa.string())))


def _numbers(text: str) -> Sequence[float] | None:
    found = _json(text)
    return found if isinstance(found, list) and all(map(_is_number, found)) else None


def _normal(text: str) -> reference.Reference | None:
    try:
        return reference.load(text)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < LARGEST


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _by_name(text: str) -> Mapping[str, Sequence[str]] | None:
    found = _json(text)
    if not isinstance(found, dict) or _different(list(found)) is None:
        return None
    return found if all(_different(words) is not None for words in found.values()) else None


def _names(text: str) -> Sequence[str] | None:
    return _different(_json(text))


def _different(found: Any) -> Sequence[str] | None:
    """The names, where it is an array of such."""
    named = isinstance(found, list) and all(isinstance(name, str) and name and _is_text(name) for name in found)
    return found if named and len(set(found)) == len(found) else None


def _is_text(word: str) -> bool:
    """Whether a column can hold it: JSON can name halves of a surrogate pair, which no encoding has alone."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
