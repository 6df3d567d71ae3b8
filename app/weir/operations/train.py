"""A new bundle from a request for training, and how it compares with the champion on days that it has not seen."""

from __future__ import annotations

import hashlib
import importlib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from clickhouse_connect.driver import Client

from weir.core.bundle import ASKED_FOR
from weir.core.errors import Refused
from weir.core.signature import Dtype, Signature, Task
from weir.edges.bundles import folder, rows, text, trained
from weir.learn.comparison import Comparison, compared
from weir.learn.learner import CHAMPION, LEARNER, Subject, Terms
from weir.learn.model import Floats
from weir.learn.prequential import Prequential
from weir.monitor.action import Action
from weir.operations import bundles, services, training_rows
from weir.operations.training_rows import DAY_MS, Rows
from weir.settings import Settings

HELD: Final = 0.25  # of the days, the newest, which the new model is compared on and does not see
LEAST: Final = 200  # rows to train on
GOLDEN, BASELINE = 500, 20_000  # rows
OWN: Final = ("output", "column", "class", "metrics", "tolerance", "value")  # keys of a specification that are its own
OBJECTIVES: Final = {Task.BINARY: "binary", Task.MULTICLASS: "multiclass", Task.REGRESSION: "regression"}
ROUNDS: Final = 200
Fit = Callable[[pa.Table, Floats, Floats], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of a request.

    asked: outcomes that it names, None where it counts none. found: those that the record has of it. trained_on: rows;
    held: rows of `days` days from since_ms on, which the comparison is on, and that the model has not seen. early: rows
    left out, since their outcomes came when those days had begun. rows: figures by who answers.
    """

    action: Action
    bundle: Path
    digest: str
    by: str
    asked: int | None
    found: int
    trained_on: int
    early: int
    held: int
    days: int
    since_ms: int
    rows: list[dict[str, Any]]
    comparison: Comparison


def train(client: Client, settings: Settings, which: str, by: str = "") -> Trained:
    """Train by the request with this id, build the bundle, and compare it.

    by: `module:function` of the project, see `fit_of`; empty: LightGBM. Raises Unavailable; Refused.
    """
    asked = training_rows.request(client, which)
    champion = folder.read(folder.find(asked.service, settings)).bundle
    spec = text.parse(services.spec_of(asked.service, settings).read_bytes())
    signature = champion.signature
    fit = fit_of(by, settings) if by else _lightgbm(signature)
    found = training_rows.read(client, asked, signature)
    since_ms = _held_since(found)
    newest = found.served_ms >= since_ms
    known = found.known_ms < since_ms
    old, held = found.where(~newest & known), found.where(newest)
    if len(old.y) < LEAST or not len(held.y):
        what = f"{len(old.y):,} rows are known before the newest days, of {LEAST} to train on"
        raise Refused(what, remedy="train by a later request, when more outcomes have come")
    content = fit(_table(old, signature), old.y, np.ones(len(old.y)))
    draft = _draft(settings, asked, content)
    said = [_scores(draft, signature, each) for each in (old, held)]
    figures, comparison = _compare(signature, held, said[1])
    _write(draft, asked, spec, signature, (old, said[0]), (held, said[1]), figures)
    built = bundles.build(draft / services.SPEC, settings)
    return Trained(
        action=asked,
        bundle=built.path,
        digest=built.path.name,
        by=by or "LightGBM",
        asked=asked.parameters.get("outcomes"),
        found=len(found.y),
        trained_on=len(old.y),
        early=int(np.count_nonzero(~newest & ~known)),
        held=len(held.y),
        days=len(np.unique(held.served_ms // DAY_MS)),
        since_ms=since_ms,
        rows=figures,
        comparison=comparison,
    )


def fit_of(by: str, settings: Settings) -> Fit:
    """The project's function that trains: (features, labels, weights) -> the model's file as bytes.

    It is given a pyarrow.Table with a column of float64 for each input (NaN: missing; a category is its position), the
    labels float64[n] (a number, or the index of a class, of two the positive one second) and weights float64[n]. Its
    bytes are ONNX or LightGBM's own text; a pickle is refused. Raises Refused where there is no such function.
    """
    module, _, name = by.partition(":")
    home = str(settings.paths.services_dir.absolute().parent)
    if home not in sys.path:
        sys.path.insert(0, home)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        remedy = f"write module:function, of a module that stands in {home}"
        raise Refused(f"there is no function {by} to train by: {error}", where="--with", remedy=remedy) from error
    if not callable(found):
        raise Refused(f"{by} is no function", where="--with", remedy="write module:function")
    called: Fit = found
    return called


def categories_of(signature: Signature) -> list[int]:
    """Columns that are categories, for LightGBM."""
    return [i for i, item in enumerate(signature.inputs) if item.dtype is Dtype.CATEGORY]


def options_of(signature: Signature) -> dict[str, Any]:
    """Of LightGBM: its defaults but for the step; the same rows give the same model."""
    options: dict[str, Any] = {"objective": OBJECTIVES[signature.task], "learning_rate": 0.05, "verbosity": -1}
    options |= {"seed": 1, "deterministic": True, "force_row_wise": True, "num_threads": 1}
    return options | ({"num_class": len(signature.labels)} if signature.task is Task.MULTICLASS else {})


def _lightgbm(signature: Signature) -> Fit:
    """LightGBM, with so many trees."""
    options, categories = options_of(signature), categories_of(signature)

    def fit(features: pa.Table, labels: Floats, weights: Floats) -> bytes:
        x = np.column_stack([column.to_numpy() for column in features.columns])
        data = lgb.Dataset(x, labels, weight=weights, categorical_feature=categories)
        return str(lgb.train(options, data, ROUNDS).model_to_string()).encode()

    return fit


def _held_since(found: Rows) -> int:
    """When the days begin that are held out."""
    days = np.unique(found.served_ms // DAY_MS)
    return int(days[len(days) - max(1, round(HELD * len(days)))]) * DAY_MS


def _table(of: Rows, signature: Signature) -> pa.Table:
    return pa.table({name: of.x[:, i] for i, name in enumerate(signature.names)})


def _draft(settings: Settings, asked: Action, content: bytes) -> Path:
    """A folder with the model's file, by the bytes that there are. Raises Refused for a pickle."""
    made = settings.paths.home.absolute() / "training" / asked.service / asked.action_id[:8]
    made.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes) or not content:
        raise Refused("the function gave no bytes of a model", where="--with", remedy="return the file's content")
    if content[:1] == b"\x80":
        remedy = "return ONNX, or LightGBM's own text: no pickle is ever loaded"
        raise Refused("the function gave a pickle", where="--with", remedy=remedy)
    for old in made.glob("model.*"):
        old.unlink()
    (made / f"model.{'txt' if content.startswith(b'tree') else 'onnx'}").write_bytes(content)
    return made


def _scores(draft: Path, signature: Signature, of: Rows) -> Floats:
    """What the new model says, float64[n, m]."""
    source = trained.read(next(draft.glob("model.*")))
    table = _table(of, signature)
    given = source.scores(signature, "", rows.matrix(table, signature), rows.tables(table, signature))
    said: Floats = np.asarray(given, np.float64).reshape(len(of.y), -1)
    return said[:, -1:] if signature.task is not Task.MULTICLASS else said


def _compare(signature: Signature, held: Rows, said: Floats) -> tuple[list[dict[str, Any]], Comparison]:
    """Figures of both on the held days, and by how much the new one is better."""
    subject = Subject(signature.task, signature.labels if signature.task is not Task.REGRESSION else (), ())
    figures = Prequential(subject, (LEARNER, CHAMPION))
    there = np.isfinite(held.champion).all(1)
    answers = {LEARNER: said[there], CHAMPION: held.champion[there]}
    figures.take(held.served_ms[there], answers, held.y[there], np.zeros(int(there.sum()), np.int64))
    days = figures.days()
    terms = Terms(warm_up=0, wait_h=0)
    until_ms = int(held.served_ms[-1]) + 2 * DAY_MS
    of = compared(days, terms, until_ms=until_ms, stopped=False, champion=CHAMPION, baselines=())
    return [row for row in figures.rows() if row["month"] == "all"], of


def _write(
    draft: Path,
    asked: Action,
    spec: Mapping[str, Any],
    signature: Signature,
    old: tuple[Rows, Floats],
    held: tuple[Rows, Floats],
    figures: list[dict[str, Any]],
) -> None:
    """Golden rows, baseline, card and specification beside the model."""
    _sample(*held, GOLDEN, signature, draft / "golden.parquet", labelled=False)
    _sample(*old, BASELINE, signature, draft / "baseline.parquet", labelled=True)
    said, short = asked.parameters, asked.action_id[:8]
    day = {name: f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}" for name, ms in _span(old[0]).items()}
    place = f", log {said['labelled_log']} to offset {said['labelled_offset']}" if "labelled_log" in said else ""
    until = f"{datetime.fromtimestamp(said['known_until'] / 1000, UTC):%Y-%m-%dT%H:%M:%S}Z"
    what = f"{ASKED_FOR}{asked.action_id}: {len(old[0].y)} outcomes known until {until}{place}"
    of = {row["who"]: row for row in figures}
    metrics = {
        f"{'champion_' if who == CHAMPION else ''}{name}": value
        for who, row in of.items()
        for name, value in row.items()
        if name not in ("month", "who") and math.isfinite(value)
    }
    model = next(draft.glob("model.*"))
    state = hashlib.sha256(model.read_bytes()).hexdigest()[:6]  # another function makes another model of one request
    kept = {name: value for name, value in spec.items() if name not in OWN}
    new = kept | {
        "version": f"{spec['version']}-{short}-{state}",
        "model": model.name,
        "golden": "golden.parquet",
        "baseline": "baseline.parquet",
        "card": "card.md",
        "training_from": day["from"],
        "training_to": day["to"],
        "training_snapshot": what,
        "metrics": metrics,
    }
    lines = [f"# {asked.service}, trained anew", "", asked.sentence, "", what]
    (draft / "card.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    (draft / services.SPEC).write_text(text.write(new), encoding="utf-8")


def _span(old: Rows) -> dict[str, int]:
    return {"from": int(old.served_ms[0]), "to": int(old.served_ms[-1])}


def _sample(of: Rows, said: Floats, most: int, signature: Signature, path: Path, *, labelled: bool) -> None:
    """Rows evenly out of all, with their scores."""
    chosen = np.unique(np.linspace(0, len(of.y) - 1, min(most, len(of.y))).astype(np.int64))
    mask = np.zeros(len(of.y), bool)
    mask[chosen] = True
    table = _table(of.where(mask), signature)
    for i, name in enumerate(rows.score_columns(signature)):
        table = table.append_column(name, pa.array(said[chosen, i].astype(np.float32)))
    if labelled:
        y = of.y[chosen]
        names = pa.array(signature.labels if signature.task is not Task.REGRESSION else [], pa.string())
        label = names.take(pa.array(y.astype(np.int64))) if len(names) else pa.array(y)
        table = table.append_column(rows.LABEL, label)
    pq.write_table(table, path, compression="zstd")
