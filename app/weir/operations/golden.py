"""Golden requests: rows of a bundle whose answers are known, sent as real requests again and again.

What comes of them is in the record like every other answer, and monitor health/golden compares it with what the name of
the request says was expected.
"""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from weir.core import golden
from weir.core.decide import Floats, decide, words
from weir.core.errors import Refused, Unavailable
from weir.core.features import ServicePlan
from weir.core.signature import KeyType, Signature, Task
from weir.edges.bundles import checks
from weir.edges.bundles.opened import Opened
from weir.operations.rehearsal import requests
from weir.operations.send import Sender
from weir.operations.trial import GivenFeatures, ask
from weir.settings import Settings

log = structlog.get_logger(__name__)

ROWS: Final = 1000  # of a bundle's golden rows
SAID: Final = ("request_id", "event_time", "tenant", "team", "traceparent", "deadline")  # the sender's own to say


@dataclass(frozen=True, slots=True)
class Known:
    """A request and its answer. record: fields of the contract that are the row's. row: which of the golden rows."""

    row: int
    record: dict[str, Any]
    score: float
    tolerance: float
    decision: str


def known(opened: Opened, plan: ServicePlan | None) -> list[Known]:
    """The golden rows that can be asked.

    The features of a row cannot be sent: it is asked about an entity that no store knows, and what is expected then is
    what the model gives without them. plan: the feature service as applied; None for a bundle without features.
    Rows that are rejected so, or whose score lies so near a cut that either decision is right, are left out.
    Raises Refused where no row is left, and for a bundle whose answers change as its learner learns.
    """
    bundle = opened.bundle
    if bundle.learner is not None:
        what = f"bundle {bundle.short_digest} is of learner {bundle.learner.name}: its answers change as it learns"
        raise Refused(what, where=str(opened.path), remedy="end this worker, or name a bundle of another model")
    inputs = opened.golden.inputs[:ROWS]
    asked = _of_nobody(requests(bundle, inputs, opened.golden.tables), bundle.signature)
    done = ask(opened, asked, _nothing(plan.reading(bundle.signature.looked_up), len(inputs)) if plan else None)
    records = asked.drop_columns([name for name in SAID if name in asked.schema.names]).to_pylist()
    found = []
    for part in (part for part in done.parts if len(part.rows)):
        outputs = part.rows.outputs
        tolerance = checks.allowed(bundle, outputs).max(axis=1)
        decided = decide(bundle.signature, outputs)
        named = (
            words(bundle.signature, decided.index).to_pylist() if bundle.signature.decisions else [""] * len(outputs)
        )
        sure = _sure(bundle.signature, outputs, tolerance)
        for place in np.flatnonzero(sure).tolist():
            row = int(part.rows.origin[place])
            score = float(decided.score[place])
            found.append(Known(row, records[row], score, float(tolerance[place]), str(named[place])))
    if not found:
        remedy = "give golden rows that are no dead letters where no feature is found, or end this worker"
        raise Refused("no golden row of the bundle has an answer that is known", where=str(opened.path), remedy=remedy)
    return found


class Golden:
    """Sends golden requests of a bundle. Raises Unavailable; Refused when the service has no contract or no topic."""

    def __init__(self, settings: Settings, digest: str, rows: Sequence[Known]) -> None:
        self._sender, self._digest, self._rows, self._next = Sender(settings, waits=False), digest, rows, 0

    def send(self, count: int) -> list[str]:
        """So many of the rows, in turn; gives the requests' names. Raises Unavailable."""
        chosen = [self._rows[(self._next + place) % len(self._rows)] for place in range(count)]
        self._next = (self._next + count) % len(self._rows)
        names = [
            golden.name(self._digest, one.row, one.score, one.tolerance, one.decision, uuid.uuid4().hex[:12])
            for one in chosen
        ]
        faults = self._sender.send(
            [
                one.record | {"request_id": name, "tenant": golden.TENANT}
                for one, name in zip(chosen, names, strict=True)
            ]
        )
        for place, why in islice(faults.items(), 1):
            log.error("a golden row is no request under the service's contract", row=chosen[place].row, why=why)
        return [name for place, name in enumerate(names) if place not in faults]

    def close(self) -> None:
        """Deliver what is left."""
        self._sender.close()


def watch(
    settings: Settings, opened: Opened, plan: ServicePlan | None, *, every_s: float, count: int, stop: threading.Event
) -> None:
    """Send `count` golden requests each every_s seconds until `stop`. A broker that is away is tried again.

    Raises Refused where no row can be asked, or the service has no contract.
    """
    rows = known(opened, plan)
    sender = Golden(settings, opened.bundle.short_digest, rows)
    log.info("sending golden requests", bundle=opened.bundle.short_digest, rows=len(rows), every_s=every_s)
    try:
        while True:
            try:
                sender.send(count)
            except Unavailable as error:
                log.warning("golden requests were not sent", error=str(error))
            if stop.wait(every_s):
                return
    finally:
        sender.close()


def ended() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop


def _of_nobody(asked: pa.RecordBatch, signature: Signature) -> pa.RecordBatch:
    """The same requests, with keys that no store knows."""
    for key in signature.join_keys:
        n = len(asked)
        if key.dtype == KeyType.INT64:
            nobody = pa.array([-(2**62) - place for place in range(n)], pa.int64())
        else:
            nobody = pa.array([f"{golden.PREFIX}{place}" for place in range(n)], pa.string())
        asked = asked.drop_columns([key.name]).append_column(key.name, nobody)
    return asked


def _nothing(plan: ServicePlan, n: int) -> GivenFeatures:
    """No feature of any of n rows."""
    return GivenFeatures(
        plan, np.full((n, len(plan.columns)), np.nan, plan.value_dtype), np.zeros((n, len(plan.views)), np.bool_)
    )


def _sure(signature: Signature, outputs: Floats, tolerance: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """bool[n]: the decision is the same within the tolerance."""
    found: npt.NDArray[np.bool_]
    if signature.task is Task.MULTICLASS:
        best = np.sort(outputs.astype(np.float64), axis=1)
        found = best[:, -1] - best[:, -2] > 2 * tolerance
        return found
    cuts, score = np.array(signature.cuts, np.float64), outputs.reshape(-1).astype(np.float64)
    below, above = (np.searchsorted(cuts, score + side * tolerance, side="right") for side in (-1, 1))
    found = below == above
    return found
