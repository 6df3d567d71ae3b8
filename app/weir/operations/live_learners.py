"""Learners that live: what their newest snapshots say, and what a person says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from weir.agents.learner.books import Book, Snapshots
from weir.agents.learner.entries import Entry, Kind
from weir.core.errors import Refused
from weir.edges.kafka.admin import partitions_of
from weir.operations import one_record
from weir.operations.give_up import person
from weir.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The newest snapshot of a learner.

    digest: names its newest state. learned: outcomes in it. good: those of its last good state. next: the
    offset of the log of labelled outcomes, and the number of the outcome, with which a restart goes on. stop: guard,
    what, evidence. rows: who answered, and figures, over the same requests. blind: requests in no figure. left:
    outcomes that came while it was stopped. about: model, window, versions, columns and classes. found: as Evidence
    tells it: the comparison with the champion by closed days, drift; None of a model without snapshots. kept: a restart
    goes on from it. upgrades: what came of other Rivers, see Report, each with when, the newest last.
    """

    name: str
    service: str
    digest: str
    learned: int
    good: int
    next: tuple[int, int]
    stop: dict[str, Any] | None
    rows: list[dict[str, Any]]
    blind: int
    left: int
    at: datetime
    about: dict[str, Any]
    found: dict[str, Any] | None = None
    kept: bool = False
    upgrades: tuple[dict[str, Any], ...] = ()


def shown(settings: Settings, name: str) -> Shown:
    """What the newest snapshot says. Raises Unavailable; Refused where there is none."""
    topic = settings.kafka.names.learner_snapshots
    partitions_of(settings.kafka, topic)
    found = [row for (_, known), row in Snapshots(Book(settings, topic)).read().items() if known == name]
    if not found:
        remedy = "`weir learners list` shows which there are; `weir worker learner` writes it with the first outcome"
        raise Refused(f"learner {name} has no snapshot yet", where=topic, remedy=remedy)
    row = max(found, key=lambda one: int(one["at"]))
    figures, about = json.loads(row["figures"]), json.loads(row["about"])
    return Shown(
        name=row["learner"],
        service=row["service"],
        digest=row["digest"],
        learned=row["learned"],
        good=row["outcomes"],
        next=(row["next_offset"], row["next_number"]),
        stop=json.loads(row["stop"]),
        rows=[{"who": who, "requests": figures["n"], **of} for who, of in figures["of"].items()],
        blind=figures["blind"],
        left=figures["left"],
        at=datetime.fromtimestamp(row["at"] / 1000, UTC),
        about=about,
        found=figures.get("found"),
        kept=bool(row["good"]),
        upgrades=tuple(about.get("upgrades", ())),
    )


def say(settings: Settings, kind: Kind, name: str, reason: str, now: datetime) -> None:
    """Write that a learner is to stop, or to go on, to the log that learners read. Raises Unavailable, Refused."""
    said = {"by": person(), "reason": reason}
    entry = Entry(kind=kind, subject=name, columns=said, at_ms=round(now.timestamp() * 1000), worker=person())
    one_record.write(settings, settings.kafka.names.labelled, "weir-learners", entry.row())
