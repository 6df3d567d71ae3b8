"""Packed columns as maps, by what the bundle of each row says that its values are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from weir.core.arrow import unpack
from weir.core.bundle_names import BundleNames
from weir.core.errors import Unavailable
from weir.core.texts import are_texts
from weir.recording import packed

NUMBERS: Mapping[str, np.dtype[np.generic]] = {  # packed columns of predictions but texts
    "features": np.dtype("<f4"),
    "feature_age_s": np.dtype("<i4"),
    "feature_status": np.dtype("i1"),
    "outputs": np.dtype("<f4"),
    "doubles": np.dtype("<f8"),
    "longs": np.dtype("<i8"),
}
PACKED = ("features", "feature_age_s", "feature_status", "outputs", "texts", "doubles", "longs")


class Names(Protocol):
    """What the packed columns of predictions mean. Several threads may call."""

    def of(self, digests: Sequence[str]) -> Mapping[str, BundleNames]:
        """Those bundles that are known."""
        ...

    def lack(self, rows: Mapping[str, int]) -> None:
        """Rows that are recorded without names, by digest."""
        ...


@dataclass(frozen=True, slots=True)
class AsAnnounced(Names):
    """Implements Names: what was known when a block was announced, so that whoever repeats it makes the same rows."""

    names: Names
    unnamed: Collection[str]

    @override
    def of(self, digests: Sequence[str]) -> Mapping[str, BundleNames]:
        """Those that were known. Raises Unavailable when one of them is not to be had."""
        wanted = [digest for digest in digests if digest not in self.unnamed]
        known = self.names.of(wanted) if wanted else {}
        if lost := [digest for digest in wanted if digest not in known]:
            raise Unavailable(
                f"what the values of bundle {lost[0]} are called was known when its block was announced and is not",
                remedy="see whether the topic of bundles can be read; recording goes on from this block",
            )
        return known

    @override
    def lack(self, rows: Mapping[str, int]) -> None:
        self.names.lack(rows)


def unnamed(rows: pa.RecordBatch, names: Names) -> tuple[str, ...]:
    """Digests of n rows that have no names, sorted."""
    digests = pc.unique(rows["digest"]).to_pylist()
    return tuple(sorted(set(digests) - names.of(digests).keys()))


@dataclass(frozen=True, slots=True)
class Groups:
    """n rows by what their values are called.

    known: (rows, names) of each bundle. lacking: bool[n], rows that need names and have none. counts: such, by digest.
    """

    known: Sequence[tuple[npt.NDArray[np.intp], BundleNames]]
    lacking: npt.NDArray[np.bool_]
    counts: Mapping[str, int]


def groups(rows: pa.RecordBatch, of: Sequence[str], names: Names) -> Groups:
    """The rows of each bundle whose bytes are as many as its names ask for. of: those of PACKED that the rows have."""
    digest = pc.dictionary_encode(rows["digest"])
    codes = digest.indices.to_numpy(zero_copy_only=False)
    words = digest.dictionary.to_pylist()
    left = np.any([pc.binary_length(rows[name]).to_numpy(zero_copy_only=False) for name in of], axis=0)
    known = names.of(words) if left.any() else {}
    found: list[tuple[npt.NDArray[np.intp], BundleNames]] = []
    for code in (code for code, word in enumerate(words) if word in known):
        fitting = left & (codes == code) & _fits(rows, of, known[words[code]])
        left &= ~fitting
        found.append((np.flatnonzero(fitting), known[words[code]]))
    counts = np.bincount(codes[left], minlength=len(words)).tolist()
    return Groups(found, left, {word: count for word, count in zip(words, counts, strict=True) if count})


def named(rows: pa.RecordBatch, of: Sequence[str], names: Names) -> dict[str, pa.Array]:
    """Packed columns as maps by the names of each row's bundle; `packed` has the bytes of those rows that have none.

    A row without any bytes needs no names. of: those of PACKED that the rows have.
    """
    found = groups(rows, of, names)
    if found.counts:
        names.lack(found.counts)
    parts: list[tuple[npt.NDArray[np.intp], BundleNames | None]] = [*found.known]
    if sum(len(members) for members, _ in found.known) < len(rows) or not parts:
        named = np.zeros(len(rows), np.bool_)
        named[np.concatenate([members for members, _ in found.known] or [np.empty(0, np.intp)])] = True
        parts.append((np.flatnonzero(~named), None))
    made = {name: _map(rows[name], name, parts) for name in of}
    return made | {"packed": packed.lists([rows[name] for name in of], found.lacking)}


def _map(values: pa.Array, name: str, groups: Sequence[tuple[npt.NDArray[np.intp], BundleNames | None]]) -> pa.MapArray:
    """One packed column as a map. groups: rows that share their names, None for those without; each row in one."""
    parts = [(rows, _called(names, name), _taken(values, rows)) for rows, names in groups]
    if name not in NUMBERS:
        return packed.texts(parts)
    return packed.maps(
        [
            (rows, called, unpack(mine, NUMBERS[name], len(called)) if called else _nothing(rows, NUMBERS[name]))
            for rows, called, mine in parts
        ],
        len(values),
    )


def _taken(values: pa.Array, rows: npt.NDArray[np.intp]) -> pa.Array:
    return values if len(rows) == len(values) else values.take(pa.array(rows))


def _nothing(rows: npt.NDArray[np.intp], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    return np.empty((len(rows), 0), dtype)


def _called(names: BundleNames | None, column: str) -> Sequence[str]:
    """What the values of a packed column are called; nothing without names."""
    if names is None:
        return ()
    return {
        "features": names.inputs,
        "feature_age_s": names.views,
        "feature_status": names.views,
        "outputs": names.outputs,
        "texts": names.texts,
        "doubles": names.doubles,
        "longs": names.longs,
    }[column]


def _fits(rows: pa.RecordBatch, of: Sequence[str], names: BundleNames) -> npt.NDArray[np.bool_]:
    """Which of n rows have packed values of as many bytes as the names ask for."""
    fits = np.ones(len(rows), np.bool_)
    for name in of:
        called = _called(names, name)
        if name in NUMBERS:
            sizes = pc.binary_length(rows[name]).to_numpy(zero_copy_only=False)
            fits &= sizes == len(called) * NUMBERS[name].itemsize
        else:
            fits &= are_texts(rows[name], len(called))
    return fits
