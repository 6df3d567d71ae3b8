"""Writes a bundle. For training machines: the only part of bundles that needs the `onnx` package."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path

import onnx
import pyarrow as pa
import pyarrow.parquet as pq

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.edges.bundles import store
from weir.edges.bundles.onnx_model import Model


def build(
    bundle: Bundle, model: onnx.ModelProto, *, golden: pa.Table, baseline: pa.Table, card: str, into: Path
) -> Path:
    """Write a bundle under `into`, in a folder named by its digest; the same content gives the same folder.

    bundle: without its digest. golden: the inputs as the signature names them (float32) and `score`, what the trained
    model itself gave. baseline: inputs, `score` and `label` of reference rows. card: Markdown for people.
    Raises Refused when the graph or the golden rows do not fit; nothing is left behind then.
    """
    names = set(bundle.signature.names)
    for table, columns, what in ((golden, {store.SCORE}, "golden"), (baseline, {store.SCORE, store.LABEL}, "baseline")):
        if missing := (names | columns) - set(table.column_names):
            raise Refused(f"{what} rows lack {', '.join(sorted(missing))}", remedy="give every input of the signature")
    stamped = onnx.ModelProto()
    stamped.CopyFrom(model)
    onnx.helper.set_model_props(stamped, store.metadata(bundle))
    onnx.checker.check_model(stamped)
    into.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed: a folder under its digest is always whole.
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=into))
    try:
        (draft / store.MODEL).write_bytes(stamped.SerializeToString(deterministic=True))
        (draft / store.CARD).write_text(card, encoding="utf-8")
        pq.write_table(golden, draft / store.GOLDEN, compression="zstd")
        pq.write_table(baseline, draft / store.BASELINE, compression="zstd")
        (draft / store.MANIFEST).write_text(store.to_manifest(bundle, store.file_hashes(draft)), encoding="utf-8")
        loaded = Model(draft)
        store.check_graph(draft, bundle, loaded)
        store.check_golden(draft, bundle, loaded)
        digest = store.digest(store.file_hashes(draft))
        final = into / digest
        if not final.exists():
            draft.rename(final)
            final.chmod(0o755)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    store.read(final)
    return final


def with_metrics(bundle: Bundle, **metrics: float) -> Bundle:
    """The bundle with more metrics."""
    return dataclasses.replace(bundle, metrics={**bundle.metrics, **metrics})
