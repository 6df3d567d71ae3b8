"""Requests on their way to a score, as columns that stay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.beside import Table
from weir.core.decoded import Decoded
from weir.core.rejects import Reason, Rejects, Stage


@dataclass(frozen=True, slots=True)
class Rows:
    """n requests of a micro-batch, in record order, and what is known of each so far.

    columns: the request, n rows under the contract.
    origin: int32[n], ascending, the record of the micro-batch that each row came from.
    matrix: float32[n, k], the model's inputs; no columns before they are assembled.
    age_s: int32[n, v], age of each view's record in seconds, -1 where there is none; no columns before.
    status: uint8[n, v], core.features.Status; no columns before.
    outputs: float32[n, m], what the model gave; no columns before it has run.
    defaulted: bool[n, k], where the signature's default is; no columns where it is nowhere.
    contract_id: int32[n], the registry's id of the contract that each was written with.
    tables: of each column of the signature's `beside` the values that the matrix has positions of.
    """

    columns: pa.RecordBatch
    origin: npt.NDArray[np.int32]
    matrix: npt.NDArray[np.float32]
    age_s: npt.NDArray[np.int32]
    status: npt.NDArray[np.uint8]
    outputs: npt.NDArray[np.float32]
    defaulted: npt.NDArray[np.bool_]
    contract_id: npt.NDArray[np.int32]
    tables: tuple[Table, ...] = ()

    @classmethod
    def of(cls, decoded: Decoded) -> Self:
        """Rows as they were decoded."""
        n = len(decoded.origin)
        return cls(
            decoded.rows,
            decoded.origin,
            matrix=np.empty((n, 0), np.float32),
            age_s=np.empty((n, 0), np.int32),
            status=np.empty((n, 0), np.uint8),
            outputs=np.empty((n, 0), np.float32),
            defaulted=np.empty((n, 0), np.bool_),
            contract_id=decoded.contract_id,
        )

    def __len__(self) -> int:
        return len(self.origin)

    def keep(self, kept: npt.NDArray[np.bool_]) -> Self:
        """Only the rows where `kept`, bool[n], is true."""
        if kept.all():
            return self
        return replace(
            self,
            columns=self.columns.filter(pa.array(kept)),
            origin=self.origin[kept],
            matrix=self.matrix[kept],
            age_s=self.age_s[kept],
            status=self.status[kept],
            outputs=self.outputs[kept],
            defaulted=self.defaulted[kept],
            contract_id=self.contract_id[kept],
        )

    def reject(
        self, rejected: npt.NDArray[np.bool_], stage: Stage, reason: Reason, details: Sequence[str]
    ) -> tuple[Self, Rejects]:
        """The other rows, and those where `rejected`, bool[n], is true. details: one for each of the latter."""
        count = len(details)
        if not count:
            return self, Rejects()
        rejects = Rejects(self.origin[rejected], (stage,) * count, (reason,) * count, tuple(details))
        return self.keep(~rejected), rejects
