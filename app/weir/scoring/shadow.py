"""Answered requests scored by another bundle, on the very features that the answer was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.batch import MicroBatch
from weir.core.decide import decide, words
from weir.core.decoded import Decoded
from weir.scoring import isolate, shadow_inputs
from weir.scoring.records import Columns, packed
from weir.scoring.shadow_inputs import NamesOf
from weir.scoring.unscored import Unscored
from weir.scoring.variant import Variant

SAME = ("prediction_id", "event_time", "source_log", "source_topic", "source_partition", "source_offset")


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
    names: NamesOf
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
        taken = shadow_inputs.read(self.variant.bundle.signature, rows, self.names)
        unscored += taken.unscored
        rows, origin, matrix = rows.filter(pa.array(taken.usable)), origin[taken.usable], taken.matrix[taken.usable]
        run, known_good, state = self.variant.bound(taken.tables)
        outputs = isolate.outputs_of(run, matrix, known_good=known_good, max_failed=self.max_failed).outputs
        finite = np.all(np.isfinite(outputs), axis=1)
        unscored[Unscored.MODEL_FAILED] += len(outputs) - int(np.count_nonzero(finite))
        rows, origin, outputs = rows.filter(pa.array(finite)), origin[finite], outputs[finite]
        framed = self.encode(*self._columns(rows, outputs, wall_ms, state)) if len(rows) else pa.array([], pa.binary())
        at = np.searchsorted(origin, batch.bounds)
        written = tuple(framed[at[i] : at[i + 1]] for i in range(len(batch.chunks)))
        return ShadowBatch(written, len(rows), +unscored, taken.lacking)

    def _columns(self, rows: pa.RecordBatch, outputs: npt.NDArray[np.float32], wall_ms: int, state: str) -> Columns:
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
            "learner_state": state,
            "scored_at": wall_ms,
        }
        return pa.RecordBatch.from_pydict(column), constants
