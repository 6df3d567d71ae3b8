"""Builds a bundle from a YAML file: what a data scientist hands over.

    service: churn                    # required, as are all that are not called optional
    name: churn-lightgbm
    version: "3"
    owner: growth-team
    model: churn.txt                  # ONNX (.onnx), or a LightGBM text model (.txt), which is converted
    golden: golden.parquet            # inputs and `score`; for a LightGBM model the score may be left out
    baseline: baseline.parquet        # inputs, `score` and `label`
    card: card.md
    feature_service: churn_v1         # optional; its fingerprint is that of the applied repository
    training_from: 2026-01-01         # optional, as are training_to, tolerance and metrics
    signature:                        # see app/weir/core/signature.py
      join_keys: [{name: customer}]
      inputs:
        - {name: amount, source: request, ref: amount, low: 0.0}
        - name: spend
          source: feature
          ref: customer_recent__spend
          on_missing: default         # use (NaN), default or reject: the store has no value
          on_stale: use               # use, default or reject: the value is older than max_age_s, or the view's ttl
          on_unavailable: use         # use (the last value read; without one as on_missing), default or reject: the
          default: 0.0                #   store does not answer within WEIR_LOOKUP_BUDGET_MS

Paths are relative to the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.signature import Signature
from weir.edges.bundles import manifest as bundle_manifest
from weir.edges.bundles import store as bundle_store
from weir.edges.bundles import writer as bundle_writer
from weir.edges.bundles.lightgbm_onnx import convert
from weir.edges.features import plan as feature_plan
from weir.settings import Settings

REQUIRED = ("service", "name", "version", "owner", "model", "golden", "baseline", "card", "signature")
OPTIONAL = ("feature_service", "training_from", "training_to", "tolerance", "metrics")


def build(spec: Path, settings: Settings) -> Path:
    """Build the bundle that `spec` describes, under `settings.bundles_dir`. Raises Refused naming what is wrong."""
    content = _read(spec)
    signature = _signature(content["signature"], spec)
    model, booster = _model(_file(spec, content, "model"), signature)
    golden = _table(_file(spec, content, "golden"))
    if booster is not None and bundle_store.SCORE not in golden.column_names:
        scores = np.asarray(booster.predict(bundle_store.matrix(golden, signature)))
        golden = golden.append_column(bundle_store.SCORE, pa.array(scores.astype(np.float32)))
    service = str(content.get("feature_service", ""))
    bundle = Bundle(
        **{key: str(content[key]) for key in ("service", "name", "version", "owner")},
        signature=signature,
        digest="",
        feature_service=service,
        feature_fingerprint=feature_plan.load(settings, service).fingerprint if service else "",
        training_from=str(content.get("training_from", "")),
        training_to=str(content.get("training_to", "")),
        tolerance=float(content.get("tolerance", 1e-6)),
        metrics=dict(content.get("metrics", {})),
    )
    return bundle_writer.build(
        bundle,
        model,
        golden=golden,
        baseline=_table(_file(spec, content, "baseline")),
        card=_file(spec, content, "card").read_text(encoding="utf-8"),
        into=settings.paths.bundles_dir,
    )


def _read(spec: Path) -> dict[str, Any]:
    try:
        content = bundle_manifest.parse(spec.read_bytes())
    except (OSError, ValueError) as error:
        what = f"the specification cannot be read: {error}"
        raise Refused(what, where=str(spec), remedy=f"give a YAML file with {', '.join(REQUIRED)}") from error
    if absent := [key for key in REQUIRED if key not in content]:
        raise Refused(f"the specification lacks {', '.join(absent)}", where=str(spec), remedy="add it")
    if unknown := [key for key in content if key not in REQUIRED + OPTIONAL]:
        raise Refused(f"the specification has unknown {', '.join(unknown)}", where=str(spec), remedy="remove it")
    return content


def _signature(raw: Any, spec: Path) -> Signature:
    try:
        return Signature.from_dict(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"the signature is not understood: {error}", where=str(spec), remedy="correct it") from error


def _file(spec: Path, content: dict[str, Any], key: str) -> Path:
    path = spec.parent / str(content[key])
    if not path.is_file():
        raise Refused(f"there is no {key} file", where=str(path), remedy=f"correct `{key}` in {spec.name}")
    return path


def _model(path: Path, signature: Signature) -> tuple[onnx.ModelProto, lgb.Booster | None]:
    remedy = "give an ONNX file (.onnx) or a LightGBM text model (.txt)"
    try:
        if path.suffix == ".onnx":
            return onnx.load(path), None
        if path.suffix == ".txt":
            booster = lgb.Booster(model_file=path)
            return convert(booster, signature.input_tensor, signature.output_tensor), booster
    except (ValueError, lgb.basic.LightGBMError, onnx.checker.ValidationError) as error:
        raise Refused(f"the model cannot be used: {error}", where=str(path), remedy=remedy) from error
    except Exception as error:  # protobuf's DecodeError lives at a place that differs between its backends
        raise Refused(f"the model is not what its name says: {error}", where=str(path), remedy=remedy) from error
    raise Refused(
        f"{path.name} is neither ONNX nor LightGBM text, and no pickle is ever loaded", where=str(path), remedy=remedy
    )


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise Refused(f"not a Parquet file: {error}", where=str(path), remedy="write it with Parquet") from error
