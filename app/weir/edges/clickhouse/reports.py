"""How good a service's predictions were: figures by SQL, over its view (see edges.clickhouse.results)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core import reference
from weir.core.reference import About
from weir.core.signature import NEGATIVE_POSITIVE, THRESHOLD, Task
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.results import view_of

BITS: Final = ("0", "1")  # how any two classes may be called, the positive one second


class By(StrEnum):
    """What a report has a row for; a day and an hour are of the requests' event time, UTC."""

    ALL = "all"
    DAY = "day"
    HOUR = "hour"
    VARIANT = "variant"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is about.

    begin, end: of event time, the end not included. shadows: what shadows say, on whose decisions nobody acts.
    """

    service: str
    by: By = By.ALL
    begin: datetime = BEGINNING
    end: datetime = END
    shadows: bool = False

    def parameters(self) -> dict[str, Any]:
        """What the SQL of every report takes."""
        view = view_of(self.service, shadows=self.shadows)
        return {"results": view, "by": self.by.value, "from": self.begin, "to": self.end}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a service's predictions are, as the newest bundle that answers says; of shadows alone, the newest of them.

    labels: the classes, of two the positive one second. flagging: decisions that are not the lowest. words: what an
    outcome's label may be -> its class among `labels`, over all bundles of the service; a regression has none.
    threshold: the score from which on a decision is flagging.
    """

    task: Task = Task.BINARY
    labels: tuple[str, ...] = NEGATIVE_POSITIVE
    flagging: tuple[str, ...] = NEGATIVE_POSITIVE[1:]
    words: Mapping[str, str] = field(default_factory=lambda: words_of(Task.BINARY, [NEGATIVE_POSITIVE]))
    threshold: float = THRESHOLD

    def parameters(self) -> dict[str, Any]:
        """What the SQL of reports over classes takes."""
        return {"words": list(self.words), "meant": list(self.words.values())}


def words_of(task: Task, classes: Sequence[Sequence[str]]) -> dict[str, str]:
    """What a label may be, and the class that it means.

    classes: of each bundle, the newest first. Two classes are also 0 and 1, and what older bundles call them.

    >>> words_of(Task.BINARY, [("ok", "fraud")])
    {'ok': 'ok', 'fraud': 'fraud', '0': 'ok', '1': 'fraud'}
    """
    words: dict[str, str] = {}
    for each in [*classes, BITS] if task is Task.BINARY and classes else classes:
        for name, meant in zip(each, classes[0] if task is Task.BINARY else each, strict=True):
            words.setdefault(name, meant)
    return words


def meaning(client: Client, service: str) -> Meaning:
    """Of the bundles that scored for the service or shadowed it. Raises Unavailable, Refused."""
    return told(client, service) or Meaning()


def told(client: Client, service: str) -> Meaning | None:
    """The same; None where no bundle of the service has said anything. Raises Unavailable, Refused."""
    known = [row for row in sql_files.rows(client, "bundles/names") if row["service"] == service]
    known.sort(key=lambda row: (row["role"] == "scorer", row["written_at"]), reverse=True)
    if not known:
        return None
    task, alike = Task(known[0]["task"]), [row for row in known if row["task"] == known[0]["task"]]
    flagging = dict.fromkeys(word for row in alike for word in row["decisions"][1:])
    words = words_of(task, [row["classes"] for row in alike])
    cut = float(known[0]["cuts"][0]) if known[0]["cuts"] else THRESHOLD
    return Meaning(task, tuple(known[0]["classes"]), tuple(flagging), words, cut)


def inputs(client: Client, service: str) -> dict[str, About]:
    """What is known of the inputs of the bundle that answers, by name. Raises Unavailable, Refused.

    Of a bundle that says nothing of them, or not what can be read, nothing is known.
    """
    return reference.inputs(sql_files.rows(client, "bundles/inputs", service=service)[0]["inputs"])


def report(client: Client, asked: Asked, of: Meaning) -> list[dict[str, Any]]:
    """Rows of the report that the task has. Raises Unavailable, Refused."""
    match of.task:
        case Task.MULTICLASS:
            return multiclass(client, asked, of)
        case Task.REGRESSION:
            return regression(client, asked)
    return binary(client, asked, of)


def binary(client: Client, asked: Asked, of: Meaning = Meaning()) -> list[dict[str, Any]]:
    """Rows of reports/binary. Raises Unavailable, Refused."""
    said = {"positive": of.labels[1], "flagging": list(of.flagging)}
    return sql_files.rows(client, "reports/binary", **said, **of.parameters(), **asked.parameters())


def multiclass(client: Client, asked: Asked, of: Meaning) -> list[dict[str, Any]]:
    """Rows of reports/multiclass. Raises Unavailable, Refused."""
    return sql_files.rows(client, "reports/multiclass", **of.parameters(), **asked.parameters())


def classes(client: Client, asked: Asked, of: Meaning) -> list[dict[str, Any]]:
    """Rows of reports/classes, one a class that was decided or true. Raises Unavailable, Refused."""
    return sql_files.rows(client, "reports/classes", **of.parameters(), **asked.parameters())


def regression(client: Client, asked: Asked) -> list[dict[str, Any]]:
    """Rows of reports/regression. Raises Unavailable, Refused."""
    return sql_files.rows(client, "reports/regression", **asked.parameters())
