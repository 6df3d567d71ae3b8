"""Sides of drift: of the tables that parts/drift_groups.sql adds up, those that a question can have rows of.

ClickHouse plans a statement anew each time it is asked, and plans of drift are long: planning costs more than reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.edges.clickhouse.client import Once, each_time, written

# Lines of parts/drift_groups.sql.
SIDES: Final = re.compile(r"^ *-- side: .*?^ *-- sides end\n", re.DOTALL | re.MULTILINE)
SIDE: Final = re.compile(
    r"^ *-- side: ([^\n]*)\n(.*?)(?:^ *UNION ALL\n(?= *-- side: )|^ *-- sides end\n)", re.DOTALL | re.MULTILINE
)
GRIDS: Final = re.compile(r"^ *-- many grids\n.*?^ *-- one grid: ([^\n]*)$", re.DOTALL | re.MULTILINE)
SLOTS: Final = re.compile(r"^ *-- many slots\n.*?^ *-- one slot: ([^\n]*)$", re.DOTALL | re.MULTILINE)
CHOSEN: Final = re.compile(r"^ *AND [^\n]* -- chosen\n", re.MULTILINE)  # by which a side is; of one that is left, true
EVERY: Final = re.compile(r"^ *AND \{(\w+):String\} IN \('', \w+\)\n", re.MULTILINE)  # holds where nothing is given
THE_ONE: Final = "digest = the_one"  # in those lines
KINDS: Final = re.compile(r"kind IN \(([^()]*)\)")
ANSWERED: Final = """
    SELECT arraySort(groupUniqArray(digest)) FROM histograms_hour
    WHERE service = {service:String} AND kind IN (%s) AND window >= toStartOfHour({from:DateTime('UTC')})
      AND window < {to:DateTime('UTC')}
"""
# Each query of a statement of drift is a step that works out what the next one needs. ClickHouse would make one step of
# all, and then work out anew what stands in several branches of a condition: 300 windows took half as long again.
STEP_BY_STEP: Final[Mapping[str, Any]] = {"query_plan_merge_expressions": 0}
PRODUCED: Final = ("", "season", "pair")  # baselines that are a time of production
HOUR_S: Final = 3600


def needed(sql: str, bound: Mapping[str, Any], digests: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
    """A statement that compares two sides, without the tables of which it says that they have no row.

    And without conditions that hold for every row. bound: what its parameters are. digests: bundles that have rows in
    its time, where the caller knows them; one alone is compared with its own reference, on whose grid all counts are.
    With the parameters that the statement takes more.
    A statement without sides is returned as it is.
    """
    if not SIDES.search(sql):
        return sql, {}
    step_s, produced = int(bound["step"]), bound["baseline"] in PRODUCED
    is_hour = {name: _seconds(bound[name]) % HOUR_S == 0 for name in ("from", "to", "base_from", "base_to")}
    live = step_s % HOUR_S == 0 and is_hour["from"] and is_hour["to"]
    base = (step_s % HOUR_S == 0 or (HOUR_S % step_s == 0 and bound["base_from"] != bound["from"])) and (
        is_hour["base_from"] and is_hour["base_to"]
    )
    wanted = {
        "live, by hour": live,
        "live, by minute": not live,
        "base, by hour": produced and base,
        "base, by minute": produced and not base,
        "base, kept": not produced,
    }

    def left(found: re.Match[str]) -> str:
        return "UNION ALL\n".join(side for name, side in SIDE.findall(found[0]) if wanted[name])

    sql = CHOSEN.sub("", SIDES.sub(left, sql))
    sql = EVERY.sub(lambda found: "" if bound[found[1]] == "" else found[0], sql)
    if not produced:
        sql = SLOTS.sub(r"\1", sql)
    if len(digests) != 1 or bound["baseline"] != "reference":
        return sql, {}
    return GRIDS.sub(r"\1", sql).replace(THE_ONE, "digest = {the_one:String}"), {"the_one": digests[0]}


def settings(sql: str) -> Mapping[str, Any]:
    """Settings with which a statement is cheapest: others for one with sides."""
    return STEP_BY_STEP if SIDES.search(sql) else {}


def answered(
    client: Client, sql: str, service: str, begin: datetime, end: datetime, once: Once = each_time
) -> Sequence[str] | None:
    """Digests of the bundles that have anything in the time that such a statement could tell of; None of another one.

    Many services have no words, or ages. once: what is asked for several statements. Raises the driver's errors.
    """
    if not SIDES.search(sql) or (kinds := KINDS.search(sql)) is None:
        return None
    asked = {"service": service, "from": written(begin), "to": written(end)}
    text = ANSWERED % kinds[1]
    ((digests,),) = once(("sides", text, *asked.values()), lambda: client.query(text, parameters=asked).result_rows)
    return [str(one) for one in digests]


def _seconds(written: str) -> int:
    return int(datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp())
