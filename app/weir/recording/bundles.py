"""What scorers say of their bundles, as columns and as names."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.bundle_names import BundleNames
from weir.core.rejects import Reason

NAMES = ("inputs", "views")


def unreadable(rows: pa.RecordBatch) -> tuple[npt.NDArray[np.bool_], Reason, str]:
    """Which rows of contract bundles have names that cannot be read, and how that is called."""
    texts = zip(*(rows[name].to_pylist() for name in NAMES), strict=True)
    bad = np.array([any(_names(text) is None for text in both) for both in texts], np.bool_)
    return bad, Reason.OUT_OF_RANGE, "inputs or views are no JSON array of different names"


def no_names(texts: pa.Array, what: str) -> tuple[npt.NDArray[np.bool_], Reason, str]:
    """Which texts are no list of names, and how that is called."""
    bad = np.array([_names(text) is None for text in texts.to_pylist()], np.bool_)
    return bad, Reason.OUT_OF_RANGE, f"{what} is no JSON array of different names"


def of(rows: pa.RecordBatch) -> list[BundleNames]:
    """The names of n rows that are readable."""
    return [
        BundleNames(digest, *(tuple(json.loads(text)) for text in texts))
        for digest, *texts in zip(*(rows[name].to_pylist() for name in ("digest", *NAMES)), strict=True)
    ]


def names_column(texts: pa.Array) -> pa.ListArray:
    """JSON arrays as lists of text."""
    return pa.array([json.loads(text) for text in texts.to_pylist()], pa.list_(pa.string()))


def _names(text: str) -> Sequence[str] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    named = isinstance(found, list) and all(isinstance(name, str) and name and _is_text(name) for name in found)
    return found if named and len(set(found)) == len(found) else None


def _is_text(word: str) -> bool:
    """Whether a column can hold it: JSON can name halves of a surrogate pair, which no encoding has alone."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
