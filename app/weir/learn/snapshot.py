"""What a linear learner knows, as bytes: columns of Arrow, and JSON beside them. Reading it runs nothing of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pyarrow as pa

from weir.learn.baselines import Seen
from weir.learn.guards import Usual
from weir.learn.learner import Subject
from weir.learn.linear import NUMBERS, STATE
from weir.learn.model import Floats
from weir.learn.run import Good, Position, Stop
from weir.learn.tenants import Gap

FORMAT: Final = 2
KEY: Final = b"weir.learner"
USUAL: Final = ("usual_count", "usual_mean", "usual_squares")


def dump(good: Good, subject: Subject, learner: Mapping[str, Any], versions: Mapping[str, str]) -> bytes:
    """An Arrow IPC file with a row for each column of the learner. The same state gives the same bytes.

    learner: what the state belongs to, see agents.learner.made. versions: of what made it.
    """
    state, numbers = good.kept
    k = len(subject.columns)
    usual = (good.usual.counts, good.usual.means, good.usual.squares)
    columns = {"column": pa.array(subject.columns, pa.string())}
    columns |= {name: pa.array(row) for name, row in zip(STATE, state, strict=True)}
    columns |= {name: pa.array(row[:k]) for name, row in zip(USUAL, usual, strict=True)}
    said = {
        "format": FORMAT,
        "learner": dict(learner),
        "versions": dict(versions),
        "task": subject.task.value,
        "classes": list(subject.classes),
        "numbers": dict(zip(NUMBERS, numbers.tolist(), strict=True)),
        "outcomes": good.outcomes,
        "position": asdict(good.position),
        "stop": asdict(good.stop) if good.stop else None,
        "usual": {"classes": good.usual.classes.tolist(), "label": [row[k:].tolist() for row in usual]},
        "gaps": {tenant: [gap.rows, *gap.means] for tenant, gap in sorted(good.gaps.items())},
        "seen": {"sums": good.seen.sums.tolist(), "last": None if math.isnan(good.seen.last) else good.seen.last},
    }
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(said, allow_nan=False)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def load(content: bytes, subject: Subject, learner: Mapping[str, Any]) -> tuple[Good, dict[str, str]]:
    """The state that a snapshot is of, and the versions of what made it.

    Raises ValueError saying why it is none, or is another learner's.
    """
    try:
        table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
        said = json.loads((table.schema.metadata or {})[KEY])
        version = said["format"]
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("it is no snapshot of a learner") from error
    if version != FORMAT:
        raise ValueError(f"it is of format {version}, and this Weir reads {FORMAT}")
    try:
        if why := _another(table, said, subject, learner):
            raise ValueError(why)
        return _good(table, said, len(subject.columns)), dict(said["versions"])
    except (KeyError, TypeError, AttributeError, pa.ArrowInvalid) as error:
        raise ValueError("it is no snapshot of a learner: a part is missing or is not what it should be") from error


def _another(table: pa.Table, said: Mapping[str, Any], subject: Subject, learner: Mapping[str, Any]) -> str:
    """Why a sound snapshot does not belong here; "" where it does."""
    if differing := [name for name, value in learner.items() if said["learner"].get(name) != value]:
        return f"it is of a learner whose {', '.join(differing)} differs"
    if (said["task"], said["classes"]) != (subject.task.value, list(subject.classes)):
        return "it is of a service with another task or other classes"
    if table.column("column").to_pylist() != list(subject.columns):
        return "it is of other features, or of another order of them"
    return ""


def _good(table: pa.Table, said: Mapping[str, Any], k: int) -> Good:
    state = np.array([_floats(table, name) for name in STATE])
    numbers = np.array([float(said["numbers"][name]) for name in NUMBERS])
    label = [np.array(values, np.float64) for values in said["usual"]["label"]]
    usual = [np.concatenate([_floats(table, name), more]) for name, more in zip(USUAL, label, strict=True)]
    classes = np.array(said["usual"]["classes"], np.int64)
    seen, stop, outcomes = said["seen"], said["stop"], int(said["outcomes"])
    rows = outcomes
    last = math.nan if seen["last"] is None else float(seen["last"])
    return Good(
        (state, numbers),
        Usual(rows, usual[0], usual[1], usual[2], classes),
        Seen(outcomes, np.array(seen["sums"], np.float64), last),
        outcomes,
        Position(**said["position"]),
        Stop(**{**stop, "at": Position(**stop["at"])}) if stop else None,
        {tenant: Gap(int(n), (float(first), float(second))) for tenant, (n, first, second) in said["gaps"].items()},
    )


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table.column(name).cast(pa.float64()).to_numpy(), np.float64)
