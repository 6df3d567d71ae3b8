"""Records, decoded: the one form in which rows reach the stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.rejects import Rejects


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows that fit the contract, and the records that did not.

    rows: under the reader's Arrow schema, n rows, in record order. origin: int32[n], ascending, the record of row i.
    origin and rejects.record partition the input. contract_id: int32[n], the id under which row i was written.
    """

    rows: pa.RecordBatch
    origin: npt.NDArray[np.int32]
    rejects: Rejects
    contract_id: npt.NDArray[np.int32]
