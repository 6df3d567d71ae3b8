"""What a learner would have lived through: requests and outcomes of a service, one behind the other, page by page.

They are put into a temporary table in their order, by one statement, so that the view joins once and no memory has to
hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering, url_of, within_memory
from weir.edges.clickhouse.results import view_of

NAME: Final = "learner_events"
IDLE_S: Final = "3600"  # ClickHouse's most: the table goes with its session, however the command ends
VALUES: Final = 1 << 22  # numbers of a page, 32 MiB
MOST: Final = 1 << 16  # rows of a page
MAKE: Final = """
    CREATE TEMPORARY TABLE {name:Identifier}
    ENGINE = MergeTree ORDER BY (at, learned, prediction_id, scored_at, digest) AS
    SELECT * EXCEPT (decision, label, observed, attributes), <worth> AS worth,
           toInt64(indexOf({decisions:Array(String)}, decision)) - 1 AS decided
    FROM (
"""
# Of each decision; the name within hides the column.
WORTH: Final = "arrayMap(decision -> ifNull(toFloat64(<formula>), nan), {decisions:Array(String)})"
NO_WORTH: Final = "CAST([], 'Array(Float64)')"
DROP: Final = "DROP TEMPORARY TABLE IF EXISTS {name:Identifier}"
UNUSABLE: Final = "SELECT countIf(learned AND isNaN(y)) FROM {name:Identifier}"
# A request that was answered twice under one id counts once, by the answer that came first.
PAGE: Final = """
    SELECT at, learned, served, toString(prediction_id) AS id, toString(tenant) AS tenant, x, y, score, outputs, worth,
           decided
    FROM {name:Identifier}
    WHERE at >= {at:Int64} AND NOT isNaN(y)
      AND (at, learned, prediction_id) > ({at:Int64}, {learned:UInt8}, toUUID({id:String}))
    ORDER BY at, learned, prediction_id, scored_at, digest
    LIMIT 1 BY at, learned, prediction_id
    LIMIT {rows:UInt32}
"""
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
IDS: Final = 8192  # of a question, which goes into the address: servers take a megabyte of one
KEYS: Final = 200  # the same of ids that callers write


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which events.

    begin, end: of event time, and the end of what became known, too. inputs: of the model, by name. words: what an
    outcome may be called; none of a number. labels: the classes whose chances were answered. known: received, the time
    at which Weir got an outcome, or occurred, that at which it came true. worth: a formula that `results.check` has
    looked at, of the value of each of `decisions`; empty for none.
    """

    service: str
    begin: datetime
    end: datetime
    inputs: Sequence[str]
    words: Sequence[str]
    labels: Sequence[str]
    known: str
    decisions: Sequence[str] = ()
    worth: str = ""

    def parameters(self) -> dict[str, Any]:
        """What the SQL takes."""
        return {
            "results": view_of(self.service),
            "from": self.begin,
            "to": self.end,
            "inputs": list(self.inputs),
            "words": list(self.words),
            "labels": list(self.labels),
            "known": self.known,
            "decisions": list(self.decisions),
        }


class Recorded:
    """Events in their order. unusable: outcomes whose word means no class, or that say none."""

    def __init__(self, client: Client, settings: Mapping[str, str], columns: int) -> None:
        self._client, self._settings = client, dict(settings)
        self._rows = max(min(MOST, VALUES // max(columns, 1)), 1)
        with answering(url_of(client)):
            found = client.query(UNUSABLE, parameters={"name": NAME}, settings=self._settings)
        self.unusable = int(found.result_rows[0][0])

    def pages(self, at_ms: int = -1, learned: bool = False, prediction_id: str = "") -> Iterator[pa.Table]:
        """Those behind a place: the columns of PAGE, in their order. Raises Unavailable, Refused."""
        place: dict[str, Any] = {"at": at_ms, "learned": int(learned), "id": prediction_id or NOBODY}
        while True:
            asked = {"name": NAME, "rows": self._rows, **place}
            with answering(url_of(self._client)):
                page = self._client.query_arrow(PAGE, parameters=asked, settings=self._settings, use_strings=True)
            if not page.num_rows:
                return
            yield page
            if page.num_rows < self._rows:
                return
            place = {name: page.column(name)[-1].as_py() for name in ("at", "learned", "id")}


@contextmanager
def recorded(client: Client, session: str, asked: Asked) -> Iterator[Recorded]:
    """The events that are asked for; gone afterwards. session: a name that nobody else uses at the same time.

    Raises Unavailable, Refused.
    """
    settings = {"session_id": session, "session_timeout": IDLE_S}
    worth = WORTH.replace("<formula>", asked.worth) if asked.worth else NO_WORTH
    text = f"{MAKE.replace('<worth>', worth)}{sql_files.load('learners/events').text})"
    with answering(url_of(client)), within_memory("joining requests with their outcomes"):
        client.command(text, parameters={"name": NAME, **asked.parameters()}, settings=settings)
    try:
        yield Recorded(client, settings, len(asked.inputs) + len(asked.labels) + len(asked.decisions))
    finally:
        with suppress(Unavailable, Refused), answering(url_of(client)):
            client.command(DROP, parameters={"name": NAME}, settings=settings)


def served(
    client: Client, service: str, ids: Sequence[str], inputs: Sequence[str], labels: Sequence[str]
) -> pa.Table | None:
    """Those predictions with these ids that are recorded, in no order: id, answered_ms, tenant, x, score, outputs.

    x: list of float64, the inputs as the model saw them, NaN: missing. None: none. Raises Unavailable, Refused.
    """
    asked = {"service": service, "labels": list(labels)}
    found = [
        sql_files.table(client, "learners/served", ids="".join(ids[begin : begin + IDS]), **asked)
        for begin in range(0, len(ids), IDS)
    ]
    there = [one for one in found if one.num_rows]
    return _placed(client, service, pa.concat_tables(there).combine_chunks(), inputs) if there else None


def _placed(client: Client, service: str, rows: pa.Table, inputs: Sequence[str]) -> pa.Table:
    """With column x, where names and values of each shape were: an input that two maps have is the first one's."""
    shapes = rows.column("shape").to_numpy()
    known, examples = np.unique(shapes, return_index=True)
    ids = rows.column("id").take(pa.array(examples)).to_pylist()
    named = {
        one["shape"]: one["names"]
        for one in sql_files.rows(client, "learners/shapes", service=service, ids="".join(ids))
    }
    values = rows.column("values").chunk(0)
    flat, begins = values.values.to_numpy(), values.offsets.to_numpy()[:-1]
    x = np.full((rows.num_rows, len(inputs)), np.nan)
    for shape in known.tolist():
        mine, names = np.flatnonzero(shapes == shape), named.get(shape, [])
        there = [(column, names.index(name)) for column, name in enumerate(inputs) if name in names]
        if there:
            columns, places = np.array(there, np.int64).T
            x[mine[:, None], columns] = flat[begins[mine][:, None] + places]
    offsets = pa.array(np.arange(rows.num_rows + 1, dtype=np.int32) * len(inputs))
    return rows.append_column("x", pa.ListArray.from_arrays(offsets, pa.array(x.ravel())))


def beside(client: Client, service: str, ids: Sequence[str], shadows: Sequence[str], labels: Sequence[str]) -> pa.Table:
    """What these shadows, by their digests, said of predictions with these ids: the columns of learners/beside.

    Raises Unavailable, Refused.
    """
    asked = {"service": service, "shadows": list(shadows), "labels": list(labels)}
    found = [
        sql_files.table(client, "learners/beside", ids="".join(ids[begin : begin + IDS]), **asked)
        for begin in range(0, len(ids), IDS)
    ]
    return pa.concat_tables(found)


def named(client: Client, service: str, keys: Sequence[str]) -> dict[str, list[str]]:
    """Ids of predictions by the ids of their requests, of those that are recorded. Raises Unavailable, Refused."""
    found: dict[str, list[str]] = {}
    for begin in range(0, len(keys), KEYS):
        for row in sql_files.rows(client, "learners/named", service=service, keys=list(keys[begin : begin + KEYS])):
            found.setdefault(row["key"], []).append(row["id"])
    return found
