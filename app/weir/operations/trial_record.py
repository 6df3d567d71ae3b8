"""A trial's predictions on their way to the record: encoded as a scorer does, decoded and shaped as a recorder does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from weir.core.bundle_names import BundleNames
from weir.core.chunk import LogPartition
from weir.core.contract import Contract
from weir.core.errors import Refused
from weir.edges.bundles import runtime
from weir.edges.bundles.opened import Opened
from weir.edges.schemas import folder
from weir.operations.trial import AT_MS
from weir.recording import bundles, naming, tables
from weir.scoring import records
from weir.scoring.batches import ScoredBatch
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

REMEDY: Final = "report this as a fault of Weir"


class _Said(naming.Names):
    """Implements recording.naming.Names: what this bundle's scorer says, and what rows lack it."""

    def __init__(self, described: pa.RecordBatch) -> None:
        self._known = {names.digest: names for names in bundles.of(described)}
        self.lacking = 0

    @override
    def of(self, digests: Sequence[str]) -> Mapping[str, BundleNames]:
        return {digest: self._known[digest] for digest in digests if digest in self._known}

    @override
    def lack(self, rows: Mapping[str, int]) -> None:
        self.lacking += sum(rows.values())


def keep(opened: Opened, done: ScoredBatch) -> int:
    """Bytes of the largest prediction. Raises Refused where one would not be recorded as it was made."""
    values, rows = _through("predictions", *records.predictions(done, 0, AT_MS))
    variants = [part.variant for part in done.parts]
    described = records.bundle_names(variants, runtime.of(opened.model), "scorer", "trial", AT_MS)
    said = _Said(_through("bundles", *described)[1])
    rejects = tables.check_predictions(rows)
    shaped = tables.predictions(rows, LogPartition("trial", "trial", 0), np.arange(len(rows)), said)
    if len(rejects) or said.lacking:
        why = rejects.detail[0] if len(rejects) else "the names of its inputs do not fit"
        raise Refused(f"a prediction would not be recorded: {why}", remedy=REMEDY)
    _compare(done, shaped)
    return int(pc.max(pc.binary_length(values)).as_py())


def _through(record: str, columns: pa.RecordBatch, constants: dict[str, object]) -> tuple[pa.Array, pa.RecordBatch]:
    """The record's framed values, and the rows that come out of them."""
    contract = Contract(record, 1, folder.generic(record), 1)
    values = Encoder(contract).frames(columns, constants)
    return values, Decoder(contract, lambda schema_id: None).decode(values.cast(pa.large_binary()), 1 << 30).rows


def _compare(done: ScoredBatch, shaped: pa.RecordBatch) -> None:
    """Every input is recorded with its bits. Raises Refused."""
    for name, expected in _expected(done).items():
        kept = shaped[name].items.to_numpy(zero_copy_only=False).reshape(expected.shape)
        if not np.array_equal(kept, expected, equal_nan=True):
            raise Refused("inputs are recorded otherwise than the model saw them", remedy=REMEDY)


def _expected(done: ScoredBatch) -> dict[str, npt.NDArray[np.generic]]:
    """What the model saw, by the column in which it is recorded. A trial has one variant, and so one part."""
    part = next(part for part in done.parts if len(part.rows))
    signature, rows = part.variant.bundle.signature, part.rows
    beside = dict(zip(signature.beside, rows.tables, strict=True))
    found: dict[str, npt.NDArray[np.generic]] = {"features": records.recorded(rows.matrix, rows.tables, signature)}
    for name, columns in (("doubles", signature.doubles), ("longs", signature.longs)):
        if columns:
            found[name] = records.exact(rows.matrix, beside, columns)
    return found
