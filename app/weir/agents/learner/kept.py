"""A live learner: what it learns from the log, and its state as a record of topic learner-snapshots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from clickhouse_connect.driver import Client

from weir.agents.learner import made
from weir.agents.learner.entries import Entry, Kind
from weir.agents.learner.joining import Wanted
from weir.core.signature import Task
from weir.learn import history, onnx_linear, snapshot
from weir.learn.evidence import Evidence, asked_from
from weir.learn.learner import CHAMPION, Learner, Subject
from weir.learn.linear import Linear
from weir.learn.live import Held, Live, Place
from weir.learn.tally import Tally
from weir.monitor.action import Action


@dataclass(slots=True)
class Kept:
    """One learner. compiled: it has snapshots. changed: since its state was written last."""

    learner: Learner
    subject: Subject
    live: Live
    compiled: bool
    changed: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """Inputs of the service that it takes."""
        champion = self.learner.champion and self.subject.columns[-1] == CHAMPION
        return self.subject.columns[: len(self.subject.columns) - champion]

    @property
    def proposal(self) -> Action | None:
        """To promote it, or to take it back, as long as that stands."""
        return None if self.live.evidence is None else self.live.evidence.proposal

    def take(self, entry: Entry) -> None:
        """Take an entry that counts, if it is for this one."""
        if entry.kind is Kind.FREEZE and entry.subject == self.learner.name:
            self.live.freeze(entry.columns["reason"], entry.columns["by"], entry.offset, entry.at_ms)
        elif entry.kind is Kind.RESUME and entry.subject == self.learner.name:
            self.live.resume(entry.offset, entry.at_ms)
        elif entry.kind is Kind.ROWS and entry.subject == self.learner.service:
            known = tuple(entry.columns["classes"]) == self.subject.classes
            rows = entry.labelled(self.inputs, self.learner.name) if known else None
            if rows is None:
                return  # from a time when the service had other classes, or nobody wanted these inputs
            if len(self.inputs) < len(self.subject.columns):
                score = rows.champion[:, 0]
                said = score if self.subject.task is Task.REGRESSION else made.logit(score)
                rows = replace(rows, x=np.column_stack([rows.x, said]))
            self.live.take(rows, entry.offset, entry.at_ms)
        else:
            return
        self.changed = True

    def news(self, log: str) -> list[Action]:
        """What it has found since it was last asked. log: of labelled outcomes."""
        evidence = self.live.evidence
        if evidence is None or not evidence.news:
            return []
        found, evidence.news = evidence.news, []
        return [asked_from(one, log, self.live.now.next.offset) for one in found]

    def row(self, log: str, at_ms: int, worker: str) -> dict[str, Any]:
        """The fields of learner_snapshots/v1.avsc."""
        held, now, live = self.live.held, self.live.now, self.live
        stop = now.good.stop
        found = None if live.evidence is None else live.evidence.told()
        told = {"n": now.tally.n, "blind": now.blind, "left": now.left, "of": now.tally.told(), "found": found}
        sums = {"n": held.tally.n, "sums": held.tally.sums}
        kept = {"tally": sums, "blind": held.blind, "left": held.left, "published_ms": held.published_ms}
        kept["evidence"] = held.evidence
        about = {
            "learner": made.belongs(self.learner),
            "versions": made.versions(),
            "columns": self.subject.columns,
            "classes": self.subject.classes,
        }
        return {
            "learner": self.learner.name,
            "service": self.learner.service,
            "digest": onnx_linear.digest_of(live.answering) if self.compiled else "",
            "log": log,
            "next_offset": held.next.offset,
            "next_number": held.next.number,
            "outcomes": now.good.outcomes,
            "learned": live.learned,
            "stop": json.dumps(None if stop is None else asdict(stop)),
            "figures": json.dumps(told),
            "held": json.dumps(kept),
            "about": json.dumps(about),
            "good": self._good(held) if self.compiled else b"",
            "answering": onnx_linear.content_of(live.answering) if self.compiled else b"",
            "states": history.dump(held.history) if self.compiled else b"",
            "at": at_ms,
            "worker": worker,
        }

    def _good(self, held: Held) -> bytes:
        return snapshot.dump(held.good, self.subject, made.belongs(self.learner), made.versions())


def opened(client: Client, learner: Learner, every_ms: int, row: Mapping[str, Any] | None) -> tuple[Kept, Wanted, str]:
    """A learner at the state of its newest snapshot, and why it begins anew where it does; "" where it goes on.

    Raises Unavailable, Refused for one that does not fit what is recorded of its service.
    """
    subject, words = made.subject_of_record(client, learner)
    compiled = isinstance(made.model_of(learner, subject), Linear)
    held, why = None, "it has no snapshot"
    if row is not None and row["good"]:
        try:
            held, why = _held(row, subject, learner), ""
        except ValueError as error:
            why = str(error)
    evidence = Evidence(subject, learner, None if held is None else held.evidence) if compiled else None
    live = Live(lambda: made.model_of(learner, subject), subject, learner.guards, every_ms, held, evidence)
    kept = Kept(learner, subject, live, compiled)
    meant = {word: subject.classes.index(meaning) for word, meaning in words.items()}
    return kept, Wanted(subject.task, subject.classes, meant, kept.inputs), why


def _held(row: Mapping[str, Any], subject: Subject, learner: Learner) -> Held:
    """Raises ValueError saying why a snapshot cannot be used."""
    good, _ = snapshot.load(row["good"], subject, made.belongs(learner))
    said = json.loads(row["held"])
    return Held(
        good,
        Place(row["next_offset"], row["next_number"]),
        history.load(row["states"], len(subject.columns)),
        Tally(said["tally"]["n"], said["tally"]["sums"]),
        said["blind"],
        said["left"],
        said["published_ms"],
        said.get("evidence"),
    )
