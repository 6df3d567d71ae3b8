"""A case of export/cases.py, made a bundle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from weir.edges.bundles import folder
from weir.edges.bundles.opened import Opened
from weir.operations import bundles
from weir.settings import Settings

from tests.bundles import opened_bundle


def build(
    case: Path, tmp_path: Path, settings: Settings, service: str = "exported"
) -> tuple[Opened, pa.Table, np.ndarray]:
    """A case's bundle, opened; its rows as a caller writes them, and the library's scores, float64[n, m].

    It is built from a specification, as a user would write it.
    """
    said = json.loads((case / "case.json").read_text(encoding="utf-8"))
    table = pq.read_table(case / "rows.parquet")
    wanted = np.array(table["scores"].to_pylist())
    rows = table.drop_columns(["scores"])
    of_many = said["task"] == "multiclass"
    for i, column in enumerate(wanted.T):
        rows = rows.append_column(f"score_{said['classes'][i]}" if of_many else "score", pa.array(column))
    pq.write_table(rows, tmp_path / "rows.parquet")
    (tmp_path / "card.md").write_text(f"# {said['kind']}\n", encoding="utf-8")
    spec = {
        "service": service,
        "name": case.name,
        "version": "1",
        "owner": "tests",
        "model": str(case / said["file"]),
        "golden": "rows.parquet",
        "baseline": "rows.parquet",
        "card": "card.md",
        "signature": {
            "task": said["task"],
            **({"classes": said["classes"]} if said["classes"] else {}),
            "inputs": [
                {
                    "name": item["name"],
                    "source": "request",
                    "ref": item["name"],
                    "dtype": item["dtype"],
                    **({"categories": item["categories"]} if item["categories"] else {}),
                }
                for item in said["inputs"]
            ],
        },
    }
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    path = bundles.build(tmp_path / "bundle.yaml", settings)[0]
    return opened_bundle(folder.find(path, settings)), rows, wanted
