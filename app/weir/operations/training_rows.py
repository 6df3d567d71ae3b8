"""The rows that a request for training names: requests as served, with the outcomes that were known by then."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.core.signature import Dtype, Signature, Task
from weir.edges.clickhouse import learning, reports, sql_files
from weir.learn.model import Floats
from weir.monitor.action import RETRAIN, Action

DAY_MS: Final = 86_400_000
FILE: Final = ".json"
RECEIVED: Final = "received"
KNOWN: Final = (RECEIVED, "occurred")  # see learning.Asked
SEE: Final = "`weir query actions/list` shows which there are"


@dataclass(frozen=True, slots=True)
class Rows:
    """n requests in the order of event time. served_ms, known_ms: int64[n], when each was, and when its outcome came.

    x: float64[n, k], as the model saw them, NaN: missing; a category is its position. y: float64[n], a number or the
    index of a class, of two the positive one second. champion: float64[n, m], what was answered.
    """

    ids: pa.Array
    served_ms: npt.NDArray[np.int64]
    known_ms: npt.NDArray[np.int64]
    x: Floats
    y: Floats
    champion: Floats

    def where(self, chosen: npt.NDArray[np.bool_]) -> Rows:
        """Those that bool[n] says."""
        each = (getattr(self, name)[chosen] for name in ("served_ms", "known_ms", "x", "y", "champion"))
        return Rows(self.ids.filter(pa.array(chosen)), *each)


def request(client: Client, which: str) -> Action:
    """The request for training with this id, or that begins so; or the last one of a file, see request_in.

    Raises Unavailable; Refused where it is none.
    """
    if which.endswith(FILE):
        return request_in(Path(which))
    found = sql_files.rows(client, "actions/named", action=which.lower()) if which else []
    if len(found) != 1:
        what = f"several actions begin with {which}" if found else f"there is no action {which}"
        raise Refused(what, where="table actions", remedy=f"write more of its id; {SEE}" if found else SEE)
    one = Action.of(found[0])
    if one.kind != RETRAIN:
        raise Refused(f"action {which} asks for {one.kind}, not for training", where="table actions", remedy=SEE)
    return one


def request_in(path: Path) -> Action:
    """The last request for training of what `weir learners replay NAME --json` wrote. Raises Refused."""
    remedy = f"weir learners replay NAME --json > {path.name}"
    try:
        said = json.loads(path.read_bytes())
        rows = said["retraining"]
    except OSError as error:
        what = f"this file cannot be read: {error.strerror}"
        raise Refused(what, where=str(path), remedy=remedy) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("this is not what a replay wrote", where=str(path), remedy=remedy) from error
    if not rows:
        raise Refused("the replay asked for no training", where=str(path), remedy="`retrain` of its file says when")
    try:
        one = Action.of(rows[-1])
        whole = all(type(one.parameters[name]) is int for name in ("from", "to", "known_until", "outcomes"))
        if one.kind != RETRAIN or not whole or one.parameters.get("known", RECEIVED) not in KNOWN:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("its last request is none for training", where=str(path), remedy=remedy) from error
    return one


def read(client: Client, asked: Action, signature: Signature) -> Rows:
    """The rows of a request, point in time. Raises Unavailable; Refused for inputs that are texts, or where none is."""
    said = asked.parameters
    known = said.get("known", RECEIVED)
    rows = between(client, asked.service, signature, begin_ms=said["from"], end_ms=said["known_until"], known=known)
    rows = rows.where(rows.served_ms < said["to"])
    if not len(rows.y):
        what = f"nothing is recorded of what {asked.action_id[:8]} asks to train {asked.service} on"
        raise Refused(what, remedy="has it been deleted since? ask for a newer request")
    return rows


def between(
    client: Client, service: str, signature: Signature, *, begin_ms: int, end_ms: int, known: str = "received"
) -> Rows:
    """Requests from begin until before end, with the outcomes that were known before end.

    known: see learning.Asked. Raises Unavailable; Refused for inputs that are texts.
    """
    if texts := [item.name for item in signature.inputs if item.dtype is Dtype.STRING]:
        what = f"{service} takes texts ({', '.join(texts)}), which training sets of the record do not have"
        raise Refused(what, remedy="train it by your own pipeline, and `weir bundle build` what comes of it")
    of = reports.meaning(client, service)
    words = {word: of.labels.index(meant) for word, meant in of.words.items() if meant in of.labels}
    words = {} if of.task is Task.REGRESSION else words
    many = of.task is Task.MULTICLASS
    question = learning.Asked(
        service=service,
        begin=datetime.fromtimestamp(begin_ms / 1000, UTC),
        end=datetime.fromtimestamp(end_ms / 1000, UTC),
        inputs=signature.names,
        words=list(words),
        labels=of.labels if many else [],
        known=known,
    )
    with learning.recorded(client, uuid.uuid4().hex, question) as found:
        return _joined([_page(page, list(words.values()), many=many) for page in found.pages()], len(signature.names))


def _page(page: pa.Table, meant: list[int], *, many: bool) -> Rows:
    """Outcomes among a page of events. meant: the class of each word, by its place."""
    page = page.filter(pc.equal(page.column("learned"), 1))
    y = page.column("y").to_numpy().astype(np.float64)
    y = np.array(meant, np.float64)[y.astype(np.int64)] if meant else y
    score = page.column("score").to_numpy().astype(np.float64)[:, None]
    return Rows(
        page.column("id").combine_chunks().cast(pa.string()),
        page.column("served").to_numpy().astype(np.int64),
        page.column("at").to_numpy().astype(np.int64),
        _matrix(page, "x"),
        y,
        _matrix(page, "outputs") if many else score,
    )


def _matrix(page: pa.Table, name: str) -> Floats:
    values = pa.chunked_array([chunk.flatten() for chunk in page.column(name).chunks], pa.float64())
    return np.asarray(values.to_numpy(), np.float64).reshape(page.num_rows, -1) if page.num_rows else np.empty((0, 0))


def _joined(pages: list[Rows], columns: int) -> Rows:
    """All pages in the order of event time."""
    there = [one for one in pages if len(one.y)]
    if not there:
        none = np.zeros(0, np.int64)
        return Rows(pa.array([], pa.string()), none, none, np.empty((0, columns)), np.zeros(0), np.empty((0, 1)))
    parts: Mapping[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in there])
        for name in ("served_ms", "known_ms", "x", "y", "champion")
    }
    ids = pa.concat_arrays([one.ids for one in there])
    order = np.lexsort((ids.to_numpy(zero_copy_only=False), parts["served_ms"]))
    return Rows(ids.take(pa.array(order)), *(parts[name][order] for name in parts))
