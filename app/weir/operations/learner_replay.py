"""What a learner would have said of past requests, with the outcomes alone that were known when each was served."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.agents.learner import made
from weir.agents.learner.made import logit
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.edges.clickhouse import learning
from weir.learn import retraining, snapshot
from weir.learn.comparison import Comparison, closing, compared
from weir.learn.learner import CHAMPION, LEARNER, Learner, Subject
from weir.learn.linear import Linear
from weir.learn.model import Broke, Floats
from weir.learn.prequential import Prequential
from weir.learn.proposals import promotion
from weir.learn.run import Events, Good, Run, Stop
from weir.learn.watch import Alarms, Watch
from weir.monitor.action import Action
from weir.monitor.measurement import ms_of
from weir.operations.learner_tree import Tree, tree_of
from weir.operations.learner_value import of_answers, worth_of

NO_CHANGE: Final = "no change"
Values = Callable[[Mapping[str, Floats]], Mapping[str, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a replay.

    rows: a dict for each month and who answers, see prequential. outcomes: that the learner has learned and kept, those
    before a snapshot included. left_out: outcomes that mean no class of the service, or say nothing; unscored: requests
    whose recorded score is no number, and that are in no figure. blind: requests that were served before any outcome
    was known. window: outcomes that are judged together. compiled: by Weir's own code. stop: why it stopped.
    comparison: with the champion, day by day. late: share of outcomes that came when their day was closed already.
    unvalued: why values are not compared, where there is a formula.
    proposal: of a promotion, as an action; it is written nowhere. retraining: each
    request for it that there would have been, likewise. alarms: of drift, by what the champion says.
    made_by: versions of what made the snapshot that it went on from, where they are others than here. tree: the learner
    as a file, where it was asked for.
    """

    rows: list[dict[str, Any]]
    outcomes: int
    left_out: int
    unscored: int
    blind: int
    window: int
    compiled: bool
    subject: Subject
    good: Good
    stop: Stop | None
    made_by: dict[str, str]
    comparison: Comparison
    late: float
    unvalued: str
    proposal: Action | None
    retraining: tuple[Action, ...]
    alarms: Alarms
    tree: Tree | None

    def snapshot(self, learner: Learner) -> bytes:
        """Its last good state as a file; of a learner whose replay was asked for one."""
        return snapshot.dump(self.good, self.subject, made.belongs(learner), made.versions())


def replay(
    client: Client,
    learner: Learner,
    *,
    begin: datetime,
    end: datetime,
    known: str,
    resumed: bytes | None = None,
    keep: bool = False,
    tree: bool = False,
    value: str = "",
) -> Replayed:
    """Replay what is recorded of the learner's service, requests from begin until before end, in the order of time.

    known: see learning.Asked. resumed: a snapshot, after whose last event it goes on. keep: a snapshot is to be made.
    tree: so is the file of a Hoeffding tree. value: formula of what a decision was worth; empty for none.
    Raises Unavailable; Refused for a service that nothing is recorded of, a learner that does not fit it, one that has
    no snapshots where there is to be one, and a snapshot of another one.
    """
    subject, words = made.subject_of_record(client, learner)
    model = made.model_of(learner, subject)
    if (keep or resumed is not None) and not isinstance(model, Linear):
        remedy = (
            "use river.preprocessing.StandardScaler and river.linear_model.LogisticRegression or LinearRegression with "
            "SGD, without penalties; or replay from the beginning"
        )
        what = f"{learner.name} has no snapshots: {learner} can be kept as a pickle only, which a replay does not write"
        raise Refused(what, remedy=remedy)
    good, made_by = (None, made.versions()) if resumed is None else _resumed(resumed, learner, subject)
    run = Run(model, subject, learner.guards, good)
    champion = subject.columns[-1] == CHAMPION and learner.champion
    worth = worth_of(client, learner.service, subject.task, value)
    asked = learning.Asked(
        service=learner.service,
        begin=begin,
        end=end,
        inputs=subject.columns[: len(subject.columns) - champion],
        words=list(words) if subject.task is not Task.REGRESSION else [],
        labels=subject.classes if subject.task is Task.MULTICLASS else [],
        known=known,
        decisions=worth.decisions,
        worth=worth.formula,
    )
    meant = np.array([subject.classes.index(word) for word in words.values()], np.float64)
    figures, watch = (
        Prequential(subject, (LEARNER, CHAMPION, NO_CHANGE, last_of(subject.task))),
        Watch(subject.task, learner.drift),
    )
    unscored = blind = outcomes = late = 0
    with learning.recorded(client, uuid.uuid4().hex, asked) as found:
        at = run.good.position
        for page in found.pages(at.at_ms, at.learned, at.prediction_id):
            events = _events(page, subject, meant, champion=champion)
            counts = _take(run, events, figures, subject, partial(of_answers, worth, page))
            unscored, blind = unscored + counts[0], blind + counts[1]
            watch.take(events.at_ms[events.learns], events.champion[events.learns], events.y[events.learns])
            closed_ms = closing(page.column("served").to_numpy().astype(np.int64), learner.compare)
            outcomes += int(np.count_nonzero(events.learns))
            late += int(np.count_nonzero(events.learns & (events.at_ms >= closed_ms)))
    days, who = figures.days(), {"learner": learner.name, "service": learner.service}
    asked_for = retraining.requests(
        days, watch.alarms.drifts, learner.retrain, learner.compare, who=CHAMPION, until_ms=ms_of(end)
    )
    comparison = compared(
        days,
        learner.compare,
        until_ms=ms_of(end),
        stopped=run.stop is not None,
        champion=CHAMPION,
        baselines=(NO_CHANGE, last_of(subject.task)),
    )
    return Replayed(
        rows=figures.rows(),
        outcomes=run.good.outcomes,
        left_out=found.unusable,
        unscored=unscored,
        blind=blind,
        window=learner.guards.window,
        compiled=isinstance(model, Linear),
        subject=subject,
        good=run.good,
        stop=run.stop,
        made_by={} if made_by == made.versions() else made_by,
        comparison=comparison,
        late=late / outcomes if outcomes else 0.0,
        unvalued=worth.why,
        proposal=promotion(comparison, **who, at_ms=ms_of(end)),
        retraining=tuple(_known_so(retraining.action(one, **who), known) for one in asked_for),
        alarms=watch.alarms,
        tree=tree_of(model, run.good.kept, subject, learner.name) if tree else None,
    )


def _known_so(one: Action, known: str) -> Action:
    """A request for training, with which outcomes count as known."""
    return replace(one, parameters={**one.parameters, "known": known})


def last_of(task: Task) -> str:
    """What the baseline is called that repeats what came true last."""
    return "last value" if task is Task.REGRESSION else "last class"


def _resumed(content: bytes, learner: Learner, subject: Subject) -> tuple[Good, dict[str, str]]:
    try:
        return snapshot.load(content, subject, made.belongs(learner))
    except ValueError as error:
        remedy = "name a snapshot that this learner wrote, or replay from the beginning"
        raise Refused(f"the snapshot cannot be used: {error}", remedy=remedy) from error


def _events(page: pa.Table, subject: Subject, meant: Floats, *, champion: bool) -> Events:
    """A page of the record in the learner's terms. meant: the class of each word by its place, float64[w]."""
    score = page.column("score").to_numpy().astype(np.float64)
    y = page.column("y").to_numpy().astype(np.float64)
    x = _matrix(page, "x", page.num_rows)
    if subject.task is not Task.REGRESSION:
        y = meant[y.astype(np.int64)]
    if champion:
        x = np.column_stack([x, score if subject.task is Task.REGRESSION else logit(score)])
    return Events(
        at_ms=page.column("at").to_numpy().astype(np.int64),
        learns=page.column("learned").to_numpy() == 1,
        ids=page.column("id").combine_chunks(),
        x=x,
        y=y,
        champion=_matrix(page, "outputs", page.num_rows) if subject.task is Task.MULTICLASS else score[:, None],
        tenants=page.column("tenant").combine_chunks(),
    )


def _matrix(page: pa.Table, name: str, rows: int) -> Floats:
    values = pa.chunked_array([chunk.flatten() for chunk in page.column(name).chunks], pa.float64())
    return np.asarray(values.to_numpy(), np.float64).reshape(rows, -1)


def _take(run: Run, events: Events, figures: Prequential, subject: Subject, worth: Values) -> tuple[int, int]:
    """Let the learner live through events, and add what was said of the requests.

    worth: of answers, what they were worth. How many are in no figure, and how many were served before any outcome was
    known. Raises Refused.
    """
    try:
        said = run.take(events)
    except Broke as error:
        what = f"the model has stopped learning, and cannot answer any more: {error}"
        raise Refused(what, remedy="choose another model, or see what River says of this one") from error
    served = ~events.learns
    counted = served & np.isfinite(events.champion).all(1)
    parts = {
        LEARNER: said.learner,
        CHAMPION: events.champion,
        NO_CHANGE: said.no_change,
        last_of(subject.task): said.last,
    }
    answers = {who: each[counted] for who, each in parts.items()}
    values = {who: each[counted] for who, each in worth(parts).items()}
    figures.take(events.at_ms[counted], answers, events.y[counted], said.known[counted], values)
    return int(served.sum() - counted.sum()), int((served & np.isnan(said.no_change[:, 0])).sum())
