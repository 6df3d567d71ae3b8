"""The threshold that would have cost least over the days whose outcomes are known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.core.signature import Task
from weir.edges.clickhouse import cells, reports
from weir.monitor import cutoff

DAY_S = 86_400
SEED = 13  # of the draws: the same outcomes give the same interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The suggestion, the threshold in use, and how many days were left out, since too few of their outcomes are in."""

    suggestion: cutoff.Suggestion
    present: float
    immature: int


def suggest(
    client: Client,
    service: str,
    *,
    begin: datetime,
    end: datetime,
    miss: float,
    false_alarm: float,
    capacity: float,
    maturity: float,
) -> Found:
    """Over whole days from begin until before end, of which a share `maturity` of the outcomes is in.

    miss, false_alarm: what one of each costs. capacity: alerts a day that can be looked at, inf for any number.
    Raises Unavailable; Refused for a service that does not decide between two classes.
    """
    of = reports.meaning(client, service)
    if of.task is not Task.BINARY:
        remedy = "ask for one that decides between two classes"
        raise Refused(f"{service} has no threshold: its task is {of.task}", remedy=remedy)
    found = cells.by_chance(client, cells.Asked(service, begin, end, DAY_S), of)
    n, known, hits = (part[:, 0].sum(2) for part in (found.n, found.known, found.hits))
    mature = known.sum(1) >= maturity * n.sum(1)
    days = cutoff.Days(
        scores=np.arange(cells.BINS) / 1000,
        rows=n[mature],
        positives=hits[mature],
        negatives=(known - hits)[mature],
    )
    suggestion = cutoff.suggest(
        days,
        miss=miss,
        false_alarm=false_alarm,
        present=of.threshold,
        capacity=capacity,
        chance=np.random.default_rng(SEED),
    )
    return Found(suggestion=suggestion, present=of.threshold, immature=int((~mature).sum()))
