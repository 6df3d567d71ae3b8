"""Builds a bundle from a YAML file: what a data scientist hands over. `example.py` is that file, with every key."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.core.signature import Dtype, Held, Signature
from weir.edges.bundles import adapt, checks, folder, lightgbm_onnx, manifest, model_file, rows, text, words, writer
from weir.edges.bundles.graph_words import encoded
from weir.edges.bundles.opened import Opened
from weir.edges.bundles.trained import is_lightgbm, reading
from weir.edges.features import plan as feature_plan
from weir.settings import Settings

if TYPE_CHECKING:
    import lightgbm as lgb

GOLDEN_ROWS_FEW = 100  # below it, a swap of two columns or a wrong category may change no golden score
_WRITTEN = {"label": "class"}  # a word of Python cannot be a field


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The content of the file; paths are relative to it. output, column, label: see adapt.Choice.

    value: of the service, and no part of the bundle, see operations.values.
    """

    service: str
    name: str
    version: str
    owner: str
    model: str
    golden: str
    baseline: str
    card: str
    signature: Signature
    feature_service: str = ""
    training_from: str = ""
    training_to: str = ""
    training_snapshot: str = ""
    tolerance: float = 1e-6
    metrics: dict[str, float] = field(default_factory=dict)
    output: str = ""
    column: int | None = None
    label: str | int | None = None
    value: str = ""

    def __post_init__(self) -> None:
        for name in ("training_from", "training_to"):
            if given := getattr(self, name):
                try:
                    datetime.date.fromisoformat(given)
                except ValueError:
                    raise ValueError(f"{name} is {given!r}, not a date: write it as 2026-01-31") from None


@dataclass(frozen=True, slots=True)
class Built:
    """A new bundle, or one that was there with the same content. said: what was chosen for the author, and warnings."""

    path: Path
    said: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """A model file, read. said: what it says of its columns. booster: where LightGBM itself can be asked for scores.

    positive: as in adapt.Adapted.
    """

    model: onnx.ModelProto
    signature: Signature
    chosen: list[str]
    said: words.Words
    booster: lgb.Booster | None
    positive: str = ""


def build(path: Path, settings: Settings, prove: Callable[[Opened], None] = lambda opened: None) -> Built:
    """Build the bundle that a file describes, under `settings.bundles_dir`. prove: see writer.build.

    Raises Refused naming what is wrong; nothing is left behind then.
    """
    try:
        return _build(path, settings, prove)
    except Refused as refusal:
        remedy = refusal.mend if isinstance(refusal, checks.Unfit) else refusal.remedy
        raise Refused(refusal.what, where=refusal.where or str(path), remedy=remedy) from refusal
    except Exception as error:  # whatever else a user's file makes a library raise
        what = f"the bundle cannot be built: {type(error).__name__}: {text.explain(error)}"
        raise Refused(what, where=str(path), remedy="correct the file that this names") from error


def _build(path: Path, settings: Settings, prove: Callable[[Opened], None]) -> Built:
    spec, raw = _read(path)
    source = _source(path.parent / spec.model, spec, raw)
    golden = _golden(rows.read(path.parent / spec.golden, source.signature), source)
    plan = feature_plan.load(settings, spec.feature_service) if spec.feature_service else None
    bundle = _bundle(spec, source.signature, plan)
    checks.check_contract(bundle)
    if plan is not None:
        checks.check_features(bundle, plan)
    same = [known for known in folder.folders(settings) if _same_version(folder.said(known), bundle)]
    before = set(same)

    def last_look(opened: Opened) -> None:
        if others := [known.name[:12] for known in same if known.name != opened.path.name]:
            raise Refused(
                f"{bundle.name} {bundle.version} of service {bundle.service} is there with another content: "
                f"{', '.join(others)}",
                where=str(settings.paths.bundles_dir),
                remedy="give it another `version`: predictions are told apart by it; if the other was never served, "
                f"`weir bundle remove {bundle.name} {bundle.version}` frees it",
            )
        prove(opened)

    built = writer.build(
        bundle,
        source.model,
        golden=golden,
        baseline=rows.read(path.parent / spec.baseline, source.signature),
        card=_text(path.parent / spec.card),
        into=settings.paths.bundles_dir,
        said=source.said,
        plan=plan,
        prove=last_look,
    )
    was_there = ["it was there with the same content"] if built in before else []
    warnings = [*_warnings(golden, source), *words.strangers(source.signature, encoded(source.model))]
    return Built(built, (*source.chosen, *was_there), tuple(warnings))


def _read(path: Path) -> tuple[Spec, dict[str, Any]]:
    """The file, typed. Raises Refused naming everything that is wrong with it, absent files included."""
    remedy = "`weir bundle spec --example` prints one with every key"
    try:
        raw = text.parse(path.read_bytes())
    except OSError as error:
        what = f"the specification cannot be read: {error.strerror}"
        raise Refused(what, where=str(path), remedy=f"give a YAML file: {remedy}") from error
    except ValueError as error:
        raise Refused(f"the specification is not understood: {error}", where=str(path), remedy=remedy) from error
    faults: list[str] = []
    spec = None
    try:
        spec = manifest.typed(Spec, raw, _WRITTEN)
        _bundle(spec, spec.signature, None)
    except ValueError as error:
        faults.append(f"the specification is not understood: {error}")
    named = {key: raw[key] for key in ("model", "golden", "baseline", "card") if isinstance(raw.get(key), str)}
    faults += [f"there is no {key} file {at!r}" for key, at in named.items() if not (path.parent / at).is_file()]
    if faults or spec is None:
        raise Refused("; ".join(faults), where=str(path), remedy=f"correct it; {remedy}")
    return spec, raw


def _bundle(spec: Spec, signature: Signature, plan: ServicePlan | None) -> Bundle:
    """Raises ValueError naming what is wrong."""
    return Bundle(
        service=spec.service,
        name=spec.name,
        version=spec.version,
        owner=spec.owner,
        signature=signature,
        digest="",
        feature_service=spec.feature_service,
        feature_fingerprint=plan.reading(signature.looked_up).fingerprint if plan else "",
        training_from=spec.training_from,
        training_to=spec.training_to,
        training_snapshot=spec.training_snapshot,
        tolerance=spec.tolerance,
        metrics=spec.metrics,
    )


def _source(path: Path, spec: Spec, raw: dict[str, Any]) -> _Source:
    with reading(path):
        return _lightgbm(path, spec) if is_lightgbm(path) else _onnx(path, spec, raw["signature"])


def _lightgbm(path: Path, spec: Spec) -> _Source:
    if spec.output or spec.column is not None or spec.label is not None:
        raise Refused(
            "a LightGBM text model has one output, and all of it is taken",
            remedy="leave `output`, `column` and `class` out",
        )
    if doubles := [item.name for item in spec.signature.inputs if item.dtype is Dtype.DOUBLE]:
        what = f"LightGBM's text is served in float32, and {', '.join(doubles)} would be rounded to it"
        raise Refused(what, remedy="set `dtype` to float, which callers write as float32")
    booster = lightgbm_onnx.read(path)
    model = lightgbm_onnx.convert(booster, spec.signature.input_tensor, spec.signature.output_tensor)
    said = words.Words(tuple(booster.feature_name()), words.levels(booster.pandas_categorical))
    checks.check_words(spec.signature, said, str(path))
    return _Source(model, spec.signature, [], said, booster)


def _onnx(path: Path, spec: Spec, named: dict[str, Any]) -> _Source:
    choice = adapt.Choice(
        output=spec.output or named.get("output_tensor", ""),
        column=spec.column,
        label=spec.label,
        input=named.get("input_tensor", ""),
    )
    given, changed = model_file.read(path)
    made = adapt.adapted(given, spec.signature, choice)
    said = words.Words(classes=made.classes or None)
    return _Source(made.model, made.signature, [*changed, *made.chosen], said, None, made.positive)


def _golden(golden: pa.Table, source: _Source) -> pa.Table:
    """Golden rows with the scores of the trained model, by LightGBM itself where the file does not hold them."""
    columns = rows.score_columns(source.signature)
    lacking = [name for name in columns if name not in golden.column_names]
    if not lacking:
        return golden
    if source.booster is None or not source.said.named:
        why = "an ONNX model can only be compared with itself" if source.booster is None else "it names no columns"
        raise Refused(
            f"golden rows lack {', '.join(lacking)}, and {why}",
            remedy=f"add {rows.listed(lacking)} with what the trained model itself gives for these rows",
        )
    try:
        scores = lightgbm_onnx.predicted(source.booster, rows.matrix(golden, source.signature)).astype(np.float32)
    except ValueError as error:
        remedy = "give a column of numbers for each input of the signature"
        raise Refused(f"golden rows: {error}", remedy=remedy) from error
    if scores.shape[1] != len(columns):
        what = f"the model gives {scores.shape[1]} scores a row, and task {source.signature.task} has {len(columns)}"
        raise Refused(what, remedy="correct `task`, and for multiclass `classes`: one for each of the model's")
    golden = golden.drop_columns([name for name in columns if name in golden.column_names])
    for name, column in zip(columns, scores.T, strict=True):
        golden = golden.append_column(name, pa.array(np.ascontiguousarray(column)))
    return golden


def _same_version(said: Bundle | None, bundle: Bundle) -> bool:
    if said is None:
        return False
    return (said.service, said.name, said.version) == (bundle.service, bundle.name, bundle.version)


def _warnings(golden: pa.Table, source: _Source) -> list[str]:
    found, signature = [], source.signature
    if source.positive:
        found.append(
            f"the score is the model's probability of {source.positive}, its second class, and is called positive: "
            "give `classes` as the model calls them, the positive one second"
        )
    if golden.num_rows < GOLDEN_ROWS_FEW:
        found.append(f"only {golden.num_rows} golden rows: with {GOLDEN_ROWS_FEW} a swapped column or code would show")
    found += _rounded(golden, signature)
    matrix = rows.matrix(golden, signature)
    still = [name for name, column in zip(signature.names, matrix.T, strict=True) if len(np.unique(column)) == 1]
    if still and golden.num_rows > 1:
        found.append(f"golden rows say nothing of inputs with one value only: {', '.join(still)}")
    return found


def _rounded(golden: pa.Table, signature: Signature) -> Iterator[str]:
    """Whole numbers of golden rows that float32 does not hold, where the model takes it."""
    for item in signature.inputs:
        if item.dtype is Dtype.INT and item.held is Held.FLOAT32:
            numbers = rows.numbers(golden, item.name)
            changed = numbers[numbers.astype(np.float32) != numbers]
            if len(changed := changed[np.isfinite(changed)]):
                yield (
                    f"the model takes float32 for {item.name}: {changed[0]:.0f} is {np.float32(changed[0]):.0f} to it, "
                    "and so are whole numbers above 16,777,216 that requests carry"
                )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Refused("the card is not UTF-8", where=str(path), remedy="save it as UTF-8") from error
