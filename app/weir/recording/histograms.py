"""Predictions counted: how inputs, score and decision of a block's rows are distributed, minute by minute.

One row a histogram: of one input, class or view, of one segment (version, variant, tenant, team) and minute of event
time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core import golden, texts
from weir.core import reference as references
from weir.core.arrow import unpack
from weir.core.bundle_names import BundleNames
from weir.core.chunk import LogPartition
from weir.core.features import Status
from weir.core.grid import AGES, MISSING, UNIT, Grid, bins
from weir.core.reference import LONGEST_WORD, Numbers, Reference, Words
from weir.recording import naming

MINUTE_MS: Final = 60_000
SEGMENT: Final = ("service", "digest", "version", "variant", "tenant", "team")
NEW_WORDS: Final = 100  # that are counted by name in a histogram beside those of the reference
UNREAD: Final = (Status.NOT_FOUND.value, Status.UNAVAILABLE.value)  # of a view without an age
STATUSES: Final = pa.array([status.name.lower() for status in Status])  # as feature_status has them
LARGEST: Final = float(np.finfo(np.float64).max)
SECONDS = pa.timestamp("s", tz="UTC")

Numeric = npt.NDArray[np.floating]
Integers = npt.NDArray[np.int64]


def of(rows: pa.RecordBatch, log: LogPartition, first: int, names: naming.Names) -> pa.RecordBatch:
    """Rows of table histogram_blocks from n rows of contract predictions that passed `tables.check_predictions`.

    log, first: the block that they are of. names: see `tables.predictions`. What is recorded packed, for want of names,
    is not counted here but when it is named. Golden requests are not counted.
    """
    rows = golden.without(rows)
    made = [
        _counted(rows if len(members) == len(rows) else rows.take(pa.array(members)), known, reference)
        for members, known in naming.groups(rows, naming.PACKED, names).known
        if len(members) and (reference := _reference(known.reference)) is not None
    ]
    if not made:
        return pa.RecordBatch.from_pydict({"log_offset": pa.array([], pa.int64())})
    found = made[0] if len(made) == 1 else pa.concat_batches(made)
    where = {"log_id": _constant(log.log, len(found)), "log_topic": _constant(log.topic, len(found))}
    where["log_partition"] = pa.array(np.full(len(found), log.partition, np.int32))
    where["log_offset"] = pa.array(np.full(len(found), first, np.int64))
    return pa.RecordBatch.from_pydict({name: found[name] for name in found.schema.names} | where)


@lru_cache(maxsize=256)
def _reference(text: str) -> Reference | None:
    return references.load(text) if text else None


@dataclass(frozen=True, slots=True)
class _Windows:
    """n rows in m windows: those of one minute and one segment.

    of: int64[n], the window of each row. rows: int64[m], how many it has. columns: of the m windows, what they are.
    """

    of: Integers
    rows: Integers
    columns: Mapping[str, pa.Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Histogram:
    """One input, score, class or view in m windows.

    bins, words: of all windows behind each other, and how many rows have each; sizes: int64[m], how many each window
    has. A number has no words, a word no bins.
    """

    kind: str
    name: str
    missing: Integers
    below: Integers
    above: Integers
    rest: Integers
    total: npt.NDArray[np.float64]
    sizes: Integers
    counts: Integers
    bins: npt.NDArray[np.integer] | None = None
    words: pa.Array | None = None


def _counted(rows: pa.RecordBatch, names: BundleNames, reference: Reference) -> pa.RecordBatch:
    """Histograms of rows that share their names, without where they were read."""
    windows, inputs = _windows(rows), _inputs(rows, names)
    found = [_of_numbers(windows, *column) for column in _numbers(rows, names, reference, inputs)]
    found += [_of_words(windows, *column) for column in _words(rows, names, reference, inputs)]
    m = len(windows.rows)
    again = pa.array(np.tile(np.arange(m), len(found)))
    columns = {name: values.take(again) for name, values in windows.columns.items()}
    columns["n"] = pa.array(np.tile(windows.rows, len(found)).astype(np.uint64))
    for name in ("kind", "name"):
        words = pa.array([getattr(one, name) for one in found], pa.string()).dictionary_encode()
        columns[name] = words.take(pa.array(np.repeat(np.arange(len(found)), m)))
    for name in ("missing", "below", "above", "rest"):
        columns[name] = pa.array(np.concatenate([getattr(one, name) for one in found]).astype(np.uint64))
    columns["total"] = pa.array(np.concatenate([one.total for one in found]))
    columns["hist"] = _maps(found, [one.bins for one in found], pa.int16())
    columns["words"] = _maps(found, [one.words for one in found], pa.string())
    return pa.RecordBatch.from_pydict(columns)


def _maps(found: Sequence[_Histogram], keys: Sequence[Any], kind: pa.DataType) -> pa.MapArray:
    """A map a row, from key to rows; empty where there are no keys."""
    mine = [one for one, those in zip(found, keys, strict=True) if those is not None]
    sizes = [one.sizes if those is not None else 0 * one.sizes for one, those in zip(found, keys, strict=True)]
    bounds = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int32)
    counts = np.concatenate([np.empty(0, np.int64), *(one.counts for one in mine)])
    parts = [pa.array(those).cast(kind) for those in keys if those is not None]
    return pa.MapArray.from_arrays(
        pa.array(bounds), pa.concat_arrays([pa.array([], kind), *parts]), pa.array(counts.astype(np.uint64))
    )


def _windows(rows: pa.RecordBatch) -> _Windows:
    minutes = rows["event_time"].cast(pa.int64()).to_numpy(zero_copy_only=False) // MINUTE_MS
    key = minutes - minutes.min()
    segment = {name: pc.dictionary_encode(rows[name]) for name in SEGMENT}
    for words in segment.values():
        if len(words.dictionary) > 1:
            codes = words.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            key = np.unique(key, return_inverse=True)[1] * len(words.dictionary) + codes
    _, one, of, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    columns = {name: words.take(pa.array(one)) for name, words in segment.items()}
    return _Windows(of, counts, columns | {"window": pa.array(minutes[one] * 60).cast(SECONDS)})


def _numbers(
    rows: pa.RecordBatch, names: BundleNames, reference: Reference, inputs: Mapping[str, npt.NDArray[np.float32]]
) -> Iterator[tuple[str, str, Numeric, Grid]]:
    """Kind, name, values and grid of everything that is a number; NaN where there is none."""
    beside = _beside(rows, names)
    for name, values in inputs.items():
        if name in reference.features:
            exact = np.where(np.isnan(values), np.nan, beside[name]) if name in beside else values
            yield "feature", name, exact, reference.features[name].grid
    yield "score", "", rows["score"].to_numpy(zero_copy_only=False), reference.score.grid
    shares = unpack(rows["outputs"], np.dtype("<f4"), len(names.outputs))
    for at, name in enumerate(names.outputs):
        yield "class", name, shares[:, at], reference.classes.get(name, Numbers(UNIT)).grid
    ages = unpack(rows["feature_age_s"], np.dtype("<i4"), len(names.views)).astype(np.float64)
    ages[np.isin(_statuses(rows, names), UNREAD)] = np.nan
    for at, name in enumerate(names.views):
        yield "age", name, ages[:, at], AGES


def _words(
    rows: pa.RecordBatch, names: BundleNames, reference: Reference, inputs: Mapping[str, npt.NDArray[np.float32]]
) -> Iterator[tuple[str, str, Integers, pa.Array, Words]]:
    """Kind, name, codes, their words, and the reference of everything that is a word; a code of -1 is none."""
    written = dict(zip(names.texts, texts.columns(rows["texts"], len(names.texts)), strict=True)) if names.texts else {}
    for name, values in inputs.items():
        normal = reference.categories.get(name)
        if normal is not None and name in names.categories:
            codes = np.nan_to_num(values, nan=-1).astype(np.int64)
            yield "category", name, codes, pa.array(names.categories[name], pa.string()), normal
        elif normal is not None and name in written:
            yield "category", name, *_codes(written[name]), normal
    codes, decisions = _codes(rows["decision"])
    if decisions.to_pylist() != [""]:  # of a regression without bands
        yield "decision", "", codes, decisions, Words()
    statuses = _statuses(rows, names).astype(np.int64) - 1
    for at, name in enumerate(names.views):
        yield "status", name, statuses[:, at], STATUSES, Words()


def _inputs(rows: pa.RecordBatch, names: BundleNames) -> dict[str, npt.NDArray[np.float32]]:
    """Name -> float32[n], each input's values beside each other: they are gone through many times."""
    matrix = unpack(rows["features"], np.dtype("<f4"), len(names.inputs))
    return dict(zip(names.inputs, np.ascontiguousarray(matrix.T), strict=True))


def _beside(rows: pa.RecordBatch, names: BundleNames) -> dict[str, npt.NDArray[Any]]:
    """Inputs of more digits than float32 has, by name."""
    doubles = unpack(rows["doubles"], np.dtype("<f8"), len(names.doubles))
    longs = unpack(rows["longs"], np.dtype("<i8"), len(names.longs))
    columns = (*doubles.T, *longs.T)
    return dict(zip((*names.doubles, *names.longs), columns, strict=True))


def _statuses(rows: pa.RecordBatch, names: BundleNames) -> npt.NDArray[np.int8]:
    return unpack(rows["feature_status"], np.dtype("i1"), len(names.views))


def _codes(words: pa.Array) -> tuple[Integers, pa.Array]:
    """n texts as int64[n], -1 for null, and the different ones."""
    encoded = pc.dictionary_encode(words)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64), encoded.dictionary


def _of_numbers(windows: _Windows, kind: str, name: str, values: Numeric, grid: Grid) -> _Histogram:
    at, found, counts = _pairs(windows, bins(values, grid))
    m = len(windows.rows)
    lo, hi = -np.inf if grid.lo is None else grid.lo, np.inf if grid.hi is None else grid.hi
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.bincount(windows.of, np.where(np.isfinite(values), values, 0), m)
    return _Histogram(
        kind=kind,
        name=name,
        missing=_sums(at, np.where(found == MISSING, counts, 0), m),
        below=np.bincount(windows.of[values < lo], minlength=m),
        above=np.bincount(windows.of[values > hi], minlength=m),
        rest=np.zeros(m, np.int64),
        total=np.clip(total, -LARGEST, LARGEST),
        sizes=np.bincount(at, minlength=m),
        counts=counts,
        bins=found,
    )


def _of_words(windows: _Windows, kind: str, name: str, codes: Integers, words: pa.Array, normal: Words) -> _Histogram:
    """codes: int64[n], of `words`; what lies outside them is missing."""
    absent = (codes < 0) | (codes >= len(words))
    at, found, counts = _pairs(windows, np.where(absent, len(words), codes))
    m, present = len(windows.rows), found < len(words)
    by_name = np.append(_by_name(np.bincount(found, counts, len(words) + 1)[:-1], words, normal), False)[found]
    return _Histogram(
        kind=kind,
        name=name,
        missing=_sums(at, np.where(present, 0, counts), m),
        below=np.zeros(m, np.int64),
        above=np.zeros(m, np.int64),
        rest=_sums(at, np.where(present & ~by_name, counts, 0), m),
        total=np.zeros(m),
        sizes=np.bincount(at[by_name], minlength=m),
        counts=counts[by_name],
        words=words.take(pa.array(found[by_name])),
    )


def _by_name(counts: npt.NDArray[np.floating | np.integer], words: pa.Array, normal: Words) -> npt.NDArray[np.bool_]:
    """Which words are counted by name: those of the reference, and where that is whole the most frequent others.

    counts: of each word in the block.
    """
    known = pc.is_in(words, value_set=pa.array(list(normal.words), pa.string())).to_numpy(zero_copy_only=False)
    named: npt.NDArray[np.bool_] = known & (counts > 0)
    if normal.whole:
        short = pc.less_equal(pc.binary_length(words), LONGEST_WORD).to_numpy(zero_copy_only=False)
        new = np.flatnonzero(short & ~known & (counts > 0))
        named[new[np.argsort(-counts[new], kind="stable")][:NEW_WORDS]] = True
    return named


def _pairs(windows: _Windows, codes: npt.NDArray[np.integer]) -> tuple[Integers, Integers, Integers]:
    """Which codes there are in which window, in the order of windows and codes: window, code, rows."""
    least, most = int(codes.min()), int(codes.max())
    width = most - least + 1
    place = windows.of * width + (codes - least)
    size = len(windows.rows) * width
    if size <= 4 * len(codes) + 4096:  # counted in place; where most places would be empty, sorting is quicker
        counts = np.bincount(place, minlength=size)
        taken = np.flatnonzero(counts)
        counts = counts[taken]
    else:
        taken, counts = np.unique(place, return_counts=True)
    return taken // width, taken % width + least, counts


def _sums(at: Integers, counts: Integers, m: int) -> Integers:
    return np.bincount(at, counts, m).astype(np.int64)


def _constant(word: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array([word]))
