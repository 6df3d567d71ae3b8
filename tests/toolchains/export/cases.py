"""What is written for the tests of each model: its toolchain's own file, rows, and the library's own scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import data
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A trained model, as its toolchain gives it away.

    name: of the folder. toolchain: packages and versions. kind: of the model, in words of its library.
    write: writes the model's file or files into a folder. file: the one that a user would name.
    scores: float64[n, m], what the library itself says of every row: m = 1 for binary (of the second class) and
    regression, else the probabilities of the classes in their order.
    """

    name: str
    toolchain: str
    kind: str
    rows: data.Rows
    scores: np.ndarray
    write: Callable[[Path], None]
    file: str = "model.onnx"


def save(case: Case, into: Path) -> None:
    """One folder: the model, rows.parquet with `scores` and `label` beside the inputs, and case.json."""
    folder = into / case.name
    folder.mkdir(parents=True)
    case.write(folder)
    rows, scores = case.rows, np.asarray(case.scores, np.float64).reshape(len(case.rows.label), -1)
    table = pa.table(
        {
            **rows.columns,
            "scores": pa.FixedSizeListArray.from_arrays(pa.array(scores.reshape(-1)), scores.shape[1]),
            "label": pa.array(rows.label),
        }
    )
    pq.write_table(table, folder / "rows.parquet")
    content: dict[str, Any] = {
        "toolchain": case.toolchain,
        "kind": case.kind,
        "file": case.file,
        "task": rows.task,
        "classes": rows.classes,
        "inputs": [asdict(column) for column in rows.inputs],
    }
    (folder / "case.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
