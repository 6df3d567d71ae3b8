"""Full retraining, fine-tuning or online learning? Each is walked forward over the record: loss, cost and staleness.

No answer is given with an outcome that was not known when its request was served. Rows are those that every one of them
has answered: behind the first training.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.agents.learner import files, made
from weir.core.errors import Refused
from weir.core.prices import ATTOS, Component
from weir.core.signature import Signature, Task
from weir.edges.bundles import folder
from weir.learn.learner import Learner, Subject
from weir.learn.model import Floats
from weir.learn.prequential import Prequential
from weir.learn.run import Events, Run
from weir.monitor import paired
from weir.operations import price_book, training_rows
from weir.operations.train import ROUNDS, categories_of, options_of
from weir.operations.training_rows import DAY_MS, Rows
from weir.settings import Settings

ALPHA: Final = 0.05
MORE: Final = 20  # trees of a step of fine-tuning
LEAST: Final = 200  # rows of the first training
MOST: Final = 400  # trainings of each strategy: a day's in a year, and hours of CPU
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One strategy. loss: mean of what decides. cpu_s: of learning. cost: by the price book; None without one.

    stale_days: mean age of the newest outcome that the answering model knew. better_by: than the best one, below 0 it
    is worse; low, high: of the interval, None of the best one and before enough days. note: how it was done.
    """

    name: str
    loss: float
    cpu_s: float
    cost: float | None
    stale_days: float
    better_by: float = 0.0
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """All of them, the best first. figure: the loss. verdict: a sentence. days, requests: that each has answered."""

    service: str
    figure: str
    days: int
    requests: int
    ways: tuple[Way, ...]
    currency: str
    verdict: str


@dataclass(frozen=True, slots=True)
class _Walked:
    """What one said of n requests, float64[n, m]. known_ms: int64[n], the newest outcome that it knew."""

    name: str
    said: Floats
    known_ms: Whole
    cpu_s: float
    note: str = ""


def compare(
    client: Client, settings: Settings, service: str, *, begin: datetime, end: datetime, every_s: int, known: str
) -> Compared:
    """Walk over the requests of [begin, end). every_s: between two trainings. Raises Unavailable; Refused."""
    signature = folder.read(folder.find(service, settings)).bundle.signature
    span = round(begin.timestamp() * 1000), round(end.timestamp() * 1000)
    rows = training_rows.between(client, service, signature, begin_ms=span[0], end_ms=span[1], known=known)
    rows = rows.where(np.asarray(np.isfinite(rows.champion).all(1)))
    cuts = _trainings(rows, 1000 * every_s)
    learners = [one for one in files.looked(settings)[0].values() if one.service == service]
    walked = [
        _Walked("as it is", rows.champion, np.full(len(rows.y), cuts[0]), 0.0, "the champion's recorded answers"),
        _trained(rows, signature, cuts, fine=False),
        _trained(rows, signature, cuts, fine=True),
        *(_online(client, one, rows, signature) for one in learners),
    ]
    return _judged(settings, service, signature, rows, walked, rows.served_ms >= cuts[0])


def _trainings(rows: Rows, every_ms: int) -> list[int]:
    """When is trained: at first as soon as there are rows for it, at the end of a span, and then after each."""
    if not len(rows.y):
        raise Refused("nothing is recorded in this time that outcomes have come of", remedy="name a longer time")
    begin, end = int(rows.served_ms[0]) // DAY_MS * DAY_MS, int(rows.served_ms[-1])
    if (times := (end - begin) // every_ms) > MOST:
        what = f"{times:,} trainings of each strategy are more than {MOST}"
        raise Refused(what, where="--every", remedy="train more rarely, or name a shorter time")
    cuts = [at for at in range(begin + every_ms, end, every_ms) if np.count_nonzero(rows.known_ms < at) >= LEAST]
    if not cuts:
        what = f"{len(rows.y):,} outcomes in this time are too few for one training and answers behind it"
        raise Refused(what, remedy="name a longer time, or train more often by --every")
    return cuts


def _trained(rows: Rows, signature: Signature, cuts: Sequence[int], *, fine: bool) -> _Walked:
    """LightGBM, trained anew on all that is known at each cut; fine: continued with what is known since the last."""
    said, known = np.full(rows.champion.shape, np.nan), np.zeros(len(rows.y), np.int64)
    options, categories = options_of(signature), categories_of(signature)
    booster, before, spent_s = None, -1, 0.0
    for at, until in zip(cuts, [*cuts[1:], int(rows.served_ms[-1]) + 1], strict=True):
        new = (rows.known_ms < at) & (rows.known_ms >= (before if fine else -1))
        mine = (rows.served_ms >= at) & (rows.served_ms < until)
        began_s = time.process_time()
        if new.any():
            data = lgb.Dataset(rows.x[new], rows.y[new], categorical_feature=categories, free_raw_data=False)
            goes_on = booster if fine else None
            booster = lgb.train(options, data, MORE if goes_on else ROUNDS, init_model=goes_on)
        spent_s += time.process_time() - began_s
        if mine.any() and booster is not None:
            said[mine] = np.asarray(booster.predict(rows.x[mine]), np.float64).reshape(int(mine.sum()), -1)
        known[mine], before = rows.known_ms[rows.known_ms < at].max(), at
    note = f"{MORE} trees more on what is new" if fine else f"LightGBM, {ROUNDS} trees on all that is known"
    return _Walked("fine-tuning" if fine else "full retraining", said, known, spent_s, note)


def _online(client: Client, learner: Learner, rows: Rows, signature: Signature) -> _Walked:
    """A learner, with each outcome as it comes."""
    subject, _ = made.subject_of_record(client, learner)
    columns = [list(signature.names).index(name) for name in subject.columns if name in signature.names]
    x = rows.x[:, columns]
    if len(columns) < len(subject.columns):
        score = rows.champion[:, 0]
        x = np.column_stack([x, score if subject.task is Task.REGRESSION else made.logit(score)])
    n = len(rows.y)
    at, learns, row = np.r_[rows.served_ms, rows.known_ms], np.repeat([False, True], n), np.tile(np.arange(n), 2)
    order = np.lexsort((row, learns, at))
    row, learns = row[order], learns[order]
    ids, nobody = rows.ids.take(pa.array(row)), pa.array([""] * (2 * n), pa.string())
    events = Events(at[order], learns, ids, x[row], rows.y[row], rows.champion[row], nobody)
    run = Run(made.model_of(learner, subject), subject, learner.guards)
    began_s = time.process_time()
    answers = run.take(events).learner
    spent_s = time.process_time() - began_s
    said = np.empty((n, subject.width))
    said[row[~learns]] = answers[~learns]
    came = np.sort(rows.known_ms)
    known = np.r_[came[:1], came][np.searchsorted(came, rows.served_ms, "left")]
    note = f"stopped by guard {run.stop.guard}" if run.stop else str(learner)
    return _Walked(f"online: {learner.name}", said, np.minimum(known, rows.served_ms), spent_s, note)


def _judged(
    settings: Settings, service: str, signature: Signature, rows: Rows, walked: Sequence[_Walked], there: Any
) -> Compared:
    subject = Subject(signature.task, signature.labels if signature.task is not Task.REGRESSION else (), ())
    figures = Prequential(subject, [one.name for one in walked])
    served, zeros = rows.served_ms[there], np.zeros(int(there.sum()), np.int64)
    figures.take(served, {one.name: one.said[there] for one in walked}, rows.y[there], zeros)
    days = figures.days()
    figure = next(iter(days[0].figures))
    parts = [day.figures[figure] for day in days]
    n = np.array([part.weight for part in parts])
    sums = {one.name: np.array([part.sums[one.name] for part in parts]) for one in walked}
    best = min(walked, key=lambda one: float(sums[one.name].sum()))
    alpha = ALPHA / max(len(walked) - 1, 1)  # all intervals hold together
    price, currency = _price(settings)
    ways = []
    for one in walked:
        off = paired.advantage(n, sums[best.name] - sums[one.name], alpha)
        low, high = (
            float(side[-1]) if np.isfinite(side[-1]) and one is not best else None for side in (off.low, off.high)
        )
        stale = float((served - one.known_ms[there]).mean()) / DAY_MS
        cost = None if price is None else one.cpu_s * price
        loss = float(sums[one.name].sum() / n.sum())
        ways.append(
            Way(
                name=one.name,
                loss=loss,
                cpu_s=one.cpu_s,
                cost=cost,
                stale_days=stale,
                better_by=float(off.mean[-1]),
                low=low,
                high=high,
                note=one.note,
            )
        )
    ways.sort(key=lambda one: one.loss)
    return Compared(
        service=service,
        figure=figure,
        days=len(days),
        requests=int(n.sum()),
        ways=tuple(ways),
        currency=currency,
        verdict=_verdict(ways, len(days)),
    )


def _verdict(ways: Sequence[Way], days: int) -> str:
    best, alike = ways[0], [one for one in ways[1:] if one.high is None or one.high >= 0]
    if days < paired.LEAST:
        return f"{days} days are too few to tell them apart: {paired.LEAST} are needed"
    if not alike:
        return f"{best.name} is surely the best"
    cheapest = min([best, *alike], key=lambda one: one.cpu_s)
    names = " and ".join([best.name, *(one.name for one in alike)])
    return f"{names} cannot be told apart by loss; the cheapest of them is {cheapest.name}"


def _price(settings: Settings) -> tuple[float | None, str]:
    """Of a second of the CPU today, and the currency; None without a price book."""
    book = price_book.read(settings.paths.prices_file)
    if book is None:
        return None, ""
    today: date = datetime.now(UTC).date()
    found: Iterator[int] = (
        one.attos for one in book.tariffs if one.component is Component.CPU and one.begin <= today < one.end
    )
    attos = next(found, None)
    return (None if attos is None else attos * 10**6 / ATTOS), book.currency
