"""Made-up requests of a service: values that its model takes, at random, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from weir.core.signature import Dtype, Input, KeyType, Signature, Source
from weir.edges.bundles import folder
from weir.edges.bundles.rows import numbers, words_of
from weir.operations import serving
from weir.settings import Settings

BLOCK: Final = 1000  # rows at a time
KEYS: Final = 100  # values that a join key has
LONGEST: Final = 2**63 - 1
# The range of a number of which nothing is known.
UNKNOWN: Final = {Dtype.FLOAT: (0.0, 1.0), Dtype.DOUBLE: (0.0, 1.0), Dtype.INT: (0.0, 9.0)}


def rows(settings: Settings, service: str, n: int, seed: int) -> Iterator[list[dict[str, Any]]]:
    """n requests in blocks: join keys and inputs, as a caller writes them.

    Categories are the signature's, texts are those of the bundle's baseline; numbers lie in the baseline's range, where
    the signature takes them.
    Raises Refused, Unavailable when no bundle of the service is here.
    """
    path = serving.choose((), settings, only=(service,), contracts=False).served[service].path
    signature, random = folder.read(path).bundle.signature, np.random.default_rng(seed)
    ranges, words = _ranges(signature, path / folder.BASELINE), _words(signature, path / folder.BASELINE)
    for first in range(0, n, BLOCK):
        columns = _columns(signature, ranges, words, min(BLOCK, n - first), random)
        yield [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _columns(
    signature: Signature,
    ranges: Mapping[str, tuple[float, float]],
    words: Mapping[str, Sequence[str]],
    n: int,
    random: np.random.Generator,
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for key in signature.join_keys:
        drawn = random.integers(0, KEYS, n).tolist()
        found[key.name] = drawn if key.dtype is KeyType.INT64 else [f"{key.name}-{number}" for number in drawn]
    for item in signature.of(Source.REQUEST):
        if item.name in words:
            found[item.ref] = [words[item.name][at] for at in random.integers(0, len(words[item.name]), n).tolist()]
        elif item.dtype is Dtype.BOOL:
            found[item.ref] = list(map(bool, random.integers(0, 2, n).tolist()))
        else:
            found[item.ref] = _numbers(item, ranges[item.name], n, random)
    return found


def _numbers(item: Input, span: tuple[float, float], n: int, random: np.random.Generator) -> list[Any]:
    low, high = span
    if item.dtype is Dtype.INT:
        least, most = int(np.ceil(low)), min(int(np.floor(high)), LONGEST)
        return list(map(int, random.integers(least, most, n, endpoint=True).tolist()))
    kind = np.float64 if item.dtype is Dtype.DOUBLE else np.float32
    drawn = random.uniform(low, high, n).astype(kind)
    return list(map(float, np.clip(drawn, kind(low), kind(high)).tolist()))


def _words(signature: Signature, baseline: Path) -> dict[str, Sequence[str]]:
    """What each input that a caller writes as words can say."""
    names = [signature.names[column] for column in signature.strings]
    with pq.ParquetFile(baseline) as file:
        table = file.read(columns=names)
    said = {name: words_of(table, name).dictionary.to_pylist() or [""] for name in names}
    return said | {item.name: item.categories for item in signature.texts if item.categories}


def _ranges(signature: Signature, baseline: Path) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each number that a request carries, by the input's name."""
    asked = [item for item in signature.of(Source.REQUEST) if item.dtype in UNKNOWN]
    with pq.ParquetFile(baseline) as file:  # read_table would load the dataset engine
        table = file.read(columns=[item.name for item in asked])
    found = {}
    for item in asked:
        values = numbers(table, item.name)
        there = values[np.isfinite(values)]
        least, most = -np.inf if item.low is None else item.low, np.inf if item.high is None else item.high
        seen = (float(there.min()), float(there.max())) if len(there) else UNKNOWN[item.dtype]
        low, high = (min(max(value, least), most) for value in seen)
        found[item.name] = _whole(low, high, least, most) if item.dtype is Dtype.INT else (low, high)
    return found


def _whole(low: float, high: float, least: float, most: float) -> tuple[float, float]:
    """A range with a whole number in it: where there is none, the next one from `least` to `most`, which has one."""
    if np.ceil(low) <= np.floor(high):
        return low, high
    number = float(np.ceil(low) if np.ceil(low) <= most else max(np.floor(high), np.ceil(least)))
    return number, number
