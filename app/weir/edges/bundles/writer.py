"""Writes a bundle. For training machines: here and in what adapts a model, the `onnx` package is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pyarrow as pa
import pyarrow.parquet as pq

from weir.core import reference as references
from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.core.reference import Reference
from weir.core.signature import Signature
from weir.edges.bundles import checks, folder, manifest, reference, rows, runtime, text
from weir.edges.bundles.graph_words import words_of
from weir.edges.bundles.importance import importances
from weir.edges.bundles.mixing import over_rows
from weir.edges.bundles.opened import Opened, open_bundle
from weir.edges.bundles.words import Words


def build(
    bundle: Bundle,
    model: onnx.ModelProto,
    *,
    golden: pa.Table,
    baseline: pa.Table,
    card: str,
    into: Path,
    said: Words = Words(),  # noqa: B008 - an immutable value
    plan: ServicePlan | None = None,
    prove: Callable[[Opened], None] = lambda opened: None,
) -> Path:
    """Write a bundle under `into`, in a folder named by its digest; the same content gives the same folder.

    1. write it in a draft folder
    2. open it there with every check, as a scorer will
    3. ask it how important its inputs are, and write that beside what is normal for them
    4. prove it: whatever else the caller wants of it
    5. rename it: only now can anybody find it

    bundle: without its digest. golden: the inputs as the signature names them (float32) and what the trained model
    itself gave, see rows.score_columns. baseline: the same and `label` of reference rows: the class, as the signature
    calls it, or a number, of two classes 0 or 1. card: Markdown for people. said: what
    the file from which `model` was made says of its columns; what `model` says is found by itself. plan: the feature
    service as applied. prove: raises Refused where the bundle is not good enough.
    Raises Refused when anything does not fit; nothing is left behind then.
    """
    _check_table(golden, bundle.signature, (), "golden")
    _check_table(baseline, bundle.signature, (rows.LABEL,), "baseline")
    for words in (said, *words_of(model)):
        checks.check_words(bundle.signature, words, "")
    bundle = replace(bundle, built_with=runtime.versions())
    stamped = _stamped(model, bundle, said)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=into, ignore_cleanup_errors=True) as around:
        draft = Path(around) / "bundle"
        draft.mkdir(mode=0o755)
        (draft / folder.MODEL).write_bytes(stamped)
        (draft / folder.CARD).write_text(card, encoding="utf-8")
        pq.write_table(golden, draft / folder.GOLDEN, compression="zstd")
        pq.write_table(baseline, draft / folder.BASELINE, compression="zstd")
        normal = reference.of(baseline, bundle.signature)
        draft = _described(draft, bundle, normal)
        try:
            opened = _weighed(open_bundle(folder.read(draft), plan), bundle, normal, baseline)
            draft = opened.path
            prove(opened)
        except Refused as refusal:  # the draft's path and the remedy of one who opens a bundle are of no use here
            remedy = refusal.mend if isinstance(refusal, checks.Unfit) else refusal.remedy
            found = over_rows(model) if isinstance(refusal, checks.Mixing) else []
            because = f"; its graph has {', '.join(found)}" if found else ""
            raise Refused(f"{refusal.what}{because}", remedy=remedy) from refusal
        final = into / draft.name
        if not final.exists():
            draft.rename(final)
    return final


def _described(draft: Path, bundle: Bundle, normal: Reference) -> Path:
    """The draft with what is normal and what the bundle says of itself, and the name that its content gives it."""
    (draft / folder.REFERENCE).write_text(references.dump(normal), encoding="utf-8")
    hashes = {name: value for name, value in folder.file_hashes(draft).items() if name != folder.MANIFEST}
    (draft / folder.MANIFEST).write_text(manifest.to_manifest(bundle, hashes), encoding="utf-8")
    return draft.rename(draft.parent / folder.digest(folder.file_hashes(draft)))


def _weighed(opened: Opened, bundle: Bundle, normal: Reference, baseline: pa.Table) -> Opened:
    """The same bundle, which now says how important its inputs are; as it was where that cannot be said."""
    signature = bundle.signature
    matrix, tables = rows.matrix(baseline, signature), rows.tables(baseline, signature)
    found = importances(opened.model, signature.names, matrix, tables)
    if not found:
        return opened
    described = folder.read(_described(opened.path, bundle, reference.weighed(normal, found)))
    text = reference.read(described.path, signature)
    return replace(opened, path=described.path, bundle=described.bundle, reference=text)


def _check_table(table: pa.Table, signature: Signature, others: tuple[str, ...], what: str) -> None:
    others = (*rows.score_columns(signature), *others)
    names = (*signature.names, *others)
    if missing := sorted(set(names) - set(table.column_names)):
        remedy = f"give a column for each input of the signature, and {rows.listed(others)}"
        raise Refused(f"{what} rows lack {', '.join(missing)}", remedy=remedy)
    try:
        rows.matrix(table, signature)
        for name in others:
            if name != rows.LABEL:
                rows.numbers(table, name)
        if rows.LABEL in others:
            rows.check_labels(table, signature)
    except (ValueError, pa.ArrowException) as error:
        raise Refused(
            f"{what} rows: {text.explain(error)}",
            remedy="write numbers into every column, and texts into strings",
        ) from error


def _stamped(model: onnx.ModelProto, bundle: Bundle, said: Words) -> bytes:
    """The model with what it is in its own properties, beside those that it came with. Raises Refused."""
    remedy = "export the model with operators and an IR version that the installed ONNX and ONNX Runtime know"
    stamped = onnx.ModelProto()
    stamped.CopyFrom(model)
    found = {key: value for words in words_of(model) for key, value in words.metadata().items()}
    had = {entry.key: entry.value for entry in model.metadata_props if not entry.key.startswith("weir.")}
    onnx.helper.set_model_props(stamped, had | found | said.metadata() | checks.metadata(bundle))
    try:
        onnx.checker.check_model(stamped)
        content: bytes = stamped.SerializeToString(deterministic=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise Refused(f"the model is not valid ONNX: {text.explain(error)}", remedy=remedy) from error
    except Exception as error:  # a graph over 2 GiB, which protobuf's backends tell in their own ways
        raise Refused(f"the model cannot be stored: {text.explain(error)}", remedy=remedy) from error
    return content
