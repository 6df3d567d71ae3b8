"""The columns of a learner among those of its service."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from weir.core.beside import Tables, values_at
from weir.core.signature import Signature
from weir.edges.bundles.onnx_model import Floats


def columns_of(matrix: Floats, tables: Tables, signature: Signature, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """The inputs of these names as numbers, float64[n, c]: of a matrix with the tables whose positions it has."""
    found = np.empty((len(matrix), len(names)), np.float64)
    for place, name in enumerate(names):
        column = signature.names.index(name)
        values = matrix[:, column]
        found[:, place] = values_at(values, tables[column]) if column in tables else values
    return found
