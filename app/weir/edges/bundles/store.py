"""Bundles on disk: find one, check that it is what its name says, open it.

A bundle is an immutable folder, named by the digest of its content. Nothing in it is executed but an ONNX graph: a
folder that holds anything else is refused before anything in it is opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from weir.core.bundle import Bundle
from weir.core.errors import Refused, shortened
from weir.core.features import ServicePlan
from weir.core.signature import Signature, Source
from weir.edges.bundles import manifest as bundle_manifest
from weir.edges.bundles.onnx_model import Model
from weir.settings import Settings

MODEL, MANIFEST, BASELINE, GOLDEN, CARD = "model.onnx", "bundle.yaml", "baseline.parquet", "golden.parquet", "card.md"
FILES = (BASELINE, MANIFEST, CARD, GOLDEN, MODEL)
FORMAT = 1  # of bundle.yaml
GOLDEN_ROWS_MAX = 100_000  # a file of a kilobyte can hold a billion equal rows; 4,096 show what there is to see
SCORE, LABEL = "score", "label"  # columns beside the inputs in baseline.parquet and golden.parquet
REBUILD = "build the bundle again with `weir bundle build`"


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that passed every check, and its model, warmed up.

    golden_rows: rows that were scored and compared. golden_max_diff: largest |score - expected| among them.
    known_good: float32[1, k], the first of them.
    """

    path: Path
    bundle: Bundle
    model: Model
    golden_rows: int
    golden_max_diff: float
    known_good: npt.NDArray[np.float32]


def load(path: Path | str, settings: Settings, plan: ServicePlan | None = None) -> Bundle:
    """The bundle at a path or digest, after every check of `open_bundle`. Raises Refused."""
    return open_bundle(path, settings, plan).bundle


def open_bundle(which: Path | str, settings: Settings, plan: ServicePlan | None = None, threads: int = 1) -> Opened:
    """Check a bundle and open its model.

    1. the folder holds the five files of a bundle and nothing else
    2. its content has the digest that names it
    3. model.onnx is ONNX
    4. the graph takes and gives what the signature says
    5. the golden rows give the golden scores
    6. the features are those that the model was trained on

    which: path of the folder, or a digest (or its beginning) in `settings.bundles_dir`.
    plan: the feature service as applied; without it check 6 is left out.
    Raises Refused, with a message of its own for each check.
    """
    path = find(which, settings)
    bundle = read(path)
    model = Model(path, threads)
    check_graph(path, bundle, model)
    inputs, worst = check_golden(path, bundle, model)
    if plan is not None:
        check_features(bundle, plan)
    return Opened(path, bundle, model, len(inputs), worst, inputs[:1].copy())


def find(which: Path | str, settings: Settings) -> Path:
    """The folder of a bundle, named by path or by the beginning of its digest. Raises Refused when there is not one."""
    if not str(which):
        raise Refused("no bundle is named", remedy="set WEIR_BUNDLE to a bundle's folder or digest")
    path = Path(which)
    if path.is_dir():
        return path.resolve()
    found = sorted(settings.paths.bundles_dir.glob(f"{path.name}*")) if len(path.parts) == 1 else []
    if len(found) != 1:
        what = f"bundle {which} is ambiguous" if found else f"there is no bundle {which}"
        raise Refused(
            what, where=str(settings.paths.bundles_dir), remedy="name a folder that `weir bundle build` wrote"
        )
    return found[0].resolve()


def read(path: Path) -> Bundle:
    """What bundle.yaml says, after checks 1 and 2. Raises Refused."""
    present = sorted(entry.name for entry in path.iterdir())
    if foreign := [name for name in present if name not in FILES or not (path / name).is_file()]:
        raise Refused(
            f"bundle holds {', '.join(foreign)}: only ONNX is ever loaded, never a pickle or any other format",
            where=str(path),
            remedy=f"export the model to ONNX; a bundle is {', '.join(FILES)} and nothing else",
        )
    if absent := [name for name in FILES if name not in present]:
        raise Refused(f"bundle lacks {', '.join(absent)}", where=str(path), remedy=REBUILD)
    hashes = file_hashes(path)
    manifest, why = _manifest(path)
    if (found := digest(hashes)) != path.name:
        listed = manifest.get("files") if manifest else hashes
        listed = listed if isinstance(listed, dict) else {}
        changed = [name for name, value in hashes.items() if name != MANIFEST and listed.get(name) != value]
        raise Refused(
            f"bundle was changed after it was built: {', '.join(changed) or MANIFEST} differs, digest is {found[:12]}",
            where=str(path),
            remedy="restore the folder from where it was built, or build a new bundle",
        )
    if manifest is None:
        raise Refused(f"bundle.yaml is not a YAML mapping: {why}", where=str(path), remedy=REBUILD)
    return from_manifest(manifest, path.name, where=str(path))


def check_graph(path: Path, bundle: Bundle, model: Model) -> None:
    """The graph has the signature's tensors and columns, and carries the same names. Raises Refused."""
    signature = bundle.signature
    says = {"input": signature.input_tensor, "output": signature.output_tensor, "columns": len(signature.inputs)}
    has = {"input": model.input_tensor, "output": model.output_tensor, "columns": model.width}
    if says != has:
        raise Refused(f"model.onnx has {has}, the signature says {says}", where=str(path), remedy=REBUILD)
    expected = metadata(bundle)
    if wrong := [key for key, value in expected.items() if model.metadata.get(key) != value]:
        raise Refused(
            f"model.onnx says {wrong[0]} = {model.metadata.get(wrong[0])!r}, bundle.yaml {expected[wrong[0]]!r}",
            where=str(path),
            remedy=REBUILD,
        )


def check_golden(path: Path, bundle: Bundle, model: Model) -> tuple[npt.NDArray[np.float32], float]:
    """Score the golden rows. Returns them, float32[n, k], and the largest difference.

    Raises Refused naming the worst row.
    """
    inputs, expected = _golden(path, bundle.signature)
    try:
        scores = model.run(inputs)
    except RuntimeError as error:
        what = f"model.onnx fails on the golden rows: {bundle_manifest.explain(error)}"
        raise Refused(what, where=str(path), remedy=REBUILD) from error
    if scores.shape != expected.shape:
        what = f"model.onnx gives {scores.shape[0]} scores for {expected.shape[0]} golden rows"
        raise Refused(what, where=str(path), remedy="export it with one score a row")
    difference = np.abs(scores.astype(np.float64) - expected)
    failing = ~(difference <= bundle.tolerance)  # NaN fails too
    if failing.any():
        row = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
        raise Refused(
            f"{int(failing.sum())} of {len(expected)} golden rows fail: row {row} scores {scores[row]:.9f}, "
            f"expected {expected[row]:.9f} within {bundle.tolerance:g}",
            where=str(path),
            remedy=f"{REBUILD}; ONNX Runtime here may differ from the one it was built with",
        )
    return inputs, float(difference.max(initial=0.0))


def check_features(bundle: Bundle, plan: ServicePlan) -> None:
    """The applied feature service is the one that the model was trained on. Raises Refused."""
    if not bundle.signature.of(Source.FEATURE):
        return
    remedy = "run `weir apply` with the feature repository of the bundle, or train and build a new bundle"
    if plan.service != bundle.feature_service:
        raise Refused(
            f"bundle {bundle.short_digest} reads feature service {bundle.feature_service}, applied is {plan.service}",
            remedy=remedy,
        )
    if plan.fingerprint != bundle.feature_fingerprint:
        raise Refused(
            f"feature service {plan.service} has changed since bundle {bundle.short_digest} was trained: "
            f"fingerprint {plan.fingerprint[:12]}, trained on {bundle.feature_fingerprint[:12]}",
            remedy=remedy,
        )
    known = set(plan.columns)
    if unknown := [item.ref for item in bundle.signature.of(Source.FEATURE) if item.ref not in known]:
        raise Refused(f"feature service {plan.service} has no {', '.join(unknown)}", remedy=remedy)


def matrix(table: pa.Table, signature: Signature) -> npt.NDArray[np.float32]:
    """The model's columns of a parquet table as float32[n, k], in the signature's order; null is NaN."""
    columns = [table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in signature.names]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)


def metadata(bundle: Bundle) -> dict[str, str]:
    """What the ONNX file says of itself, so that it can be told apart when it is found alone."""
    return {
        "weir.service": bundle.service,
        "weir.name": bundle.name,
        "weir.version": bundle.version,
        "weir.owner": bundle.owner,
        "weir.inputs": json.dumps(bundle.signature.names),
        "weir.threshold": repr(bundle.signature.threshold),
        "weir.feature_service": bundle.feature_service,
        "weir.feature_fingerprint": bundle.feature_fingerprint,
        "weir.training": f"{bundle.training_from}/{bundle.training_to}",
    }


def file_hashes(path: Path) -> dict[str, str]:
    """File name -> sha256 hex of everything in the folder, by name."""
    return {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in sorted(path.iterdir())}


def digest(hashes: Mapping[str, str]) -> str:
    """The bundle's digest: sha256 hex over the sorted "name sha256" lines."""
    lines = "".join(f"{name} {value}\n" for name, value in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def to_manifest(bundle: Bundle, hashes: Mapping[str, str]) -> str:
    """bundle.yaml as text: the bundle without its digest, and the hashes of the files beside it."""
    content = {"format": FORMAT, "files": dict(hashes), **to_plain(bundle)}
    text: str = yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)
    return text


def to_plain(bundle: Bundle) -> dict[str, Any]:
    """A bundle without its digest as plain values, as in bundle.yaml."""
    fields = ("service", "name", "version", "owner", "feature_service", "feature_fingerprint")
    more = ("training_from", "training_to", "tolerance", "metrics")
    return {
        **{field: getattr(bundle, field) for field in fields + more},
        "signature": _plain(bundle.signature.to_dict()),
    }


def from_manifest(content: Mapping[str, Any], folder_digest: str, where: str) -> Bundle:
    """The inverse of `to_manifest`. Raises Refused naming the entry that is wrong."""
    if content.get("format") != FORMAT or content["format"] is True:
        what = f"bundle.yaml is not of format {FORMAT} but {shortened(str(content.get('format')))}"
        raise Refused(what, where=where, remedy="use the version of Weir that built it, or build the bundle again")
    fields = {key: value for key, value in content.items() if key not in ("format", "files", "signature")}
    try:
        bundle = Bundle(**fields, signature=Signature.from_dict(content["signature"]), digest=folder_digest)
        return bundle_manifest.checked(bundle, to_plain(bundle))
    except (KeyError, TypeError, ValueError) as error:
        why = bundle_manifest.explain(error)
        raise Refused(f"bundle.yaml is not understood: {why}", where=where, remedy=REBUILD) from error


def _golden(path: Path, signature: Signature) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Inputs, float32[n, k], and scores, float32[n], of the golden rows. Raises Refused."""
    try:
        with pq.ParquetFile(path / GOLDEN) as file:  # read_table would load the dataset engine
            rows = file.metadata.num_rows
            if not 0 < rows <= GOLDEN_ROWS_MAX:
                what = f"golden.parquet has {rows} rows, not 1 to {GOLDEN_ROWS_MAX}"
                raise Refused(what, where=str(path), remedy=REBUILD)
            table = file.read()
        return matrix(table, signature), table[SCORE].to_numpy().astype(np.float32)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        why = bundle_manifest.explain(error)
        raise Refused(f"golden.parquet cannot be read: {why}", where=str(path), remedy=REBUILD) from error


def _manifest(path: Path) -> tuple[dict[str, Any] | None, str]:
    """bundle.yaml's content, or None and why there is none."""
    try:
        return bundle_manifest.parse((path / MANIFEST).read_bytes()), ""
    except ValueError as error:
        return None, str(error)


def _plain(value: Any) -> Any:
    """Tuples and enums as YAML's safe dumper wants them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
