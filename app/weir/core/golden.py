"""Golden requests: known answers, asked for in production. Their names say so, and no statistic counts them.

A name carries what was expected, so that whoever reads the answer can judge it:
weir-golden:<digest of the bundle>:<row>:<expected score>:<tolerance>:<expected decision>:<anything>.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

PREFIX: Final = "weir-golden:"  # no caller's request may begin so; migration 0001 says the same of column golden
TENANT: Final = "weir-golden"


def name(digest: str, row: int, score: float, tolerance: float, decision: str, nonce: str) -> str:
    """Name of a request for a row of a bundle.

    digest: the first 12 hex characters. score, tolerance: what is expected, and how far off it may be. decision: as
    predictions have it; written as in a URL.

    >>> name("0123456789ab", 7, 0.25, 1e-06, "not yet", "x")
    'weir-golden:0123456789ab:7:0.25:1e-06:not%20yet:x'
    """
    return f"{PREFIX}{digest}:{row}:{score!r}:{tolerance!r}:{quote(decision, safe='')}:{nonce}"


def are_golden(request_ids: pa.Array) -> npt.NDArray[np.bool_]:
    """Which of n names are of golden requests.

    >>> are_golden(pa.array(["weir-golden:a:1:0.5:0:x", "r-1"])).tolist()
    [True, False]
    """
    found: npt.NDArray[np.bool_] = pc.starts_with(request_ids, PREFIX).to_numpy(zero_copy_only=False)
    return found


def without(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows whose request_id is no golden one; the same object where that is all."""
    found = are_golden(rows["request_id"])
    return rows.filter(pa.array(~found)) if found.any() else rows
