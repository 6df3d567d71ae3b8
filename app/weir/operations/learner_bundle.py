"""The bundle of a learner: its newest state, answering in the place of a model of its service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from weir.agents.learner import files
from weir.agents.learner.books import Book, Snapshots
from weir.core.bundle import Bundle, Learned
from weir.core.errors import Refused
from weir.edges.bundles import folder, rows
from weir.edges.bundles.learned import columns_of
from weir.edges.kafka.admin import partitions_of
from weir.learn import onnx_linear, onnx_served
from weir.learn.learner import CHAMPION
from weir.learn.model import Floats
from weir.operations.bundles import plan_of
from weir.settings import Settings

TOLERANCE: Final = 1e-6  # of its golden scores: float32 of a double
CARD: Final = """# {name}

Learner {name} of service {service}, built with its state {state} after {learned:,} outcomes. It goes on learning:
whoever serves this bundle follows its states, and each prediction names the one that made it. Inputs, decisions and
the rows of the baseline are those of {model} {version} ({digest}).
"""


def newest(settings: Settings, name: str) -> dict[str, Any]:
    """The newest record of a learner of the project. Raises Unavailable; Refused where there is none, or it stopped.

    Also where no bundle can say exactly what it says.
    """
    learner = files.named(settings, name)
    topic = settings.kafka.names.learner_snapshots
    partitions_of(settings.kafka, topic)
    row = Snapshots(Book(settings, topic)).read().get((learner.service, name))
    if row is None:
        remedy = "`weir worker learner` writes one with the first outcome"
        raise Refused(f"learner {name} has no state yet", where=topic, remedy=remedy)
    if stop := json.loads(row["stop"]):
        what = f"learner {name} is stopped by guard {stop['guard']}: {stop['what']}"
        raise Refused(what, remedy=f"`weir learners resume {name} --reason WHY` lets it go on")
    if not row["answering"]:
        what = f"the model of learner {name} cannot be served: no graph says exactly what it says"
        remedy = (
            "a standard scaler with a logistic or linear regression can be; any other is judged beside the champion"
        )
        raise Refused(what, remedy=remedy)
    if CHAMPION in json.loads(row["about"])["columns"]:
        what = f"learner {name} takes what the service answers, which would be its own answers"
        raise Refused(what, remedy="promote a learner whose file does not say `champion: true`")
    return row


def build(settings: Settings, row: Mapping[str, Any], champion: Path) -> Path:
    """The bundle of a learner's record, with the inputs and decisions of this bundle of its service.

    Raises Refused where it does not fit; nothing is left behind then.
    """
    from weir.edges.bundles import writer  # noqa: PLC0415 - training libraries

    described = folder.read(champion)
    about, signature = json.loads(row["about"]), described.bundle.signature
    columns, state = tuple(about["columns"]), onnx_linear.state_in(row["answering"])
    if lacking := [name for name in columns if name not in signature.names]:
        what = f"learner {row['learner']} takes {lacking[0]}, which is no input of {described.bundle.short_digest}"
        raise Refused(what, where=str(champion), remedy="name inputs of the service in the learner's file")
    bundle = replace(
        described.bundle,
        name=row["learner"],
        version=row["digest"],
        digest="",
        training_from="",
        training_to="",
        training_snapshot="",
        tolerance=TOLERANCE,
        metrics={},
        learner=Learned(
            name=row["learner"],
            state=row["digest"],
            model=about["learner"]["model"],
            window=about["learner"]["window"],
            columns=columns,
        ),
    )
    said = described.bundle
    card = CARD.format(
        name=bundle.name,
        service=bundle.service,
        state=bundle.version,
        learned=row["learned"],
        model=said.name,
        version=said.version,
        digest=said.short_digest,
    )
    golden, baseline = (
        _answered(rows.read(champion / file, signature), bundle, state) for file in (folder.GOLDEN, folder.BASELINE)
    )
    return writer.build(
        bundle,
        onnx_served.graph(signature, columns, state),
        golden=golden,
        baseline=baseline,
        card=card,
        into=settings.paths.bundles_dir,
        plan=plan_of(described.bundle, settings),
    )


def _answered(table: pa.Table, bundle: Bundle, state: tuple[Floats, Floats]) -> pa.Table:
    """The rows with what the learner says of them."""
    signature, learner = bundle.signature, bundle.learner
    assert learner is not None
    x = columns_of(rows.matrix(table, signature), rows.tables(table, signature), signature, learner.columns)
    score = pa.array(onnx_served.said(signature.task, state, x).astype(np.float32))
    return table.drop_columns([rows.SCORE]).append_column(rows.SCORE, score)
