"""What a bundle must hold to be opened, each check with its own refusal.

A refusal has two remedies: one for whoever opens the bundle, and one for whoever is building it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from weir.core import features
from weir.core.beside import Tables
from weir.core.bundle import RELATIVE, Bundle
from weir.core.decide import decide
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.core.signature import Dtype, Held, Signature, Source
from weir.edges.bundles import independence, rows, text, words
from weir.edges.bundles.folder import GOLDEN, REBUILD
from weir.edges.bundles.onnx_model import Model, Reading
from weir.edges.bundles.onnx_session import DOUBLE, LONG, TEXT
from weir.wire import request_contract

Floats = npt.NDArray[np.float32]

GOLDEN_ROWS_MAX = 100_000  # a file of a kilobyte can hold a billion equal rows; 4,096 show what there is to see

# onnxmltools rounds LightGBM's thresholds to the nearest float32, so that a value beside one may go the other way.
ROUNDS_THRESHOLDS, FEW = "OnnxMLTools", 0.05
ROUNDED = "; if it is LightGBM's, give LightGBM's own text (`save_model`, .txt): the converter rounds its thresholds"

KINDS = {Dtype.CATEGORY: (features.WORD,), Dtype.AGE: (features.TIME,)}  # of inputs -> of features; others: NUMBERS


class Unfit(Refused):
    """A bundle that does not hold together. mend: what whoever builds it should correct."""

    def __init__(self, what: str, *, where: str = "", mend: str, remedy: str = REBUILD) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.mend = mend


class Mixing(Unfit):
    """A model for which a row is not enough."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Golden rows that were scored.

    inputs: float32[n, k]. outputs: float32[n, m], the model's. worst: difference. flips: expected decision -> rows that
    are decided otherwise, none where all are decided alike. tables: what the inputs have positions of, see Model.run.
    """

    inputs: Floats
    outputs: Floats
    worst: float
    flips: Mapping[str, int]
    tables: Tables


def check_graph(path: Path, bundle: Bundle, model: Model) -> None:
    """The graph has the signature's tensors and columns, and says the same of itself. Raises Unfit."""
    signature, where = bundle.signature, str(path)
    says = {"input": signature.input_tensor, "output": signature.output_tensor, "columns": len(signature.inputs)}
    has = {"input": model.input_tensor, "output": model.output_tensor, "columns": model.width}
    if says != has:
        raise Unfit(
            f"model.onnx has {has}, the signature says {says}",
            where=where,
            mend="give one input for each of the model's columns, and its tensors' names or none",
        )
    if (strings := model.beside.get(TEXT, 0)) != len(signature.strings):
        raise Unfit(
            f"model.onnx takes {strings} texts a row, and {len(signature.strings)} inputs have dtype string",
            where=where,
            mend="give dtype string to what the model takes as text, and category to what it takes as a code",
        )
    for kind, name, columns in ((DOUBLE, "float64", signature.doubles), (LONG, "int64", signature.longs)):
        if (taken := model.beside.get(kind, 0)) != len(columns):
            what = f"model.onnx takes {taken} {name} a row beside its matrix, and {len(columns)} inputs are held so"
            raise Unfit(what, where=where, mend="leave `held` out of every input: it is found in the model's file")
    if model.outputs != signature.width:
        raise Unfit(
            f"model.onnx gives {model.outputs} values a row, and task {signature.task} has {signature.width}",
            where=where,
            mend="correct `task`, and for multiclass `classes`: one for each of the output's columns",
        )
    expected = metadata(bundle)
    if wrong := [key for key, value in expected.items() if model.metadata.get(key) != value]:
        raise Unfit(
            f"model.onnx says {wrong[0]} = {model.metadata.get(wrong[0])!r}, bundle.yaml {expected[wrong[0]]!r}",
            where=where,
            mend="build from the model file itself",
        )
    for said in words.of_metadata(model.metadata):
        check_words(signature, said, where)


def check_words(signature: Signature, said: words.Words, where: str) -> None:
    """What the model file says of its columns is what the signature says. Raises Unfit with both lists."""
    if wrong := words.mismatch(signature, said):
        mend = "write `inputs` and `classes` in the model's order, each with the model's own name; `ref` may be another"
        raise Unfit(wrong, where=where, mend=mend, remedy=f"{mend}, and {REBUILD}")


def check_contract(bundle: Bundle, where: str = "") -> None:
    """A request contract can be made from the signature. Raises Unfit."""
    try:
        request_contract.build(bundle.service, bundle.signature)
    except ValueError as error:
        what = f"no request contract can be made: {error}"
        raise Unfit(what, where=where, mend="choose another name") from error


def check_golden(path: Path, bundle: Bundle, model: Model) -> Golden:
    """Score the golden rows. Raises Unfit naming the worst row."""
    inputs, tables, expected = _golden(path, bundle.signature)
    try:
        outputs = model.run(inputs, tables)
    except RuntimeError as error:
        what = f"model.onnx fails on the golden rows: {text.explain(error)}"
        raise Unfit(what, where=str(path), mend="give golden rows that the model can score") from error
    if outputs.shape != expected.shape:
        what = f"model.onnx gives {list(outputs.shape)} scores for {len(expected)} golden rows"
        raise Unfit(what, where=str(path), mend="choose one column with `column` or `class`")
    difference = np.abs(outputs.astype(np.float64) - expected)
    failing = ~(difference <= allowed(bundle, expected))  # NaN fails too
    if failing.any():
        check_independence(path, bundle, model, Golden(inputs, outputs, 0.0, {}, tables))  # which would be why
        row, column = np.unravel_index(
            np.argmax(np.where(np.isnan(difference), np.inf, difference) * failing), difference.shape
        )
        named = rows.score_columns(bundle.signature)[column]
        of_class = f" for {bundle.signature.outputs[column]}" if bundle.signature.outputs else ""
        rounded = model.producer == ROUNDS_THRESHOLDS and failing.any(axis=1).mean() < FEW
        raise Unfit(
            f"{int(failing.any(axis=1).sum())} of {len(expected)} golden rows fail: row {row} scores "
            f"{outputs[row, column]:.9f}{of_class}, expected {expected[row, column]:.9f} within "
            f"{float(allowed(bundle, expected)[row, column]):.1e}",
            where=str(path),
            mend=f"give `inputs` in the model's order and `{named}` as the trained model itself gives it, or set "
            f"`tolerance` to what the export may lose{ROUNDED if rounded else ''}",
            remedy=f"{REBUILD}; ONNX Runtime here may differ from the one it was built with",
        )
    changed = flips(bundle.signature, expected, outputs)
    return Golden(inputs, outputs, float(difference.max(initial=0.0)), changed, tables)


def flips(signature: Signature, expected: Floats, found: Floats) -> dict[str, int]:
    """Expected decision -> rows whose decision is another one, without those of which there are none.

    expected, found: float32[n, m].
    """
    wanted, given = decide(signature, expected).index, decide(signature, found).index
    counts = np.bincount(wanted[wanted != given], minlength=len(signature.decisions)).tolist()
    return {word: count for word, count in zip(signature.decisions, counts, strict=True) if count}


def allowed(bundle: Bundle, expected: Floats) -> npt.NDArray[np.float64]:
    """The largest accepted difference from each expected score, see core.bundle. float64[n, m]."""
    return np.fmax(bundle.tolerance, RELATIVE * np.abs(expected.astype(np.float64)))


def check_independence(path: Path, bundle: Bundle, model: Model, golden: Golden) -> float:
    """A row's score does not depend on the rows beside it: the largest difference that was seen, 0 for the same bits.

    Raises Mixing where the difference is larger than the bundle's tolerance, as with dynamic quantisation.
    """
    inputs, outputs = golden.inputs[: independence.ROWS], golden.outputs[: independence.ROWS]
    try:
        found = independence.differences(Reading(model, golden.tables), inputs, outputs)
    except independence.NoBatch as error:
        what = f"model.onnx fails for batches of {text.explain(error)}"
        raise Mixing(what, where=str(path), mend="export it with the number of rows free") from error
    worst = float(found.max(initial=0.0))
    if not (found <= allowed(bundle, outputs)).all():
        raise Mixing(
            f"a row's score depends on the rows beside it: by up to {worst:.1e} on the golden rows",
            where=str(path),
            mend="export the model as it scores, one row by itself: without dynamic quantisation, in the mode of "
            "inference (`model.eval()`), and with nothing that is summed or normalised over the batch",
        )
    return worst


def check_features(bundle: Bundle, plan: ServicePlan) -> None:
    """What the bundle reads of the applied feature service is what the model was trained on, asked by its own keys.

    Other features of the service may come and go: see `ServicePlan.fingerprint`. Raises Unfit.
    """
    if not bundle.feature_service:
        return
    remedy = "run `weir apply` with the feature repository of the bundle, or train and build a new bundle"
    for wrong, mend in _feature_faults(bundle, plan):
        raise Unfit(wrong, mend=mend, remedy=remedy)


def _feature_faults(bundle: Bundle, plan: ServicePlan) -> Iterator[tuple[str, str]]:
    name, mend = plan.service, "correct `inputs` and `join_keys`, or the feature service and run `weir apply`"
    if name != bundle.feature_service:
        yield f"bundle {bundle.short_digest} reads feature service {bundle.feature_service}, applied is {name}", mend
    try:
        read = plan.reading(bundle.signature.looked_up)
    except ValueError as error:
        yield str(error), mend
        return
    if read.fingerprint != bundle.feature_fingerprint:
        yield (
            f"what bundle {bundle.short_digest} reads of feature service {name} has changed since it was trained: "
            f"fingerprint {read.fingerprint[:12]}, trained on {bundle.feature_fingerprint[:12]}",
            mend,
        )
    dtypes = read.dtypes
    for item in bundle.signature.of(Source.FEATURE):
        whole = item.held in (Held.INT64, Held.INT32)
        wanted = features.WHOLE if whole else KINDS.get(item.dtype, features.NUMBERS)
        if dtypes[item.ref] not in wanted:
            yield f"input {item.name} is of dtype {item.dtype}, and feature {item.ref} is {dtypes[item.ref]}", mend
    asked = {key: kind for view in read.views for key, kind in zip(view.join_keys, view.key_types, strict=True)}
    given = {key.name: str(key.dtype) for key in bundle.signature.join_keys}
    lists = f"the service is asked by {_keys(asked)}, the signature has {_keys(given)}"
    if missing := sorted(asked.keys() - given.keys()):
        yield f"join keys are missing: {', '.join(missing)}: {lists}", mend
    if extra := sorted(given.keys() - asked.keys()):
        yield f"join keys that no feature is asked by: {', '.join(extra)}: {lists}", mend
    if wrong := sorted(key for key in asked if asked[key] != given[key]):
        yield f"join keys of another type: {', '.join(wrong)}: {lists}", mend


def schema_hash(signature: Signature) -> str:
    """sha256, hex, of everything that the signature says of inputs, keys and outputs."""
    return hashlib.sha256(json.dumps(signature.to_dict(), sort_keys=True).encode()).hexdigest()


def metadata(bundle: Bundle) -> dict[str, str]:
    """What the ONNX file says of itself, so that it can be told apart when it is found alone."""
    return {
        "weir.service": bundle.service,
        "weir.name": bundle.name,
        "weir.version": bundle.version,
        "weir.owner": bundle.owner,
        "weir.inputs": json.dumps(bundle.signature.names),
        "weir.task": str(bundle.signature.task),
        "weir.decisions": json.dumps(bundle.signature.decisions),
        "weir.cuts": json.dumps(bundle.signature.cuts),
        "weir.feature_service": bundle.feature_service,
        "weir.feature_fingerprint": bundle.feature_fingerprint,
        "weir.training": f"{bundle.training_from}/{bundle.training_to}",
        "weir.training_snapshot": bundle.training_snapshot,
        "weir.schema": schema_hash(bundle.signature),
        "weir.built_with": json.dumps(dataclasses.asdict(bundle.built_with), sort_keys=True),
    }


def _keys(keys: dict[str, str]) -> str:
    return f"[{', '.join(f'{name} {kind}' for name, kind in sorted(keys.items()))}]"


def _golden(path: Path, signature: Signature) -> tuple[Floats, Tables, Floats]:
    """Inputs, float32[n, k], their tables, and scores, float32[n, m], of the golden rows. Raises Unfit."""
    columns = rows.listed(rows.score_columns(signature))
    mend = f"give Parquet with a number in every input's column, and in {columns}"
    try:
        with pq.ParquetFile(path / GOLDEN) as file:  # read_table would load the dataset engine
            count = file.metadata.num_rows
            if not 0 < count <= GOLDEN_ROWS_MAX:
                what = f"golden.parquet has {count} rows, not 1 to {GOLDEN_ROWS_MAX}"
                raise Unfit(what, where=str(path), mend="give another number of golden rows")
            table = file.read()
        return rows.matrix(table, signature), rows.tables(table, signature), rows.scores(table, signature)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        what = f"golden.parquet cannot be read: {text.explain(error)}"
        raise Unfit(what, where=str(path), mend=mend) from error
