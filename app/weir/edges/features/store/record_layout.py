"""One packed record per feature view and entity: how it looks, and how columns become records and back."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from weir.core.errors import Refused
from weir.core.features import ViewPlan

Records = npt.NDArray[np.void]

CRC, EVENT = slice(0, 4), slice(4, 12)  # where the two header fields that stores compare stand in a record
DTYPES = ("float32", "float64", "int32", "int64", "bool")


class Layout:
    """Little-endian record of one view: crc u4, event_us i8, null bitmap (bit i of the features), values in order.

    crc: CRC-32 of the features' names and types; a record that was written under another definition of the view has
    another crc and reads as not found rather than as garbage. A null float is also stored as NaN, so that a view of
    float32 features is read without looking at the bitmap; NaN and null are the same thing, as in Feast's own push.

    >>> layout = Layout(ViewPlan("v", ("k",), ("a", "b"), ("float32", "float32"), 60.0))
    >>> records = layout.pack_floats(np.array([[1, np.nan]], np.float32), np.array([5]))
    >>> layout.matrix(records).tolist(), layout.nulls(records).tolist(), len(records.tobytes())
    ([[1.0, nan]], [[False, True]], 21)
    """

    def __init__(self, view: ViewPlan) -> None:
        unknown = [
            f"{name} ({dtype})" for name, dtype in zip(view.features, view.dtypes, strict=True) if dtype not in DTYPES
        ]
        if unknown or not view.features:
            raise Refused(
                f"feature view {view.name} cannot be stored: {', '.join(unknown) or 'it has no features'}",
                remedy="use Float32, Float64, Int32, Int64 or Bool features",
            )
        self.view = view
        self.bitmap_bytes = -(-len(view.features) // 8)
        fields = [(f"f{i}", np.dtype(dtype).newbyteorder("<")) for i, dtype in enumerate(view.dtypes)]
        header = [("crc", "<u4"), ("event_us", "<i8"), ("nulls", "u1", (self.bitmap_bytes,))]
        self.dtype = np.dtype([*header, *fields])
        self.floats_only = set(view.dtypes) == {"float32"}
        self._as_floats = np.dtype([*header, ("values", "<f4", (len(fields),))])
        self.crc = zlib.crc32(repr([*zip(view.features, view.dtypes, strict=True)]).encode())
        self.size = self.dtype.itemsize
        self.empty = bytes(self.size)

    def pack_floats(self, values: npt.NDArray[np.float32], event_us: npt.NDArray[np.int64]) -> Records:
        """Records of n entities from float32[n, k], NaN = null, and int64[n]. For views of float32 features only."""
        if not self.floats_only:
            return self.pack({name: values[:, i] for i, name in enumerate(self.view.features)}, event_us)
        records = self._header(len(values), event_us, np.isnan(values)).view(self._as_floats)
        records["values"] = values
        return records.view(self.dtype)

    def pack(
        self,
        columns: Mapping[str, npt.NDArray[np.generic]],
        event_us: npt.NDArray[np.int64],
        nulls: npt.NDArray[np.bool_] | None = None,
    ) -> Records:
        """Records of n entities from a column per feature; nulls: bool[n, k], beside every NaN."""
        k = len(self.view.features)
        nulls = np.zeros((len(event_us), k), bool) if nulls is None else nulls.copy()
        for i, name in enumerate(self.view.features):
            if columns[name].dtype.kind == "f":
                nulls[:, i] |= np.isnan(columns[name])
        records = self._header(len(event_us), event_us, nulls)
        for i, name in enumerate(self.view.features):
            is_float = self.view.dtypes[i].startswith("float")
            records[f"f{i}"] = np.where(nulls[:, i], np.nan if is_float else 0, columns[name])
        return records

    def _header(self, n: int, event_us: npt.NDArray[np.int64], nulls: npt.NDArray[np.bool_]) -> Records:
        records = np.zeros(n, self.dtype)
        records["crc"], records["event_us"] = self.crc, event_us
        if nulls.any():
            records["nulls"] = np.packbits(nulls, axis=1, bitorder="little")
        return records

    def unpack(self, raw: Sequence[bytes | None]) -> tuple[Records, npt.NDArray[np.bool_]]:
        """Records from n stored values, and which were found: present, and written under this layout.

        A value of another layout may have another length, so lengths are looked at before the bytes are joined.
        """
        size, empty = self.size, self.empty
        fit = [value if value is not None and len(value) == size else empty for value in raw]
        records = np.frombuffer(b"".join(fit), self.dtype)
        found = records["crc"] == self.crc
        return records, found

    def nulls(self, records: Records) -> npt.NDArray[np.bool_]:
        """Null bits of n records, bool[n, k]."""
        bits = np.unpackbits(records["nulls"], axis=1, bitorder="little", count=len(self.view.features))
        return bits.astype(bool)

    def matrix(self, records: Records) -> npt.NDArray[np.float32]:
        """Values of n records as float32[n, k], NaN where null. Integers are exact up to 2**24."""
        if self.floats_only:
            values: npt.NDArray[np.float32] = records.view(self._as_floats)["values"]
            return values
        out = np.empty((len(records), len(self.view.features)), np.float32)
        for i in range(out.shape[1]):
            out[:, i] = records[f"f{i}"]
        out[self.nulls(records)] = np.nan
        return out


@lru_cache(maxsize=1024)  # views are counted by the dozen; a changed definition is another key
def layout_of(view: ViewPlan) -> Layout:
    """The layout of a view. Raises Refused for a type that has no fixed width."""
    return Layout(view)


def encode_key(parts: Sequence[str | int]) -> bytes:
    """The stored key of one entity: its join key values in the order of `ViewPlan.join_keys`.

    A type letter before each value keeps 1 and "1" apart; with several values each is preceded by its length, so that
    ("a", "bc") and ("ab", "c") differ.

    >>> encode_key(("EWR",)), encode_key((7,)), encode_key(("UA", "EWR"))
    (b'sEWR', b'i7', b'3 sUA4 sEWR')
    """
    encoded = [b"s" + part.encode() if isinstance(part, str) else b"i%d" % part for part in parts]
    if len(encoded) == 1:
        return encoded[0]
    return b"".join(b"%d %s" % (len(part), part) for part in encoded)


def decode_key(view: ViewPlan, key: bytes) -> tuple[str | int, ...] | None:
    """The inverse of `encode_key`; None for a key that was too long to be kept (see `stored_key`).

    >>> decode_key(ViewPlan("v", ("a", "b"), ("x",), ("bool",), 0.0), b"3 sUA2 i7")
    ('UA', 7)
    """
    if key[:1] == b"#":
        return None
    parts, rest = [], key
    if len(view.join_keys) == 1:
        parts = [key]
    else:
        while rest:
            length, _, rest = rest.partition(b" ")
            parts.append(rest[: int(length)])
            rest = rest[int(length) :]
    return tuple(part[1:].decode() if part[:1] == b"s" else int(part[1:]) for part in parts)
