"""One packed record per feature view and entity: how it looks, and how columns become records and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from weir.core.errors import Refused
from weir.core.features import NUMBERS, ViewPlan

ID, EVENT = slice(0, 4), slice(4, 12)  # where the two header fields that stores look at stand in a record

Value = int | float | bool | bytes | None


@dataclass(frozen=True, slots=True)
class Records:
    """n records of one layout. event_us: int64[n]; raw: n records, bytes each."""

    layout: Layout
    event_us: npt.NDArray[np.int64]
    raw: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.raw)

    def take(self, which: Sequence[int] | npt.NDArray[np.integer]) -> Records:
        """Those at these positions, in this order."""
        return Records(self.layout, self.event_us[which], [self.raw[i] for i in which])


class Layout:
    """How records look that were written under one version of a view's features.

    Little-endian: id u4, event_us i8, null bitmap (bit i of the features), a field for each feature in order, tail.

    A number stands in its field as it is, a null float as NaN: NaN and null are the same thing, as in Feast's own push.
    Any other feature is bytes (a serialised protobuf) in the tail, and its field, u4, says where they end there.
    id: CRC-32 of the features' names and types. Whoever writes under a layout leaves its description in the store, so
    that a reader whose definitions are older or newer finds the features by their names.

    >>> layout = Layout(("a", "b"), ("float32", "float32"))
    >>> records = layout.pack_floats(np.array([[1, np.nan]], np.float32), np.array([5]))
    >>> header, found = layout.unpack([*records.raw, None])
    >>> layout.matrix(header, ("b", "a")).tolist()[0], found.tolist(), len(records.raw[0])
    ([nan, 1.0], [True, False], 21)
    """

    def __init__(self, features: tuple[str, ...], dtypes: tuple[str, ...]) -> None:
        self.features, self.dtypes = features, dtypes
        fields = [
            (f"f{i}", np.dtype(dtype).newbyteorder("<") if dtype in NUMBERS else "<u4")
            for i, dtype in enumerate(dtypes)
        ]
        header = [("id", "<u4"), ("event_us", "<i8"), ("nulls", "u1", (-(-len(features) // 8),))]
        self.dtype = np.dtype([*header, *fields])
        self.size = self.dtype.itemsize  # without the tail
        self.numbers = {
            name: i for i, (name, dtype) in enumerate(zip(features, dtypes, strict=True)) if dtype in NUMBERS
        }
        self.dtype_of = dict(zip(features, dtypes, strict=True))
        self._others = [i for i, name in enumerate(features) if name not in self.numbers]
        self._floats_only = set(dtypes) == {"float32"}
        self._as_floats = np.dtype([*header, ("values", "<f4", (len(fields),))])
        self._empty = bytes(self.size)
        self.description = json.dumps([features, dtypes]).encode()
        self.id = zlib.crc32(self.description)

    def pack_floats(self, values: npt.NDArray[np.float32], event_us: npt.NDArray[np.int64]) -> Records:
        """Records of n entities from float32[n, k], NaN = null, and int64[n]; the features are numbers."""
        if not self._floats_only:
            return self.pack({name: values[:, i] for i, name in enumerate(self.features)}, event_us)
        fixed = self._header(event_us, np.isnan(values)).view(self._as_floats)
        fixed["values"] = values
        return self._records(fixed, event_us, [])

    def pack(
        self,
        columns: Mapping[str, npt.NDArray[np.generic] | Sequence[bytes]],
        event_us: npt.NDArray[np.int64],
        nulls: npt.NDArray[np.bool_] | None = None,
    ) -> Records:
        """Records of n entities from a column per feature: an array of numbers, or n bytes of what is no number.

        nulls: bool[n, k], beside every NaN.
        """
        n = len(event_us)
        nulls = np.zeros((n, len(self.features)), bool) if nulls is None else nulls.copy()
        numbers = {i: np.asarray(columns[name]) for name, i in self.numbers.items()}
        for i, column in numbers.items():
            if column.dtype.kind == "f":
                nulls[:, i] |= np.isnan(column)
        fixed = self._header(event_us, nulls)
        for i, column in numbers.items():
            fixed[f"f{i}"] = np.where(nulls[:, i], np.nan if self.dtypes[i].startswith("float") else 0, column)
        tails: list[list[bytes]] = []
        end = np.zeros(n, np.int64)
        for i in self._others:
            tails.append([bytes(value) for value in columns[self.features[i]]])
            end += [len(value) for value in tails[-1]]
            fixed[f"f{i}"] = end
        return self._records(fixed, event_us, tails)

    def unpack(self, raw: Sequence[bytes | None]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.bool_]]:
        """Fixed parts of n stored values, and which are of this layout; the others are all zero.

        A value of another layout may have another length, so lengths are looked at before the bytes are joined.
        """
        size, empty = self.size, self._empty
        if self._others:
            fit = [value[:size] if value is not None and len(value) >= size else empty for value in raw]
        else:
            fit = [value if value is not None and len(value) == size else empty for value in raw]
        fixed = np.frombuffer(b"".join(fit), self.dtype)
        return fixed, fixed["id"] == self.id

    def matrix(
        self, fixed: npt.NDArray[np.void], features: tuple[str, ...], dtype: npt.DTypeLike = np.float32
    ) -> npt.NDArray[np.floating]:
        """These features of n fixed parts as float[n, k], NaN where null or not a number of this layout.

        dtype: float32, or float64, which has integers up to 2**53; floats alone are float32 in any case.
        """
        if self._floats_only:
            values: npt.NDArray[np.float32] = fixed.view(self._as_floats)["values"]
            if features == self.features:
                return values
            if all(name in self.numbers for name in features):
                return values[:, [self.numbers[name] for name in features]]
        nulls = self._nulls(fixed)
        out = np.full((len(fixed), len(features)), np.nan, dtype)
        for at, name in enumerate(features):
            if (i := self.numbers.get(name)) is not None:
                out[:, at] = fixed[f"f{i}"]
                out[nulls[:, i], at] = np.nan
        return out

    def tails(self, raw: Sequence[bytes], fixed: npt.NDArray[np.void], feature: str) -> list[bytes | None]:
        """What n records of this layout hold of a feature that is no number, serialised; None where null.

        fixed: as `unpack` gave it. One slice a record: callers keep what they make of it.
        """
        i = self.features.index(feature)
        at = self._others.index(i)
        begins = fixed[f"f{self._others[at - 1]}"].tolist() if at else [0] * len(fixed)
        ends, nulls, size = fixed[f"f{i}"].tolist(), self._nulls(fixed)[:, i].tolist(), self.size
        return [
            None if null else record[size + begin : size + end]
            for record, begin, end, null in zip(raw, begins, ends, nulls, strict=True)
        ]

    def values(self, record: bytes) -> dict[str, tuple[str, Value]] | None:
        """What one record holds: feature -> (dtype, value); None for null, bytes for what is no number.

        None as a whole: it is no record of this layout.
        """
        fixed, found = self.unpack([record])
        if not found[0]:
            return None
        nulls = self._nulls(fixed)[0]
        out: dict[str, tuple[str, Value]] = {}
        begin = self.size
        for i, (name, dtype) in enumerate(zip(self.features, self.dtypes, strict=True)):
            field = fixed[f"f{i}"][0].item()
            value: Value = field
            if dtype not in NUMBERS:
                value, begin = record[begin : self.size + field], self.size + field
            out[name] = dtype, None if nulls[i] else value
        return out

    def _nulls(self, fixed: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
        bits = np.unpackbits(fixed["nulls"], axis=1, bitorder="little", count=len(self.features))
        return bits.astype(bool)

    def _header(self, event_us: npt.NDArray[np.int64], nulls: npt.NDArray[np.bool_]) -> npt.NDArray[np.void]:
        fixed = np.zeros(len(event_us), self.dtype)
        fixed["id"], fixed["event_us"] = self.id, event_us
        if nulls.any():
            fixed["nulls"] = np.packbits(nulls, axis=1, bitorder="little")
        return fixed

    def _records(
        self, fixed: npt.NDArray[np.void], event_us: npt.NDArray[np.int64], tails: list[list[bytes]]
    ) -> Records:
        together, size = fixed.tobytes(), self.size
        raw = [together[at : at + size] for at in range(0, len(together), size)]
        if tails:
            raw = [b"".join((part, *tail)) for part, tail in zip(raw, zip(*tails, strict=True), strict=True)]
        return Records(self, event_us, raw)


@lru_cache(maxsize=1024)  # views are counted by the dozen; a changed definition is another key
def layout_of(view: ViewPlan) -> Layout:
    """The layout under which a whole view is written. Raises Refused: it has no features."""
    if not view.features:
        raise Refused(
            f"feature view {view.name} cannot be stored: it has no features",
            remedy="give it a schema with one feature at least",
        )
    return Layout(view.features, view.dtypes)


@lru_cache(maxsize=1024)
def described(description: bytes) -> Layout:
    """The layout that a store's description stands for. Raises ValueError or TypeError when it is none."""
    features, dtypes = json.loads(description)
    return Layout(tuple(features), tuple(dtypes))
