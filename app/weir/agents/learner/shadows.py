"""Of requests that a promoted learner answered: what the bundle said that answered before, and is its shadow now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver import Client

from weir.agents.learner.entries import lists, matrix, numbers
from weir.edges.clickhouse import learning, sql_files
from weir.learn import pairs

SHADOW_MS: Final = 5000  # for which an answer's shadow is waited for: outcomes that come at once wait so long at most


def with_beside(client: Client, service: str, served: pa.Table, labels: Sequence[str], at_ms: int) -> pa.Table:
    """The same requests with who each is judged beside, columns learner, pair and beside; some may be left out.

    served: columns of learners/served. Left out are those that a learner answered just now, whose shadow's score is not
    recorded yet. learner: who answered, empty for any other model. pair: see pairs. beside: float64[m], NaN where
    nobody knows. at_ms: now. Raises Unavailable, Refused.
    """
    n = served.num_rows
    width = len(labels) or 1
    learned = served.column("learned").to_numpy().astype(bool)
    if not learned.any():
        empty = pa.array([""] * n, pa.string())
        columns = {"learner": empty, "pair": served.column("by"), "beside": lists(np.full((n, width), np.nan))}
        return _with(served, columns)
    taken = {row["answers"]: row for row in sql_files.rows(client, "learners/promotions", service=service)}
    by = served.column("by").to_pylist()
    shadow = [taken[one]["shadow"] if one in taken else "" for one in by]
    learner = [taken[one]["learner"] if one in taken else "" for one in by]
    beside, there = _scores(client, service, served.column("id").to_pylist(), shadow, labels, width)
    columns = {
        "learner": pa.array(learner, pa.string()),
        "pair": pa.array([pairs.of(*each) for each in zip(by, shadow, strict=True)], pa.string()),
        "beside": lists(beside),
    }
    young = numbers(served, "answered_ms") > at_ms - SHADOW_MS
    return _with(served, columns).filter(pa.array(~learned | there | ~young))


def _scores(
    client: Client, service: str, ids: Sequence[str], shadow: Sequence[str], labels: Sequence[str], width: int
) -> tuple[Any, Any]:
    """What the shadow of each of n requests said, float64[n, m], and whether it is recorded, bool[n]."""
    found = np.full((len(ids), width), np.nan)
    wanted = sorted({one for one in shadow if one})
    asked = [one for one, of in zip(ids, shadow, strict=True) if of]
    if not asked:
        return found, np.zeros(len(ids), bool)
    rows = learning.beside(client, service, asked, wanted, labels)
    keys = pc.binary_join_element_wise(pa.array(ids, pa.string()), pa.array(shadow, pa.string()), "/")
    known = pc.binary_join_element_wise(rows.column("id"), rows.column("shadow"), "/").combine_chunks()
    place = pc.index_in(keys, value_set=known)
    there = place.is_valid().to_numpy(zero_copy_only=False)
    said = matrix(rows, "outputs") if labels else rows.column("score").to_numpy().astype(np.float64)[:, None]
    found[there] = said[place.drop_null().to_numpy()]
    return found, there


def _with(served: pa.Table, columns: dict[str, Any]) -> pa.Table:
    for name, values in columns.items():
        served = served.append_column(name, values)
    return served
