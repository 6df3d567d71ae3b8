"""How good a service's predictions were: figures by SQL, over its view (see edges.clickhouse.results)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from clickhouse_connect.driver import Client

from weir.core.signature import NEGATIVE_POSITIVE, Task
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.results import view_of


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

    labels: the classes, of two the positive one second. flagging: decisions that are not the lowest.
    """

    task: Task = Task.BINARY
    labels: tuple[str, ...] = NEGATIVE_POSITIVE
    flagging: tuple[str, ...] = NEGATIVE_POSITIVE[1:]


def meaning(client: Client, service: str) -> Meaning:
    """Of the bundles that scored for the service or shadowed it. Raises Unavailable, Refused."""
    known = [row for row in sql_files.rows(client, "bundles/names") if row["service"] == service]
    if not known:
        return Meaning()
    newest = max(known, key=lambda row: (row["role"] == "scorer", row["written_at"]))
    flagging = dict.fromkeys(word for row in known if row["task"] == newest["task"] for word in row["decisions"][1:])
    return Meaning(Task(newest["task"]), tuple(newest["classes"]), tuple(flagging))


def report(client: Client, asked: Asked, of: Meaning) -> list[dict[str, Any]]:
    """Rows of the report that the task has. Raises Unavailable, Refused."""
    match of.task:
        case Task.MULTICLASS:
            return multiclass(client, asked)
        case Task.REGRESSION:
            return regression(client, asked)
    return binary(client, asked, of)


def binary(client: Client, asked: Asked, of: Meaning = Meaning()) -> list[dict[str, Any]]:
    """Rows of reports/binary. Raises Unavailable, Refused."""
    negative, positive = of.labels
    said = {"positive": positive, "negative": negative, "flagging": list(of.flagging)}
    return sql_files.rows(client, "reports/binary", **said, **asked.parameters())


def multiclass(client: Client, asked: Asked) -> list[dict[str, Any]]:
    """Rows of reports/multiclass. Raises Unavailable, Refused."""
    return sql_files.rows(client, "reports/multiclass", **asked.parameters())


def classes(client: Client, asked: Asked) -> list[dict[str, Any]]:
    """Rows of reports/classes, one a class that was decided or true. Raises Unavailable, Refused."""
    return sql_files.rows(client, "reports/classes", **asked.parameters())


def regression(client: Client, asked: Asked) -> list[dict[str, Any]]:
    """Rows of reports/regression. Raises Unavailable, Refused."""
    return sql_files.rows(client, "reports/regression", **asked.parameters())
