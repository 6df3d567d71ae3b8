"""Cells of outcomes: what came true of an hour's predictions, counted once for all figures that are of whole hours.

Whoever reads compares what an hour was counted of with what there is, and joins the hours that differ (see
sql/parts/kept_hours.sql): cells that are missing or old make a figure slower, and never wrong. Sums and counts are the
same by either way to 1e-12; the AUC takes near scores as equal, and says by how much that can change it (off_by), and
quantiles of delays are sketches. So counting may stop anywhere, and be done twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core.signature import Task
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import Once, answering, each_time, url_of, within_memory, written
from weir.edges.clickhouse.results import view_of

TABLES: Final[Mapping[Task, tuple[str, ...]]] = {  # what each task has cells of
    Task.BINARY: ("counts", "delays", "scores", "chances"),
    Task.MULTICLASS: ("counts", "delays", "chances"),
    Task.REGRESSION: ("delays", "errors"),
}
DAY_S: Final = 86_400  # windows of whole days have blocks of whole hours
# Lines of parts/outcome_rows.sql.
CELLS: Final = re.compile(r"^ *-- cells\n.*?^ *-- joined: ([^\n]*)$", re.DOTALL | re.MULTILINE)
HOURS: Final = re.compile(r"^ *-- hours\n.*?^ *-- hours end$", re.DOTALL | re.MULTILINE)
COUNTED: Final = "{counted:Array(Tuple(DateTime('UTC'), UInt64))} AS counted,"
ROWS: Final = re.compile(r"^ *-- rows\n.*?^ *-- rows end\n", re.DOTALL | re.MULTILINE)
READS: Final = re.compile(r"\bFROM (outcome_\w+) AS c\b")
QUIET_S: Final = 60  # for which nothing of an hour has changed; rows of an insert are seen before it is over, or after
AT_ONCE: Final = 200_000  # predictions, some 3 s of CPU; their hours are counted together
APART_S: Final = DAY_S // 2  # between two hours that are: what lies between them is read for nothing
HOURS_AT_ONCE: Final = 7 * 24  # that a statement names: it goes into an address, and that of a server has a bound
KEEP: Final = """
    INSERT INTO outcome_kept (service, hour, made, tables, changes, common)
    SELECT {service:String}, each.1, {made:UInt64}, {tables:Array(String)}, each.2, {common:UInt64}
    FROM (SELECT arrayJoin(arrayZip({hours:Array(DateTime('UTC'))}, {changes:Array(UInt64)})) AS each)
"""
# Counts that another has taken the place of long ago, so that nobody is still reading them.
REPLACED: Final = """
    SELECT DISTINCT hour, made FROM outcome_delays
    WHERE service = {service:String} AND NOT wide
      AND made < transform(hour, {hours:Array(DateTime('UTC'))}, {kept:Array(UInt64)}, toUInt64(0))
"""
LATEST: Final = """
    SELECT groupArray(hour), groupArray(last) FROM (
        SELECT hour, max(made) AS last FROM outcome_kept WHERE service = {service:String} GROUP BY hour
        HAVING last < toUnixTimestamp64Micro(now64(6) - toIntervalSecond({read_s:UInt32})))
"""
FORGET: Final = """
    DELETE FROM {table:Identifier}
    WHERE service = {service:String} AND has({replaced:Array(Tuple(DateTime('UTC'), UInt64))}, (hour, made))
"""
READ_S: Final = 900  # longer than any statement reads
MANY: Final = 48  # hours whose replaced cells are worth a statement


def needed(
    client: Client, sql: str, service: str, begin: datetime, end: datetime, step_s: int, once: Once = each_time
) -> tuple[str, dict[str, Any]]:
    """A statement that reads cells, without what it does not need now, and a parameter that it takes more.

    What changes after this is asked counts for the next one. once: what is asked for several statements. Raises the
    driver's errors.
    """
    reads = READS.search(sql)
    if not CELLS.search(sql) or reads is None:
        return sql, {}
    counted, lacking = _counted(client, reads[1], service, begin, end, once) if step_s % DAY_S == 0 else ([], True)
    if not counted:
        return CELLS.sub(r"\1", sql), {}
    if not lacking:
        sql = ROWS.sub("", sql)
    return HOURS.sub(COUNTED, sql), {"counted": counted}


def _counted(
    client: Client, table: str, service: str, begin: datetime, end: datetime, once: Once
) -> tuple[list[tuple[datetime, int]], bool]:
    """Hours whose cells count all that there is, as kept_hours has them; whether others of it have predictions."""
    asked = {"service": service, "from": written(begin), "to": written(end)}
    (row,) = once(("kept", *asked.values()), lambda: sql_files.rows(client, "cells/kept", **asked))
    now = {hour: changes for hour, changes, _ in map(_values, row["now"])}
    counted = {
        hour: made
        for hour, made, changes, common, tables in map(_values, row["kept"])
        if table in tables and changes == now.get(hour) and common == row["common"] and hour + 3600 <= end.timestamp()
    }
    lacking = any(predictions and hour not in counted for hour, _, predictions in map(_values, row["now"]))
    return sorted((_utc(hour), made) for hour, made in counted.items()), lacking


def _values(one: Any) -> tuple[Any, ...]:
    """Arrow gives a tuple as a dict."""
    return tuple(one.values()) if isinstance(one, Mapping) else tuple(one)


def keep(client: Client, service: str, task: Task, *, most: int = AT_ONCE, quiet_s: int = QUIET_S) -> int:
    """Count the cells of hours that have none or old ones, the newest first; how many hours were counted.

    most: predictions, where the first hour has no more. quiet_s: for which nothing of an hour has changed.
    Raises Unavailable, Refused.
    """
    _forget(client, service, task)
    stale = sql_files.rows(client, "cells/stale", service=service, quiet_s=quiet_s)
    done = 0
    for run in _runs(stale, most):
        done += _count(client, service, task, run)
        most -= sum(row["predictions"] for row in run)
        if most <= 0:
            break
    return done


def _runs(stale: Sequence[Mapping[str, Any]], most: int) -> Iterator[list[Mapping[str, Any]]]:
    """Hours that are counted together, the newest first: near each other, and of no more predictions than `most`.

    A count is several statements, however little there is to count.

    >>> hours = [{"hour": hour * 3600, "predictions": 40} for hour in (90, 80, 68, 40, 39, 38)]
    >>> [[row["hour"] // 3600 for row in run] for run in _runs(hours, 100)]
    [[90, 80], [68], [40, 39], [38]]
    """
    run: list[Mapping[str, Any]] = []
    predictions = 0
    for row in stale:
        if run and (
            run[-1]["hour"] - row["hour"] > APART_S
            or len(run) == HOURS_AT_ONCE
            or predictions + row["predictions"] > most
        ):
            yield run
            run, predictions = [], 0
        run.append(row)
        predictions += row["predictions"]
    if run:
        yield run


def _count(client: Client, service: str, task: Task, run: Sequence[Mapping[str, Any]]) -> int:
    begin, end = (_utc(at) for at in (run[-1]["hour"], run[0]["hour"] + 3600))
    time = {"service": service, "from": written(begin), "to": written(end)}
    odd = {row["hour"] for row in sql_files.rows(client, "cells/odd", task=task.value, **time)}
    run = [row for row in run if row["hour"] not in odd]
    if not run:
        return 0
    hours, made = [_utc(row["hour"]) for row in run], run[0]["made"]
    with answering(url_of(client)), within_memory("counting outcomes by hour"):
        for table in TABLES[task]:
            asked = {**time, "results": view_of(service), "made": made, "hours": hours}
            sql = sql_files.load(f"cells/{table}").text
            client.command(sql, parameters=asked, settings={"session_timezone": "UTC"})
        changes = [row["changes"] for row in run]
        of = {"service": service, "made": made, "tables": [f"outcome_{table}" for table in TABLES[task]]}
        client.command(KEEP, parameters=of | {"hours": hours, "changes": changes, "common": run[0]["common"]})
    return len(run)


def _forget(client: Client, service: str, task: Task) -> None:
    with answering(url_of(client)):
        (latest,) = client.query(LATEST, parameters={"service": service, "read_s": READ_S}).result_rows
        asked = {"service": service, "hours": latest[0], "kept": latest[1]}
        replaced = client.query(REPLACED, parameters=asked).result_rows
        if len(replaced) >= MANY:
            for table, place in product(TABLES[task], range(0, len(replaced), HOURS_AT_ONCE)):
                some = {"replaced": replaced[place : place + HOURS_AT_ONCE], "table": f"outcome_{table}"}
                client.command(FORGET, parameters={"service": service, **some})


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
