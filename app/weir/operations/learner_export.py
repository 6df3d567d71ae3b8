"""The state of a live learner as ONNX: a graph for all of its states, and the arrays of this one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from weir.agents.learner.books import Book, Snapshots
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.edges.kafka.admin import partitions_of
from weir.learn import onnx_linear, snapshot
from weir.learn.learner import Subject
from weir.learn.model import Floats
from weir.settings import Settings

ROWS: Final = 1000  # that the graph is compared over
DTYPES: Final = ("float64", "float32")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. off: how far the graph is from the learner at most, by type of its numbers."""

    digest: str
    paths: tuple[Path, ...]
    off: Mapping[str, float]


def export(settings: Settings, name: str, folder: Path) -> Exported:
    """Write the last good state of a learner to a folder.

    <name>.float64.onnx and <name>.float32.onnx take x and the state as inputs; <name>.<digest>.npz has the state, and
    the names of its columns. Compared with the learner first: what differs is not written.
    Raises Unavailable; Refused without such a state, and where the graph differs.
    """
    topic = settings.kafka.names.learner_snapshots
    partitions_of(settings.kafka, topic)
    found = [row for (_, known), row in Snapshots(Book(settings, topic)).read().items() if known == name]
    if not found or not found[-1]["answering"]:
        remedy = (
            f"a standard scaler with a logistic or linear regression has one, once `weir learners show {name}` says "
            "that it has learned a whole window; no other model is exported"
        )
        raise Refused(f"learner {name} has no state that ONNX could hold", where=topic, remedy=remedy)
    about = json.loads(found[-1]["about"])
    task = Task.BINARY if about["classes"] else Task.REGRESSION  # a linear learner has no other
    subject = Subject(task, tuple(about["classes"]), tuple(about["columns"]))
    good, _ = snapshot.load(found[-1]["good"], subject, about["learner"])
    return _written(folder, name, list(subject.columns), good.kept, task)


def _written(folder: Path, name: str, columns: list[str], kept: tuple[Floats, Floats], task: Task) -> Exported:
    digest, off, files = onnx_linear.digest_of(kept), {}, {}
    for dtype in DTYPES:
        content = onnx_linear.graph(task, len(columns), dtype).SerializeToString()
        try:
            off[dtype] = onnx_linear.checked(_session(content), kept, task, _rows(kept), dtype)
        except onnx_linear.Differs as error:
            raise Refused(
                f"state {digest} of {name} is not written: {error}", remedy="report it with the state"
            ) from error
        files[f"{name}.{dtype}.onnx"] = content
    arrays = io.BytesIO()
    state: dict[str, Any] = {"columns": np.array(columns), **onnx_linear.arrays(kept)}
    np.savez(arrays, **state)
    files[f"{name}.{digest}.npz"] = arrays.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return Exported(digest, tuple(folder / file for file in files), off)


def _session(content: bytes) -> onnx_linear.Runs:
    import onnxruntime  # noqa: PLC0415 - large, and one command's

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def runs(inputs: Mapping[str, Any]) -> Any:
        return session.run(None, dict(inputs))[0]

    return runs


def _rows(kept: tuple[Floats, Floats]) -> Floats:
    """Rows as it has seen some: around its means, some values missing, the same ones each time."""
    _, mean, variance, _ = kept[0]
    chance = np.random.default_rng(1)
    x: Floats = mean + np.sqrt(np.maximum(variance, 0)) * chance.normal(size=(ROWS, len(mean)))
    x[chance.random(x.shape) < 0.05] = np.nan
    return x
