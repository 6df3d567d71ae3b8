"""Learners of the day that `filled` makes: one better than its champion, one that a guard has stopped, a new one.

Their states are on Kafka, in the topic of snapshots, as the learner worker writes them.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from weir.learn.comparison import compared
from weir.learn.days import DAY_MS, LOG_LOSS, SQUARED, Day, Part
from weir.learn.learner import CHAMPION, LEARNER, Terms

from tests.console.filled import ARRIVALS, FLIGHTS, INPUTS, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from clickhouse_connect.driver import Client
    from weir.settings import Settings

BETTER, STOPPED, NEW = "hybrid", "minutes", "plain"
LINEAR: Final = "model: [river.preprocessing.StandardScaler, river.linear_model.{}]\n"
FILES: Final = {
    BETTER: f"service: {FLIGHTS.service}\nchampion: true\nlearning_rate: 0.001\n" + LINEAR.format("LogisticRegression"),
    STOPPED: f"service: {ARRIVALS.service}\n" + LINEAR.format("LinearRegression"),
    NEW: f"service: {FLIGHTS.service}\n" + LINEAR.format("LogisticRegression"),
}
DAYS: Final = 40
SAID: Final = {LEARNER: 0.44, CHAMPION: 0.47, "no change": 0.56, "last": 2.9}  # of a mean day
STOP: Final = {
    "guard": "weight",
    "what": "the weight of wind is 1340, above 100",
    "evidence": {"feature": "wind", "weight": 1340.2, "limit": 100},
    "outcomes": 41_000,
}


def files(folder: Path) -> None:
    """Those of the project."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / f"{name}.yaml").write_text(text)


def states(settings: Settings) -> None:
    """Write the states of BETTER and STOPPED to Kafka, each after an older one."""
    from weir.agents.learner.books import Book, Snapshots
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish

    publish(Registry(settings.registry), settings.paths.schemas_dir, declared(settings))
    ensure(settings, declared(settings))
    book = Book(settings, settings.kafka.names.learner_snapshots)
    given = {field["name"]: b"" for field in json.loads(book.encoder.contract.schema)["fields"]}
    rows = [_row(BETTER, 3_000, NOW - timedelta(days=2)), _row(STOPPED, 41_000, NOW), _row(BETTER, 52_345, NOW)]
    Snapshots(book).write([{**given, **row} for row in rows])


def calls(client: Client) -> None:
    """What learners called for, in the record."""
    from weir.learn.proposals import promotion
    from weir.monitor.action import Action

    of = compared(_days(LOG_LOSS), Terms(), until_ms=_ms(NOW), stopped=False, champion=CHAMPION, baselines=())
    promoted = promotion(of, learner=BETTER, service=FLIGHTS.service, at_ms=_ms(NOW - timedelta(hours=3)))
    assert promoted is not None
    drift = Action(
        kind="drift",
        service=ARRIVALS.service,
        subject="",
        proposed_by=f"learners/{STOPPED}",
        sentence="what comes true of eta-promise has been +3.1 off what its champion expects",
        parameters={},
        evidence={"residual": 3.1},
        measurement_id="",
        begin_ms=_ms(NOW - timedelta(days=3)),
        end_ms=_ms(NOW - timedelta(hours=30)),
        at_ms=_ms(NOW - timedelta(hours=30)),
    )
    taken = replace(
        promoted,
        kind="promoted",
        proposed_by="ada@desk",
        sentence="learner hybrid answers, proven better",
        parameters={"learner": BETTER},
        at_ms=_ms(NOW - timedelta(hours=1)),
    )
    rows = [one.row() for one in (promoted, drift, taken)]
    for number, row in enumerate(rows):
        for name in ("at", "begin", "end"):
            row[name] = datetime.fromtimestamp(row[name] / 1000, NOW.tzinfo)
        row |= {"log_id": "c", "log_topic": "weir.actions", "log_partition": 0, "log_offset": number}
    data, token = [[*row.values()] for row in rows], {"insert_deduplication_token": uuid.uuid4().hex}
    client.insert("actions", data, column_names=[*rows[0]], settings=token)


def _row(name: str, learned: int, at: datetime) -> dict[str, Any]:
    service, figure = (FLIGHTS.service, LOG_LOSS) if name == BETTER else (ARRIVALS.service, SQUARED)
    days, stop = _days(figure), STOP if name == STOPPED else None
    of = compared(
        days, Terms(), until_ms=_ms(NOW), stopped=stop is not None, champion=CHAMPION, baselines=("no change", "last")
    )
    names = ("log_loss", "brier") if name == BETTER else ("mae", "rmse")
    figures = {who: {names[0]: said, names[1]: said / 3} for who, said in SAID.items()}
    closed = [[day.begin_ms, day.requests, day.known, {figure: day.figures[figure].sums}] for day in days]
    found = {"compared": asdict(of), "late": 0, "drifts": [], "incident": None}
    about = {
        "learner": {"model": "a pipeline", "window": 1000},
        "versions": {"weir": "0.1.0", "river": "0.26.1"},
        "columns": [*INPUTS, "champion"],
        "classes": list(FLIGHTS.classes),
    }
    return {
        "learner": name,
        "service": service,
        "digest": "0f1e2d3c4b5a",
        "log": "a log",
        "next_offset": 12,
        "next_number": learned,
        "outcomes": learned // 1000 * 1000,
        "learned": learned,
        "stop": json.dumps(stop),
        "figures": json.dumps({"n": 48_000, "blind": 1_200, "left": 37 if stop else 0, "of": figures, "found": found}),
        "held": json.dumps({"evidence": {"closed": closed}}),
        "about": json.dumps(about),
        "good": b"",
        "states": _states(learned, at) if name == BETTER else b"",
        "at": _ms(at),
        "worker": "w",
    }


def _states(learned: int, at: datetime) -> bytes:
    from weir.learn import history
    from weir.learn.baselines import Seen
    from weir.learn.history import History, State

    kept = (np.zeros((4, len(INPUTS) + 1)), np.zeros(3))
    return history.dump(
        History(
            tuple(
                State(_ms(at) - 1000 * back, kept, Seen(learned - 10 * back, np.array([3.0, 4.0]), 1.0))
                for back in range(20, -1, -1)
            )
        )
    )


def _days(figure: str) -> list[Day]:
    """Closed ones, of which the middle one is missing."""
    last = _ms(NOW) // DAY_MS - 2
    chance = np.random.default_rng(7)
    found = []
    for back in range(DAYS - 1, -1, -1):
        common, n = chance.normal(0, 0.03), 1000 + 10 * back
        if back == DAYS // 2:
            continue
        own = {who: n * (said + common + chance.normal(0, 0.006)) for who, said in SAID.items()}
        found.append(Day((last - back) * DAY_MS, n, 5000, {figure: Part(float(n), own)}))
    return found


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
