"""Numbers for entity keys, so that statistics are arrays indexed by entity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

NONE = -1  # the number of a key with a null part; arrays keep their last element for it


class Keys:
    """Entities, numbered batch by batch as they are first seen; an entity is a tuple of one or more strings.

    >>> keys = Keys()
    >>> keys.encode(pa.array(["ann", "bob", None, "ann"]), pa.array(["web", "app", "app", "web"])).tolist()
    [0, 1, -1, 0]
    >>> keys.entities
    [('ann', 'web'), ('bob', 'app')]
    """

    def __init__(self) -> None:
        self.entities: list[tuple[str, ...]] = []
        self._ids: dict[tuple[str, ...], int] = {}

    def __len__(self) -> int:
        return len(self.entities)

    def encode(self, *parts: pa.Array) -> npt.NDArray[np.int64]:
        """Numbers of n entities, int64[n], new ones added; `NONE` where a part is null.

        parts: one string array[n] for each part of the key. Python runs once per distinct entity, not per row.
        """
        encoded = [part.dictionary_encode() for part in parts]
        sizes = [len(part.dictionary) for part in encoded]
        code = np.zeros(len(parts[0]), np.int64)
        absent = np.zeros(len(parts[0]), bool)
        for part, size in zip(encoded, sizes, strict=True):
            index = part.indices
            if index.null_count:
                absent |= index.is_null().to_numpy(zero_copy_only=False)
                index = index.fill_null(0)
            code = code * max(size, 1) + index.to_numpy()
        if absent.all():
            return np.full(len(code), NONE)
        distinct, where = np.unique(code[~absent] if absent.any() else code, return_inverse=True)
        columns: list[list[str]] = []
        for part, size in zip(reversed(encoded), reversed(sizes), strict=True):
            columns.append(part.dictionary.take(pa.array(distinct % size)).to_pylist())
            distinct = distinct // size
        numbers = np.fromiter(map(self._number, zip(*reversed(columns), strict=True)), np.int64)
        if not absent.any():
            return numbers[where]
        out = np.full(len(code), NONE)
        out[~absent] = numbers[where]
        return out

    def _number(self, entity: tuple[str, ...]) -> int:
        number = self._ids.setdefault(entity, len(self.entities))
        if number == len(self.entities):
            self.entities.append(entity)
        return number
