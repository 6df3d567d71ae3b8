"""Answered requests scored by another bundle, on the very features that the answer was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import unpack
from weir.core.batch import MicroBatch
from weir.core.beside import Table
from weir.core.bundle_names import BundleNames
from weir.core.decide import decide, words
from weir.core.decoded import Decoded
from weir.core.signature import Dtype, Held, Input, Policy, Signature, Source
from weir.core.texts import are_texts, columns
from weir.scoring import isolate
from weir.scoring.records import Columns, packed
from weir.scoring.variant import Variant

FEATURE, DOUBLE, LONG = np.dtype("<f4"), np.dtype("<f8"), np.dtype("<i8")
SAME = ("prediction_id", "event_time", "source_log", "source_topic", "source_partition", "source_offset")


class Unscored(StrEnum):
    """Why a shadow says nothing of an answer."""

    UNDECODABLE = "undecodable"  # the record is no prediction
    NO_NAMES = "no_names"  # nobody has said what the answer's features are called, or they do not fit what was said
    INPUTS_MISSING = "inputs_missing"  # made without an input of this bundle, or of what that one does not hold
    MODEL_FAILED = "model_failed"  # this bundle's model gives no number


@dataclass(frozen=True, slots=True)
class ShadowBatch:
    """What is to be written of a batch of predictions.

    written: one a chunk, framed; all of it goes to the chunk's partition number. scored: rows. unscored: rows of the
    service without a score, by reason. lacking: digests of answers whose rows are unscored for want of names or inputs.
    """

    written: tuple[pa.BinaryArray, ...]
    scored: int
    unscored: Mapping[Unscored, int]
    lacking: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shadow:
    """Scores what the scorers of one service have answered.

    decode: n record values -> Decoded, under the contract of predictions. names: digests -> what the features of their
    answers are called, those that are known. encode: columns under the contract of shadows -> framed values.
    max_failed: rows of a batch on which the model may raise, see isolate.outputs_of.
    """

    variant: Variant
    decode: Callable[[pa.LargeBinaryArray], Decoded]
    names: Callable[[Sequence[str]], Mapping[str, BundleNames]]
    encode: Callable[[pa.RecordBatch, dict[str, object]], pa.BinaryArray]
    max_failed: int

    def score(self, batch: MicroBatch, *, wall_ms: int) -> ShadowBatch:
        """Scores of a batch's predictions, those of other services left out.

        wall_ms: time of scoring, as recorded. Raises what `names` and the model raise.
        """
        decoded = self.decode(batch.values)
        unscored = Counter({Unscored.UNDECODABLE: len(decoded.rejects)})
        mine = pc.equal(decoded.rows["service"], self.variant.bundle.service)
        rows, origin = decoded.rows.filter(mine), decoded.origin[mine.to_numpy(zero_copy_only=False)]
        matrix, tables, usable, lacking = self._assemble(rows, unscored)
        rows, origin, matrix = rows.filter(pa.array(usable)), origin[usable], matrix[usable]
        run, known_good = self.variant.bound(tables)
        outputs = isolate.outputs_of(run, matrix, known_good=known_good, max_failed=self.max_failed).outputs
        finite = np.all(np.isfinite(outputs), axis=1)
        unscored[Unscored.MODEL_FAILED] += len(outputs) - int(np.count_nonzero(finite))
        rows, origin, outputs = rows.filter(pa.array(finite)), origin[finite], outputs[finite]
        framed = self.encode(*self._columns(rows, outputs, wall_ms)) if len(rows) else pa.array([], pa.binary())
        at = np.searchsorted(origin, batch.bounds)
        written = tuple(framed[at[i] : at[i + 1]] for i in range(len(batch.chunks)))
        return ShadowBatch(written, len(rows), +unscored, frozenset(lacking))

    def _assemble(
        self, rows: pa.RecordBatch, unscored: Counter[Unscored]
    ) -> tuple[npt.NDArray[np.float32], tuple[Table, ...], npt.NDArray[np.bool_], set[str]]:
        """float32[n, k] by the names of this bundle's inputs, its tables, and which rows have them.

        The others are counted. A word, of the caller or of a feature, has the code that this bundle gives it, whatever
        code it has in the answer's.
        """
        signature = self.variant.bundle.signature
        inputs, strings = signature.names, signature.strings
        coded = {item.name: item for item in signature.texts if item.dtype is Dtype.CATEGORY}
        featured = _featured(signature)
        words_of = {column: np.full(len(rows), None, object) for column in strings}
        exact = {column: np.full(len(rows), np.nan) for column in signature.doubles}
        exact |= {column: np.zeros(len(rows), np.int64) for column in signature.longs}
        matrix, usable = np.empty((len(rows), len(inputs)), np.float32), np.zeros(len(rows), np.bool_)
        digest = pc.dictionary_encode(rows["digest"])
        codes, words = digest.indices.to_numpy(zero_copy_only=False), digest.dictionary.to_pylist()
        known, lacking = self.names(words) if words else {}, set()
        for code, word in enumerate(words):
            mine, names = codes == code, known.get(word)
            fits, why = self._fitting(rows, mine, names)
            if left := int(np.count_nonzero(mine & ~fits)):
                unscored[why] += left
                lacking.add(word)
            if names is None or not fits.any():
                continue
            usable |= fits
            values = unpack(rows["features"].filter(pa.array(fits)), FEATURE, len(names.inputs))
            matrix[fits] = values[:, [names.inputs.index(name) for name in inputs]]
            for name, item in featured.items():
                there = _said(values[:, names.inputs.index(name)], names.categories[name])
                matrix[fits, inputs.index(name)] = _codes(there, item)
            held = self._exact(rows, fits, names)
            for column, numbers in exact.items():
                numbers[fits] = held[inputs[column]]
            if read := self._read_texts(names):
                texts = columns(rows["texts"].filter(pa.array(fits)), len(names.texts))
                said = dict(zip(names.texts, texts, strict=True))
                for column in strings:
                    words_of[column][fits] = said[inputs[column]].to_numpy(zero_copy_only=False)
                for name in read & coded.keys():
                    matrix[fits, inputs.index(name)] = _codes(said[name], coded[name])
        unknown = (_unknown(matrix, signature) | _too_long(exact, signature)) & usable
        unscored[Unscored.INPUTS_MISSING] += int(np.count_nonzero(unknown))
        usable &= ~unknown
        for column, numbers in exact.items():
            matrix[:, column] = np.where(np.isnan(numbers), np.nan, np.arange(len(rows)))
        coded_words = {column: _coded(matrix, column, words) for column, words in words_of.items()}
        tables = tuple((exact | coded_words)[column] for column in signature.beside)
        return matrix, tables, usable, lacking

    def _exact(
        self, rows: pa.RecordBatch, fits: npt.NDArray[np.bool_], names: BundleNames
    ) -> dict[str, npt.NDArray[np.generic]]:
        """The numbers of another bundle's rows that stand beside its matrix, by the names of its inputs."""
        found: dict[str, npt.NDArray[np.generic]] = {}
        if self.variant.bundle.signature.doubles or self.variant.bundle.signature.longs:
            for column, dtype, called in (("longs", LONG, names.longs), ("doubles", DOUBLE, names.doubles)):
                values = unpack(rows[column].filter(pa.array(fits)), dtype, len(called))
                found |= dict(zip(called, values.T, strict=True))
        return found

    def _fitting(
        self, rows: pa.RecordBatch, mine: npt.NDArray[np.bool_], names: BundleNames | None
    ) -> tuple[npt.NDArray[np.bool_], Unscored]:
        """Which of the rows of one bundle, bool[n], have what this one takes, and why its others have not.

        names: of that bundle's values, where they are known.
        """
        none = np.zeros(len(rows), np.bool_)
        if names is None:
            return none, Unscored.NO_NAMES
        signature = self.variant.bundle.signature
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
        if self._read_texts(names):
            fits &= are_texts(rows["texts"], len(names.texts))
        return fits, Unscored.NO_NAMES

    def _read_texts(self, names: BundleNames) -> set[str]:
        """Those inputs of this bundle that are read from another one's texts."""
        return {item.name for item in self.variant.bundle.signature.texts} & set(names.texts)

    def _columns(self, rows: pa.RecordBatch, outputs: npt.NDArray[np.float32], wall_ms: int) -> Columns:
        bundle = self.variant.bundle
        decided = decide(bundle.signature, outputs)
        column = {name: rows[name] for name in SAME}
        column["score"] = pa.array(decided.score, pa.float32())
        column["decision"] = words(bundle.signature, decided.index)
        if bundle.signature.outputs:
            column["outputs"] = packed(outputs)
        constants: dict[str, object] = {
            **({} if bundle.signature.outputs else {"outputs": b""}),
            "service": bundle.service,
            "model": bundle.name,
            "version": bundle.version,
            "digest": bundle.short_digest,
            "variant": self.variant.name,
            "scored_at": wall_ms,
        }
        return pa.RecordBatch.from_pydict(column), constants


def _featured(signature: Signature) -> dict[str, Input]:
    """The features that are words, by the names of their inputs."""
    return {item.name: item for item in signature.of(Source.FEATURE) if item.dtype is Dtype.CATEGORY}


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


def _too_long(exact: Mapping[int, npt.NDArray[np.generic]], signature: Signature) -> npt.NDArray[np.bool_]:
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
