"""The SQL of files as Grafana sends it: times by its macros, everything else by variables of the dashboard.

Grafana binds no parameters. A parameter becomes an expression: a time, a variable that Grafana quotes itself
(`${service:sqlstring}`), or what the record says of the service's bundle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from grafana_foundation_sdk.cog import builder, variants

from weir.edges.clickhouse import monitors, sql_files
from weir.monitor import header
from weir.monitor.baseline import Against
from weir.monitor.spec import Monitor

SOURCE: Final = {"type": "grafana-clickhouse-datasource", "uid": "clickhouse"}
PARAMETER: Final = re.compile(r"\{(\w+)\s*:\s*([^{}]+?)\s*\}")
SERVICE: Final = "${service:sqlstring}"
# Windows begin at whole multiples of the step, as everywhere else: the range's begin is put back to one.
BEGIN: Final = "toDateTime(intDiv(toUnixTimestamp($__fromTime), ${step}) * ${step}, 'UTC')"
END: Final = "toDateTime($__toTime, 'UTC')"
FOUR_WEEKS: Final = 28 * 86_400
OF_BUNDLE: Final = f"FROM bundles WHERE service = {SERVICE} AND role = 'scorer'"
CLASSES: Final = f"(SELECT argMax(classes, written_at) {OF_BUNDLE})"
BITS: Final = f"if((SELECT argMax(task, written_at) {OF_BUNDLE}) = 'binary', ['0', '1'], [])"
# What the newest bundle of the service means: parameter -> expression.
MEANING: Final[Mapping[str, str]] = {
    "labels": CLASSES,
    "positive": f"if(length({CLASSES}) = 2, {CLASSES}[2], '')",
    "flagging": f"(SELECT arrayPopFront(argMax(decisions, written_at)) {OF_BUNDLE})",
    "words": f"arrayConcat({CLASSES}, {BITS})",
    "meant": f"arrayConcat({CLASSES}, if(empty({BITS}), [], {CLASSES}))",
    "threshold": f"(SELECT toFloat64(ifNull(argMax(threshold, written_at), 0.5)) {OF_BUNDLE})",
}
ALL: Final = "all"  # of a variable that is no filter
FILTERS: Final = {
    name: f"if(${{{name}:sqlstring}} = '{ALL}', '', ${{{name}:sqlstring}})" for name in ("version", "tenant")
}
EMPTY: Final = ("variant", "team", "subject", "base_version", "base_variant", "season", "reason")
TABLES: Final = ("traffic", "histograms", "results")  # by hidden variables: a name cannot be computed in SQL


class ClickHouseQuery(variants.Dataquery):
    """A query of the ClickHouse plugin, which the SDK has no type for. series: times with lines, not rows."""

    def __init__(self, sql: str, *, series: bool, ref_id: str = "A") -> None:
        self.sql, self.series, self.ref_id = sql, series, ref_id

    def to_json(self) -> dict[str, object]:
        """As the plugin's editor writes it."""
        return {
            "refId": self.ref_id,
            "datasource": SOURCE,
            "editorType": "sql",
            "rawSql": self.sql,
            "queryType": "timeseries" if self.series else "table",
            "format": 0 if self.series else 1,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ClickHouseQuery:
        """The query that `to_json` wrote."""
        return cls(data["rawSql"], series=data["queryType"] == "timeseries", ref_id=data["refId"])


class Query(builder.Builder[variants.Dataquery]):
    """A panel's query, as its builder takes it."""

    def __init__(self, sql: str, *, series: bool = False) -> None:
        self._query = ClickHouseQuery(sql, series=series)

    def build(self) -> ClickHouseQuery:
        """The query."""
        return self._query


def weirs() -> dict[str, Monitor]:
    """The monitors that Weir brings, by name."""
    found = {}
    for path in sorted(monitors.FOLDER.rglob("*.sql")):
        name = path.relative_to(monitors.FOLDER).with_suffix("").as_posix()
        found[name] = header.monitor(sql_files.whole(path.read_text(encoding="utf-8")), name, str(path))
    return found


def of_monitor(monitor: Monitor, subject: str = "") -> str:
    """Its SQL. subject: of which it is asked, as an expression."""
    against, season = monitors.compared(monitor.baseline)
    given = {"baseline": f"'{against}'", "season": f"'{season}'"} | ({"subject": subject} if subject else {})
    if monitor.baseline.against is Against.PAIR:
        given |= {"base_from": BEGIN, "base_to": END}
    return filled(monitor.sql, given)


def of_file(name: str, given: Mapping[str, str] | None = None) -> str:
    """The SQL of a file under app/weir/sql. given: parameter -> expression, beside those that are known."""
    return filled(sql_files.load(name).text, given or {})


def filled(text: str, given: Mapping[str, str]) -> str:
    """A statement without its header, each parameter an expression of its type. Raises KeyError for one unknown."""
    body = re.sub(r"\A(?:--[^\n]*\n)+", "", text).strip().rstrip(";")
    return PARAMETER.sub(lambda found: _expression(found[1], found[2], given), body)


def _expression(name: str, kind: str, given: Mapping[str, str]) -> str:
    if kind == "Identifier":
        return given.get(name) or f"${{{name}:raw}}"
    known = {
        "service": SERVICE,
        "from": BEGIN,
        "to": END,
        "step": "${step}",
        "base_from": f"{BEGIN} - {FOUR_WEEKS}",
        "base_to": BEGIN,
        "baseline": "''",
        "settle_s": "30",
        "limit": "100",
        **MEANING,
        **FILTERS,
        **dict.fromkeys(EMPTY, "''"),
        **given,
    }
    kind = kind.replace("'", "\\'")
    return f"CAST({known[name]}, '{kind}')"
