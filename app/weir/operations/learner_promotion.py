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
from weir.operations import challengers, learner_bundle, one_record, serving
from weir.operations.give_up import person
from weir.settings import Settings

TAKEN: Final = "promoted"  # kinds of actions that are done, and no proposals
TAKEN_BACK: Final = "promoted-back"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The newest proposal. action_id, sentence, evidence: as it was proposed, at `at`."""

    action_id: str
    at: datetime
    sentence: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. row: the learner's newest record. champion: what answers now. evidence: None without any."""

    name: str
    service: str
    row: Mapping[str, Any]
    champion: serving.Chosen
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What was done. answers: from the next start on. shadow: what goes on beside it, and answers nobody."""

    service: str
    answers: Bundle
    answers_at: Path
    shadow: Bundle
    shadow_at: Path


def plan(settings: Settings, name: str) -> Plan:
    """What a promotion would do. Raises Unavailable; Refused where the learner cannot be promoted."""
    row = learner_bundle.newest(settings, name)
    champion = _answers(settings, row["service"])
    of, about = champion.bundle.learner, json.loads(row["about"])
    mine = about["learner"]["model"], about["learner"]["window"], tuple(about["columns"])
    if of is not None and of.name == name and (of.model, of.window, of.columns) == mine:
        what = f"learner {name} answers for {row['service']} already, with each state as it comes"
        raise Refused(what, remedy=f"`weir learners promote {name} --back` lets the model before it answer again")
    return Plan(name, row["service"], row, champion, _evidence(settings, row["service"], name))


def take(settings: Settings, todo: Plan, now: datetime) -> Taken:
    """Build the learner's bundle, let it answer, and the present one go on in shadow. Raises Unavailable, Refused."""
    path = learner_bundle.build(settings, todo.row, todo.champion.path)
    bundle = folder.read(path).bundle
    why = f"learner {todo.name} was promoted"
    done = Taken(todo.service, bundle, path, todo.champion.bundle, todo.champion.path)
    about = {"learner": todo.name, "state": bundle.version} | _digests(done)
    evidence: dict[str, Any] = {}
    if todo.evidence is not None:
        evidence = {"action_id": todo.evidence.action_id, "sentence": todo.evidence.sentence, **todo.evidence.evidence}
    proven = "proven better" if todo.evidence else "without evidence"
    sentence = f"learner {todo.name} answers from the next start on, {proven}; {todo.champion.bundle.name} "
    sentence += f"{todo.champion.bundle.version} goes on in shadow"
    _begins_now(settings, done)
    _say(settings, _action(TAKEN, todo.service, sentence, about, evidence, now))
    _settle(settings, done, why)
    return done


def back(settings: Settings, name: str, now: datetime) -> Taken:
    """Let the model that answered before a learner answer again, and the learner go on in shadow.

    Raises Unavailable, Refused; also where the learner does not answer.
    """
    service, before = challengers.of_learner(settings, name)
    answers = _answers(settings, service)
    if answers.bundle.learner is None or answers.bundle.learner.name != name:
        what = f"learner {name} does not answer for {service}: {answers.bundle.name} {answers.bundle.version} does"
        raise Refused(what, remedy="there is nothing to take back")
    done = Taken(service, folder.read(before).bundle, before, answers.bundle, answers.path)
    sentence = f"{done.answers.name} {done.answers.version} answers again from the next start on; {name} goes on "
    about = {"learner": name} | _digests(done)
    _begins_now(settings, done)
    _say(settings, _action(TAKEN_BACK, service, sentence + "in shadow", about, {}, now))
    _settle(settings, done, f"learner {name} was taken back")
    return done


def _answers(settings: Settings, service: str) -> serving.Chosen:
    return serving.choose((), settings, only=(service,), contracts=False).served[service]


def _digests(done: Taken) -> dict[str, str]:
    return {"answers": done.answers.short_digest, "shadow": done.shadow.short_digest}


def _begins_now(settings: Settings, done: Taken) -> None:
    """Let the shadow begin with what is answered from here on: a learner has learned from what came before."""
    names = settings.kafka.names
    groups.skip_to_end(settings.kafka, names.shadow(done.service, done.shadow.short_digest), names.predictions)


def _settle(settings: Settings, done: Taken, why: str) -> None:
    """What later starts find."""
    challengers.remember(settings, done.service, done.shadow_at)
    serving.remember(settings, serving.Chosen(done.answers_at, done.answers, why, by_name=True))


def _evidence(settings: Settings, service: str, name: str) -> Evidence | None:
    with clickhouse.connect(settings.recording) as client:
        found = sql_files.rows(client, "learners/proposed", service=service, learner=name)
    if not found:
        return None
    one = found[0]
    return Evidence(one["id"], one["at"], one["sentence"], json.loads(one["evidence"]))


def _action(
    kind: str, service: str, sentence: str, about: Mapping[str, Any], evidence: Mapping[str, Any], now: datetime
) -> Action:
    at_ms = round(now.timestamp() * 1000)
    return Action(
        kind=kind,
        service=service,
        subject="",
        proposed_by=person(),
        sentence=sentence,
        parameters=about,
        evidence=evidence,
        measurement_id="",
        begin_ms=at_ms,
        end_ms=at_ms,
        at_ms=at_ms,
    )


def _say(settings: Settings, action: Action) -> None:
    """Write what is done to the topic of actions, durably, before it is done. Raises Unavailable, Refused."""
    one_record.write(settings, settings.kafka.names.actions, "weir-learners", action.row())
