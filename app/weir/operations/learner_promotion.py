"""Taking a promotion: a learner answers for its service, and what answered so far goes on in shadow; and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.edges.bundles import folder
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import sql_files
from weir.edges.kafka import groups
from weir.monitor.action import Action
from weir.operations import challengers, kept_bundles, learner_bundle, one_record, serving
from weir.operations.give_up import person
from weir.settings import Settings

TAKEN: Final = "promoted"  # kinds of actions that are done, and no proposals
TAKEN_BACK: Final = "promoted-back"
SETTLED: Final = "settled-promotions.json"  # under home: by service the last such action that later starts know of


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proposal. action_id, sentence, evidence: as it was proposed, at `at`."""

    action_id: str
    at: datetime
    sentence: str
    evidence: Mapping[str, Any]

    def row(self) -> dict[str, Any]:
        """As whoever takes it writes it down."""
        return {"action_id": self.action_id, "sentence": self.sentence, **self.evidence}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. row: the learner's newest record. champion: what answers now. evidence: None without any."""

    name: str
    service: str
    row: Mapping[str, Any]
    champion: serving.Chosen
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What is done. answers: bundle that answers from here on. shadow: what goes on beside it, and answers nobody."""

    service: str
    answers: Bundle
    answers_at: Path
    shadow: Bundle
    shadow_at: Path

    def digests(self) -> dict[str, str]:
        """As an action names them."""
        return {"answers": self.answers.short_digest, "shadow": self.shadow.short_digest}


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes it, and for which time, ms since 1970: of a person the moment, of a rule that of the proposal."""

    name: str
    begin_ms: int
    end_ms: int
    at_ms: int

    @staticmethod
    def person(now: datetime) -> Taker:
        """Whoever runs this."""
        at_ms = round(now.timestamp() * 1000)
        return Taker(person(), at_ms, at_ms, at_ms)


def plan(settings: Settings, name: str) -> Plan:
    """What a promotion would do, with the newest proposal. Raises Unavailable; Refused where it cannot be promoted."""
    todo = possible(settings, name)
    found = _evidence(settings, todo.service, name, todo.champion.bundle.short_digest)
    return Plan(todo.name, todo.service, todo.row, todo.champion, found)


def possible(settings: Settings, name: str) -> Plan:
    """The same without what was proposed; asks Kafka alone. Raises Unavailable, Refused."""
    row = learner_bundle.newest(settings, name)
    champion = serving.answering(settings, row["service"])
    of, about = champion.bundle.learner, json.loads(row["about"])
    mine = about["learner"]["model"], about["learner"]["window"], tuple(about["columns"])
    if of is not None and of.name == name and (of.model, of.window, of.columns) == mine:
        what = f"learner {name} answers for {row['service']} already, with each state as it comes"
        raise Refused(what, remedy=f"`weir learners promote {name} --back` lets the model before it answer again")
    return Plan(name, row["service"], row, champion)


def take(settings: Settings, todo: Plan, now: datetime) -> Taken:
    """Build the learner's bundle, let it answer, and the present one go on in shadow. Raises Unavailable, Refused."""
    done = built(settings, todo)
    begin_shadow(settings, done)
    deed = promoted(todo, done, Taker.person(now))
    say(settings, deed)
    settle(settings, done, deed)
    return done


def back(settings: Settings, name: str, now: datetime) -> Taken:
    """Let the model that answered before a learner answer again, and the learner go on in shadow.

    Raises Unavailable, Refused; also where the learner does not answer.
    """
    done = way_back(settings, name)
    begin_shadow(settings, done)
    deed = taken_back(name, done, Taker.person(now))
    say(settings, deed)
    settle(settings, done, deed)
    return done


def built(settings: Settings, todo: Plan) -> Taken:
    """The learner's bundle as it would answer. Raises Refused where it does not fit."""
    path = learner_bundle.build(settings, todo.row, todo.champion.path)
    return Taken(todo.service, folder.read(path).bundle, path, todo.champion.bundle, todo.champion.path)


def way_back(settings: Settings, name: str) -> Taken:
    """What taking a learner back would do. Raises Unavailable, Refused."""
    service, before = challengers.of_learner(settings, name)
    answers = serving.answering(settings, service)
    if answers.bundle.learner is None or answers.bundle.learner.name != name:
        what = f"learner {name} does not answer for {service}: {answers.bundle.name} {answers.bundle.version} does"
        raise Refused(what, remedy="there is nothing to take back")
    return Taken(service, folder.read(before).bundle, before, answers.bundle, answers.path)


def promoted(todo: Plan, done: Taken, by: Taker) -> Action:
    """That it is promoted, as an action."""
    about = {"learner": todo.name, "state": done.answers.version} | done.digests()
    proven = "proven better" if todo.evidence else "without evidence"
    sentence = f"learner {todo.name} answers, {proven}; {done.shadow.name} {done.shadow.version} goes on in shadow"
    return _action(TAKEN, done.service, sentence, about, todo.evidence.row() if todo.evidence else {}, by)


def taken_back(name: str, done: Taken, by: Taker, evidence: Evidence | None = None) -> Action:
    """That it is taken back, as an action."""
    proven = ", proven better" if evidence else ""
    sentence = f"{done.answers.name} {done.answers.version} answers again{proven}; {name} goes on in shadow"
    about = {"learner": name} | done.digests()
    return _action(TAKEN_BACK, done.service, sentence, about, evidence.row() if evidence else {}, by)


def begin_shadow(settings: Settings, done: Taken) -> None:
    """Let the shadow begin with what is answered from here on: a learner has learned from what came before."""
    names = settings.kafka.names
    groups.skip_to_end(settings.kafka, names.shadow(done.service, done.shadow.short_digest), names.predictions)


def say(settings: Settings, deed: Action) -> None:
    """Write what is done to the topic of actions, durably, before it is done. Raises Unavailable, Refused."""
    one_record.write(settings, settings.kafka.names.actions, "weir-learners", deed.row())


def settle(settings: Settings, done: Taken, deed: Action) -> None:
    """Let it take effect: scorers and shadows that follow promotions see it, and later starts find it."""
    learner = deed.parameters["learner"]
    why = f"learner {learner} was {'promoted' if deed.kind == TAKEN else 'taken back'}"
    challengers.remember(settings, done.service, done.shadow_at)
    serving.remember(settings, serving.Chosen(done.answers_at, done.answers, why, by_name=True))
    mark_settled(settings, deed)


def mark_settled(settings: Settings, deed: Action) -> None:
    """Nobody settles it again."""
    kept_bundles.change(settings, SETTLED, challengers.WRITTEN_BY, lambda kept: {**kept, deed.service: deed.action_id})


def settled(settings: Settings) -> dict[str, str]:
    """The last action that took effect, by service. Raises Refused for a file that says something else."""
    return kept_bundles.read(settings, SETTLED, challengers.WRITTEN_BY)


def _evidence(settings: Settings, service: str, name: str, champion: str) -> Evidence | None:
    """The newest proposal, where it compared the learner with what answers now."""
    with clickhouse.connect(settings.recording) as client:
        found = sql_files.rows(client, "learners/proposed", service=service, learner=name)
    if not found:
        return None
    one, evidence = found[0], json.loads(found[0]["evidence"])
    if evidence.get("champion", champion) != champion:
        return None
    return Evidence(one["id"], one["at"], one["sentence"], evidence)


def _action(
    kind: str, service: str, sentence: str, about: Mapping[str, Any], evidence: Mapping[str, Any], by: Taker
) -> Action:
    return Action(
        kind=kind,
        service=service,
        subject="",
        proposed_by=by.name,
        sentence=sentence,
        parameters=about,
        evidence=evidence,
        measurement_id="",
        begin_ms=by.begin_ms,
        end_ms=by.end_ms,
        at_ms=by.at_ms,
    )
