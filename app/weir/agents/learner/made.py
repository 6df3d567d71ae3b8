"""What a learner is made of: what its service's record says, its model, and what makes its state its own."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver import Client

from weir.agents.learner.files import WRITE, model_text
from weir.core.errors import Refused
from weir.edges.clickhouse import reports, sql_files
from weir.learn import linear_river, river_parts
from weir.learn.learner import Learner, Subject, subject_of
from weir.learn.model import Floats, Model
from weir.learn.river_model import RiverModel

CLIP: Final = 1e-6  # of a chance, before it becomes a logit


def subject_of_record(client: Client, learner: Learner) -> tuple[Subject, dict[str, str]]:
    """What it learns, and what outcomes are called: word -> class. Raises Refused, Unavailable."""
    of = reports.told(client, learner.service)
    if of is None:
        what = f"no bundle of {learner.service} has scored yet: nothing is recorded that {learner.name} could learn"
        raise Refused(
            what,
            remedy="send it requests; a running learner worker begins with the first answer",
        )
    known = [row for row in sql_files.rows(client, "bundles/names") if row["service"] == learner.service]
    newest = max(known, key=lambda row: (row["role"] == "scorer", row["written_at"]))
    others = {*dict(newest["categories"]), *newest["texts"]}
    numbers = [name for name in newest["inputs"] if name not in others]
    try:
        subject = subject_of(learner, of.task, of.labels, numbers, sorted(others))
    except ValueError as error:
        raise Refused(f"learner {learner.name} does not fit {learner.service}: {error}", remedy=WRITE) from error
    words = {word: meant for word, meant in of.words.items() if meant in of.labels}
    return subject, words


def model_of(learner: Learner, subject: Subject) -> Model:
    """The model before its first outcome: arrays where that is the same as River's, else River's own.

    Raises Refused where it cannot be made, or not be compiled.
    """
    try:
        of = river_parts.made(learner, subject.task)
    except ValueError as error:
        raise Refused(f"learner {learner.name} cannot be made: {error}", remedy=WRITE) from error
    try:
        return linear_river.arrays_of(of, subject.columns) or RiverModel(of, subject)
    except (ImportError, OSError, RuntimeError) as error:
        remedy = "run it where compiled code may run, without MemoryDenyWriteExecute"
        raise Refused(f"the code of a linear learner cannot be compiled here: {error}", remedy=remedy) from error


def versions() -> dict[str, str]:
    """Of what makes a state."""
    return {"weir": version("weir"), "river": version("river")}


def belongs(learner: Learner) -> dict[str, Any]:
    """What of a learner makes its state its own: with another of these, the rest would not be the same."""
    return {
        "name": learner.name,
        "service": learner.service,
        "model": model_text(learner),
        "window": learner.guards.window,
    }


def logit(score: Floats) -> Floats:
    """What a chance is on the scale on which weights add up."""
    clipped = np.clip(score, CLIP, 1 - CLIP)
    return np.log(clipped) - np.log1p(-clipped)
