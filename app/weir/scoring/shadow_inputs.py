"""What one bundle's model takes, read from the answers of others, which have their own inputs and their own codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import unpack
from weir.core.beside import Table
from weir.core.bundle_names import BundleNames
from weir.core.signature import Dtype, Held, Input, Policy, Signature, Source
from weir.core.texts import are_texts, columns
from weir.scoring.unscored import Unscored

FEATURE, DOUBLE, LONG = np.dtype("<f4"), np.dtype("<f8"), np.dtype("<i8")

Numbers = npt.NDArray[np.number[Any]]
NamesOf = Callable[[Sequence[str]], Mapping[str, BundleNames]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model takes for n answers.

    matrix: float32[n, k], by the names of its inputs; of what float32 does not hold its position in `tables`.
    tables: one for each column of the signature's `beside`. usable: bool[n], answers that have all of it.
    unscored: the others, by reason. lacking: digests of those that lack names or inputs altogether.
    """

    matrix: npt.NDArray[np.float32]
    tables: tuple[Table, ...]
    usable: npt.NDArray[np.bool_]
    unscored: Counter[Unscored]
    lacking: frozenset[str]


def read(signature: Signature, rows: pa.RecordBatch, names_of: NamesOf) -> Inputs:
    """The inputs of one bundle in n rows of contract predictions.

    names_of: digests -> what the values of their answers are called, those that are known. Raises what it raises.
    """
    reading, usable = _Reading(signature, len(rows)), np.zeros(len(rows), np.bool_)
    unscored: Counter[Unscored] = Counter()
    lacking: set[str] = set()
    encoded = pc.dictionary_encode(rows["digest"])
    codes, digests = encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()
    known = names_of(digests) if digests else {}
    for code, digest in enumerate(digests):
        mine, names = codes == code, known.get(digest)
        fits, why = _fitting(signature, rows, mine, names)
        if left := int(np.count_nonzero(mine & ~fits)):
            unscored[why] += left
            lacking.add(digest)
        if names is not None and fits.any():
            usable |= fits
            reading.put(rows, fits, names)
    unknown = reading.unknown() & usable
    unscored[Unscored.INPUTS_MISSING] += int(np.count_nonzero(unknown))
    return Inputs(reading.matrix, reading.tables(), usable & ~unknown, unscored, frozenset(lacking))


class _Reading:
    """The inputs of one bundle for n answers, as they are read from those of one bundle after the other.

    matrix: float32[n, k]; columns of the signature's `beside` have their positions once `tables` was asked.
    """

    def __init__(self, signature: Signature, n: int) -> None:
        self._signature = signature
        self.matrix = np.empty((n, len(signature.inputs)), np.float32)
        self._words = {column: np.full(n, None, object) for column in signature.strings}
        self._exact: dict[int, Numbers] = {
            **{column: np.full(n, np.nan) for column in signature.doubles},
            **{column: np.zeros(n, np.int64) for column in signature.longs},
        }

    def put(self, rows: pa.RecordBatch, fits: npt.NDArray[np.bool_], names: BundleNames) -> None:
        """Read the rows that fit, bool[n], all of them of one bundle.

        A word, of the caller or of a feature, gets the code that this bundle gives it, whatever code it has there.
        """
        inputs, chosen = self._signature.names, pa.array(fits)
        values = unpack(rows["features"].filter(chosen), FEATURE, len(names.inputs))
        self.matrix[fits] = values[:, [names.inputs.index(name) for name in inputs]]
        for name, item in _featured(self._signature).items():
            there = _said(values[:, names.inputs.index(name)], names.categories[name])
            self.matrix[fits, inputs.index(name)] = _codes(there, item)
        if self._exact:
            self._put_exact(rows, fits, names)
        if _worded(self._signature, names):
            self._put_texts(columns(rows["texts"].filter(chosen), len(names.texts)), fits, names)

    def _put_exact(self, rows: pa.RecordBatch, fits: npt.NDArray[np.bool_], names: BundleNames) -> None:
        found: dict[str, Numbers] = {}
        for column, dtype, called in (("longs", LONG, names.longs), ("doubles", DOUBLE, names.doubles)):
            values = unpack(rows[column].filter(pa.array(fits)), dtype, len(called))
            found |= dict(zip(called, values.T, strict=True))
        for at, numbers in self._exact.items():
            numbers[fits] = found[self._signature.names[at]]

    def _put_texts(self, texts: Sequence[pa.Array], fits: npt.NDArray[np.bool_], names: BundleNames) -> None:
        said = dict(zip(names.texts, texts, strict=True))
        for column, words in self._words.items():
            words[fits] = said[self._signature.names[column]].to_numpy(zero_copy_only=False)
        for item in _worded(self._signature, names):
            if item.dtype is Dtype.CATEGORY:
                self.matrix[fits, self._signature.names.index(item.name)] = _codes(said[item.name], item)

    def unknown(self) -> npt.NDArray[np.bool_]:
        """bool[n], rows with a word or a number that this bundle does not hold."""
        return _unknown(self.matrix, self._signature) | _too_long(self._exact, self._signature)

    def tables(self) -> tuple[Table, ...]:
        """What the matrix has positions of, which are put there."""
        found: dict[int, Table] = {}
        for column, numbers in self._exact.items():
            self.matrix[:, column] = np.where(np.isnan(numbers), np.nan, np.arange(len(numbers)))
            found[column] = numbers
        for column, words in self._words.items():
            found[column] = _coded(self.matrix, column, words)
        return tuple(found[column] for column in self._signature.beside)


def _fitting(
    signature: Signature, rows: pa.RecordBatch, mine: npt.NDArray[np.bool_], names: BundleNames | None
) -> tuple[npt.NDArray[np.bool_], Unscored]:
    """Which of the rows of one bundle, bool[n], have what another one takes, and why its others have not.

    signature: of that other one. names: of the bundle's values, where they are known.
    """
    none = np.zeros(len(rows), np.bool_)
    if names is None:
        return none, Unscored.NO_NAMES
    strings, doubles, longs = (
        {signature.names[column] for column in columns}
        for columns in (signature.strings, signature.doubles, signature.longs)
    )
    whole = strings <= set(names.texts) and doubles <= {*names.doubles, *names.longs} and longs <= set(names.longs)
    if not (whole and set(signature.names) <= set(names.inputs)):
        return none, Unscored.INPUTS_MISSING
    if not _featured(signature).keys() <= names.categories.keys():
        return none, Unscored.INPUTS_MISSING
    fits = mine & _has(rows["features"], FEATURE, len(names.inputs))
    if doubles or longs:
        fits &= _has(rows["doubles"], DOUBLE, len(names.doubles)) & _has(rows["longs"], LONG, len(names.longs))
    if _worded(signature, names):
        fits &= are_texts(rows["texts"], len(names.texts))
    return fits, Unscored.NO_NAMES


def _featured(signature: Signature) -> dict[str, Input]:
    """The features that are words, by the names of their inputs."""
    return {item.name: item for item in signature.of(Source.FEATURE) if item.dtype is Dtype.CATEGORY}


def _worded(signature: Signature, names: BundleNames) -> list[Input]:
    """The inputs that are read from another bundle's texts."""
    return [item for item in signature.texts if item.name in names.texts]


def _said(codes: npt.NDArray[np.float32], words: Sequence[str]) -> pa.Array:
    """The words of n codes; null for what is the code of none."""
    none = ~((codes >= 0) & (codes < len(words)))
    index = pa.array(np.where(none, 0, codes).astype(np.int32), mask=none)
    return pa.DictionaryArray.from_arrays(index, pa.array(words, pa.string())).cast(pa.string())


def _codes(said: pa.Array, item: Input) -> npt.NDArray[np.float32]:
    """float32[n], the codes of n words; for a word that has none, and for null, what `on_missing` says, else NaN."""
    found = pc.index_in(said, value_set=pa.array(item.categories, pa.string())).cast(pa.float32())
    filler = item.default if item.on_missing is Policy.DEFAULT and item.default is not None else np.nan
    codes: npt.NDArray[np.float32] = found.fill_null(filler).to_numpy(zero_copy_only=False)
    return codes


def _unknown(matrix: npt.NDArray[np.float32], signature: Signature) -> npt.NDArray[np.bool_]:
    """bool[n], rows without a code where this bundle rejects such."""
    strict = [
        column
        for column, item in enumerate(signature.inputs)
        if item.dtype is Dtype.CATEGORY and item.on_missing is Policy.REJECT
    ]
    unknown: npt.NDArray[np.bool_] = np.any(np.isnan(matrix[:, strict]), axis=1)
    return unknown


def _too_long(exact: Mapping[int, Numbers], signature: Signature) -> npt.NDArray[np.bool_]:
    """bool[n], rows with a whole number that this bundle's int32 does not hold, in a column that stands beside."""
    short = [exact[column] for column in signature.longs if signature.inputs[column].held is Held.INT32]
    found: npt.NDArray[np.bool_] = np.any([numbers != numbers.astype(np.int32) for numbers in short], axis=0)
    return found


def _coded(matrix: npt.NDArray[np.float32], column: int, words: npt.NDArray[np.object_]) -> Sequence[str]:
    """The different words, whose positions are put into a column of the matrix."""
    encoded = pa.array(words, pa.string()).dictionary_encode()
    matrix[:, column] = encoded.indices.cast(pa.float32()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    different: list[str] = encoded.dictionary.to_pylist()
    return different


def _has(packed: pa.Array, dtype: np.dtype[np.generic], width: int) -> npt.NDArray[np.bool_]:
    """Which of n binary values are `width` numbers."""
    sizes: npt.NDArray[np.bool_] = pc.binary_length(packed).to_numpy(zero_copy_only=False) == width * dtype.itemsize
    return sizes
