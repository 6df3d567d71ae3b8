"""What the decisions of several who answer were worth, by the formula of the service: the learner's, too.

A decision is what the service's newest bundle makes of a score. The worth of each decision is worked out where outcomes
are, by ClickHouse; which of them an answer is, is said here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.signature import Task
from weir.edges.clickhouse import results, sql_files
from weir.learn.learner import CHAMPION
from weir.learn.model import Floats
from weir.learn.run import Whole


@dataclass(frozen=True, slots=True)
class Worth:
    """How decisions are read and valued. formula: as ClickHouse writes it; "" where values are not compared, see `why`.

    decisions: by their place. cuts: float32[d - 1], of two classes; none of several.
    """

    formula: str = ""
    decisions: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    why: str = ""


def worth_of(client: Client, service: str, task: Task, formula: str) -> Worth:
    """By the formula that the service states. Raises Unavailable; Refused for one that cannot be used."""
    written = results.check(client, service, formula)
    if not written:
        return Worth()
    if task is Task.REGRESSION:
        return Worth(why="values are compared of decisions, and a number is none")
    if re.search(r"\bscore\b", results.QUOTED.sub("", written)):
        return Worth(why="values are not compared: the formula names the score, and not the decision alone")
    known = [row for row in sql_files.rows(client, "bundles/names") if row["service"] == service]
    newest = max(known, key=lambda row: (row["role"] == "scorer", row["written_at"]))
    return Worth(written, tuple(newest["decisions"]), tuple(newest["cuts"]) if task is Task.BINARY else ())


def of_answers(worth: Worth, page: pa.Table, answers: Mapping[str, Floats]) -> dict[str, Floats]:
    """What each answer to n requests was worth, float64[n], NaN where it has no value; nothing without a formula.

    page: the requests, with `worth` and `decided`, see edges.clickhouse.learning. answers: float64[n, m] by who
    answers; the champion's decision is the one that was recorded.
    """
    if not worth.formula:
        return {}
    each = pa.chunked_array([chunk.flatten() for chunk in page.column("worth").chunks], pa.float64()).to_numpy()
    values = each.reshape(page.num_rows, -1)
    values = np.column_stack([np.where(np.abs(values) < results.LARGEST, values, np.nan), np.full(len(values), np.nan)])
    decided = page.column("decided").to_numpy().astype(np.int64)
    found = {who: _decided(worth, said) for who, said in answers.items()} | {CHAMPION: decided}
    rows = np.arange(len(values))
    return {who: values[rows, index] for who, index in found.items()}


def _decided(worth: Worth, said: Floats) -> Whole:
    """The place of each decision. No opinion is the same chance for each class."""
    if not worth.cuts:
        return np.asarray(np.where(np.isnan(said), 0, said).argmax(1), np.int64)
    scores = np.where(np.isnan(said[:, 0]), 0.5, said[:, 0]).astype(np.float32)
    return np.asarray(np.searchsorted(np.array(worth.cuts, np.float32), scores, side="right"), np.int64)
