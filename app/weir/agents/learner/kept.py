"""A live learner: what it learns from the log, and its state as a record of topic learner-snapshots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from clickhouse_connect.driver import Client

from weir.agents.learner import made
from weir.agents.learner.entries import Entry, Kind
from weir.agents.learner.joining import Wanted
from weir.core.signature import Task
from weir.learn import history, onnx_linear, pickled, sealed, snapshot
from weir.learn.evidence import Evidence, asked_from
from weir.learn.history import History
from weir.learn.learner import CHAMPION, Learner, Subject
from weir.learn.linear import Linear
from weir.learn.live import Held, Live, Place
from weir.learn.pickled import Whose
from weir.learn.proposals import PROMOTE
from weir.learn.run import Good
from weir.learn.tally import Tally
from weir.learn.upgrade import KEPT, Upgrade
from weir.monitor.action import Action

BYTES_A_SECOND: Final = 262_144  # of sealed states of one learner, on average
NO_KEY: Final = "its model can be kept as a pickle only, and WEIR_LEARNER_KEY, which seals one, is not set"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Kept:
    """One learner. compiled: its snapshots are arrays; else they are pickles, sealed with the key, or there are none.

    changed: since its state was written last, at written_s. upgrades: reports of other Rivers, the newest last.
    """

    learner: Learner
    subject: Subject
    live: Live
    compiled: bool
    key: bytes = b""
    changed: bool = False
    written_s: float = float("-inf")
    upgrade: Upgrade | None = None
    upgrades: list[dict[str, Any]] = field(default_factory=list)
    _sealed: tuple[Held | None, bytes] = (None, b"")
    _unsealable: bool = False

    @property
    def pause_s(self) -> float:
        """The least between two of its states that are written: large ones are written more rarely."""
        return len(self._sealed[1]) / BYTES_A_SECOND

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
            if self.upgrade is not None:
                self.upgrade.see(rows)
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
        if not self.compiled:  # no graph says exactly what it says
            found = [one for one in found if one.kind != PROMOTE]
        return [asked_from(one, log, self.live.now.next.offset) for one in found]

    def upgraded(self, at_ms: int) -> None:
        """The log is read to its end: where it went on under another River, say how it differs."""
        upgrade, self.upgrade = self.upgrade, None
        if upgrade is None:
            return
        said = {"at_ms": at_ms, **upgrade.report_at(self.live.now).said()}
        self.upgrades = [*self.upgrades, said][-KEPT:]
        self.changed = True
        log.warning("a learner has learned its log anew, since River is another one", learner=self.learner.name, **said)

    def row(self, log: str, at_ms: int, worker: str) -> dict[str, Any]:
        """The fields of learner_snapshots/v1.avsc."""
        held, now, live = self.live.held, self.live.now, self.live
        stop = now.good.stop
        found = None if live.evidence is None else live.evidence.told()
        told = {"n": now.tally.n, "blind": now.blind, "left": now.left, "of": now.tally.told(), "found": found}
        sums = {"n": held.tally.n, "sums": held.tally.sums}
        kept = {"tally": sums, "blind": held.blind, "left": held.left, "published_ms": held.published_ms}
        kept["evidence"] = held.evidence
        about: dict[str, Any] = {
            "learner": made.belongs(self.learner),
            "versions": made.versions(),
            "columns": self.subject.columns,
            "classes": self.subject.classes,
        }
        about |= {"upgrades": self.upgrades} if self.upgrades else {}
        beside = json.dumps(kept)
        good = self._good(held) if self.compiled else self._under_seal(held, log, beside)
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
            "held": beside,
            "about": json.dumps(about),
            "good": good,
            "answering": onnx_linear.content_of(live.answering) if self.compiled else b"",
            "states": history.dump(held.history) if self.compiled else b"",
            "at": at_ms,
            "worker": worker,
        }

    def _good(self, held: Held) -> bytes:
        return snapshot.dump(held.good, self.subject, made.belongs(self.learner), made.versions())

    def _under_seal(self, held: Held, log_id: str, beside: str) -> bytes:
        """The state as a sealed pickle; nothing without a key, or where it is too large or names what it may not."""
        if not self.key or self._sealed[0] is held:
            return self._sealed[1]
        whose = Whose(made.belongs(self.learner), log_id, beside)
        try:
            content = pickled.dump(self.key, held, self.subject, whose, made.versions())
        except (sealed.TooLarge, ValueError) as error:
            if not self._unsealable:
                log.error("a learner is not kept: a restart begins anew", learner=self.learner.name, reason=str(error))
            self._unsealable, content = True, b""
        self._sealed = held, content
        return content


def opened(
    client: Client, learner: Learner, every_ms: int, row: Mapping[str, Any] | None, key: bytes = b""
) -> tuple[Kept, Wanted, str]:
    """A learner at the state of its newest snapshot, and why it begins anew where it does; "" where it goes on.

    key: that seals states which are pickles. A state that another River has come to is not gone on from: see upgrade.
    Raises Unavailable, Refused for one that does not fit what is recorded of its service.
    """
    subject, words = made.subject_of_record(client, learner)
    compiled = isinstance(made.model_of(learner, subject), Linear)
    held, upgrade, why = None, None, "it has no snapshot" if compiled or key else NO_KEY
    if row is not None and row["good"] and (compiled or key):
        try:
            found, versions = (_arrays if compiled else partial(_pickles, key))(row, subject, learner)
            rivers = versions["river"], made.versions()["river"]
            if rivers[0] == rivers[1]:
                if not compiled:
                    pickled.look(found.good, found.history)
                held, why = found, ""
            else:
                upgrade = Upgrade(found, rivers, subject, lambda: made.model_of(learner, subject))
                why = f"its state is of River {rivers[0]}, and this is {rivers[1]}: it learns the log anew"
        except (ValueError, KeyError, TypeError) as error:
            why = str(error)
    evidence = None if held is None else held.evidence
    finds = Evidence(subject, learner, evidence) if compiled or key else None
    live = Live(lambda: made.model_of(learner, subject), subject, learner.guards, every_ms, held, finds)
    kept = Kept(learner, subject, live, compiled, b"" if compiled else key, upgrade=upgrade)
    if upgrade is not None:
        live.upon = upgrade.stands
    kept.upgrades = [] if row is None else list(json.loads(row["about"]).get("upgrades", ()))
    meant = {word: subject.classes.index(meaning) for word, meaning in words.items()}
    return kept, Wanted(subject.task, subject.classes, meant, kept.inputs), why


def _arrays(row: Mapping[str, Any], subject: Subject, learner: Learner) -> tuple[Held, Mapping[str, str]]:
    """Raises ValueError saying why a snapshot cannot be used."""
    good, versions = snapshot.load(row["good"], subject, made.belongs(learner))
    return _held(row, good, history.load(row["states"], len(subject.columns))), versions


def _pickles(key: bytes, row: Mapping[str, Any], subject: Subject, learner: Learner) -> tuple[Held, Mapping[str, str]]:
    """The same of one that is sealed."""
    whose = Whose(made.belongs(learner), row["log"], row["held"])
    place = Place(row["next_offset"], row["next_number"])
    good, states, versions = pickled.load(key, row["good"], subject, whose, place)
    return _held(row, good, states), versions


def _held(row: Mapping[str, Any], good: Good, states: History) -> Held:
    said = json.loads(row["held"])
    return Held(
        good,
        Place(row["next_offset"], row["next_number"]),
        states,
        Tally(said["tally"]["n"], said["tally"]["sums"]),
        said["blind"],
        said["left"],
        said["published_ms"],
        said.get("evidence"),
    )


def to_folder(folder: Path, row: Mapping[str, Any]) -> None:
    """The good state of arrays as a file, which `weir learners replay --resume` reads; never half of it."""
    if row["answering"]:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{row['learner']}.arrow"
        draft.write_bytes(row["good"])
        draft.replace(folder / f"{row['learner']}.arrow")
