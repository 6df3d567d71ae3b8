"""The JSON of an Avro schema: stricter than Python's, which takes numbers that no other reader does."""

from __future__ import annotations

import json
import math
from typing import Any


def load(text: str) -> Any:
    """What a schema's text says. Raises ValueError for no JSON, for NaN and what is infinite, and for too deep a nest.

    >>> load('{"type": "fixed", "name": "F", "size": 4}')["size"]
    4
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _finite(word: str) -> float:
    number = float(word)
    return number if math.isfinite(number) else _refuse(word)


def _refuse(word: str) -> float:
    raise ValueError(f"{word[:20]} is no number in JSON")
