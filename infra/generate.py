"""Write what is generated from the code (`make generated`); a test says when a page is stale.

infra/metrics.md                    from weir.metrics.METRICS
infra/grafana/dashboards/*.json     from METRICS, and from the SQL files under app/weir/sql that name a panel
infra/settings.md                   from weir.setting_groups
infra/commands.md                   from the command line itself
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # run as a script

import typer  # noqa: E402
from pydantic import SecretStr  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402
from weir import metrics  # noqa: E402
from weir.edges.clickhouse import sql_files  # noqa: E402
from weir.settings import GROUPS, fields, variable_of  # noqa: E402

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "clickhouse"}
UNITS = {"seconds": "s", "share": "percentunit", "bool": "bool"}
SETTINGS_HEAD = """\
Environment variables, read once at start. A file of the same name in the folder that `WEIR_SECRETS_DIR` names does
as well, and so does a line `WEIR_NAME: value` in the `weir.yaml` of the project, where paths are relative to it and no
secret stands; the environment wins over both. The project is the folder of the nearest `weir.yaml` upwards from the
working folder, or that which `WEIR_PROJECT` names. A variable that begins with `WEIR_` and is none of these stops the
command, which names the nearest one. `weir` checks every value and names all that are wrong at once; `weir settings`
says where each comes from."""
GRAFANA_TIMES = {"from": "$__fromTime", "to": "$__toTime"}
PARAMETER = re.compile(r"\{(\w+):([^}]+)\}")
# Of the dashboard's text boxes; the others are empty: all, as [] is.
BEGIN_WITH = {"ids": "[]", "limit": "100", "settle_s": str(fields()["ledger_settle_s"].default)}
BEGIN_WITH |= {"results": "results_SERVICE", "by": "day", "positive": "positive", "flagging": "['positive']"}
BEGIN_WITH |= {"words": "['negative', 'positive', '0', '1']"}
BEGIN_WITH |= {"meant": "['negative', 'positive', 'negative', 'positive']"}


def settings_page() -> str:
    """Every setting by group: variable, default, what it means, why it has this default."""
    lines = ["# Settings", "", "Generated from `app/weir/setting_groups.py` by `make generated`.", "", SETTINGS_HEAD]
    for group in GROUPS.values():
        assert group.__doc__
        lines += ["", f"## {group.__doc__.rstrip('.')}", "", "| variable | default | meaning | why this default |"]
        lines.append("|---|---|---|---|")
        for name, field in group.model_fields.items():
            what, extra = field.description or "", field.json_schema_extra
            if choices := get_args(field.annotation):
                what = f"{what}; one of {', '.join(f'`{choice}`' for choice in choices)}"
            why = str(extra["why"]) if isinstance(extra, dict) else ""
            cells = [f"`{variable_of(name)}`", _default(field), what, why]
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        default = field.get_default(call_default_factory=True, validated_data={"home": Path("WEIR_HOME")})
        return f"`{default}`"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return f"`{value}`" if value != "" else "empty"


def commands_page() -> str:
    """Every command of `weir` with the first sentence of its help, and the exit statuses."""
    from weir.__main__ import STATUSES, cli  # noqa: PLC0415 - the other pages can be made without the whole command line

    lines = [
        "# Commands",
        "",
        "Generated from `weir --help` by `make generated`; `weir COMMAND --help` has the options.",
        "",
    ]
    lines += ["| command | does |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in _commands(typer.main.get_command(cli), "weir")]
    lines += ["", *(f"- {line}" if line[0].isdigit() else f"{line}\n" for line in STATUSES.splitlines())]
    return "\n".join(lines) + "\n"


def _commands(command: Any, name: str) -> Iterator[tuple[str, str]]:
    children = getattr(command, "commands", {})
    for child, inner in children.items():
        yield from _commands(inner, f"{name} {child}")
    if not children:
        sentence = re.split(r"(?<=[.!?])\s", " ".join((command.help or "").split()))[0]
        yield name, sentence


def metrics_dashboard() -> dict[str, Any]:
    """One Prometheus panel per metric, in the order of METRICS; the description says what to do."""
    panels = []
    for metric in metrics.METRICS:
        by = f" by ({', '.join(metric.labels)})" if metric.labels else ""
        legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels)
        if metric.kind == "counter":
            queries = [(f"sum{by} (rate({metric.name}[$__rate_interval]))", legend)]
        elif metric.kind == "gauge":
            queries = [(f"max{by} ({metric.name})", legend)]
        else:
            buckets = f"sum by ({', '.join(('le', *metric.labels))}) (rate({metric.name}_bucket[$__rate_interval]))"
            queries = [
                (f"histogram_quantile({q}, {buckets})", f"{legend} p{round(q * 100)}".strip()) for q in (0.5, 0.99)
            ]
        unit = UNITS.get(metric.unit, "short") if metric.kind != "counter" else "cps"
        targets = [
            {"refId": chr(65 + i), "datasource": PROMETHEUS, "expr": expr, "legendFormat": text}
            for i, (expr, text) in enumerate(queries)
        ]
        title = metric.name.removeprefix("weir_").removesuffix("_total").replace("_", " ")
        panels.append(_panel(title, f"{metric.meaning}. {metric.action}", "timeseries", unit, PROMETHEUS, targets))
    return _dashboard("weir-metrics", "Weir: metrics", panels)


def sql_dashboard() -> dict[str, Any]:
    """One ClickHouse panel per SQL file under app/weir/sql whose header names a panel kind (`-- panel: table`)."""
    panels = []
    boxes: set[str] = set()
    for path in sorted(sql_files.FOLDER.rglob("*.sql")):
        query = sql_files.load(str(path.relative_to(sql_files.FOLDER).with_suffix("")))
        kind = query.header.get("panel", "")
        if kind not in {"table", "timeseries", "stat"}:
            continue
        series = kind == "timeseries"
        target = {
            "refId": "A",
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "rawSql": _for_grafana(query.text),
            "queryType": "timeseries" if series else "table",
            "format": 0 if series else 1,
        }
        panels.append(_panel(query.header["title"], query.header.get("value", ""), kind, "short", CLICKHOUSE, [target]))
        boxes |= query.parameters - GRAFANA_TIMES.keys()
    dashboard = _dashboard("weir-records", "Weir: records and ledger", panels)
    dashboard["templating"] = {
        "list": [{"name": name, "type": "textbox", "query": BEGIN_WITH.get(name, "")} for name in sorted(boxes)]
    }
    return dashboard


def _for_grafana(text: str) -> str:
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip().rstrip(";")
    return PARAMETER.sub(
        lambda found: GRAFANA_TIMES.get(found[1], _variable(found[1], found[2])),
        body,
    )


def _variable(name: str, kind: str) -> str:
    return f"${{{name}:doublequote}}" if kind == "Identifier" else f"CAST(${{{name}:sqlstring}}, '{kind}')"


def _panel(
    title: str, description: str, kind: str, unit: str, source: dict[str, str], targets: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "title": title,
        "description": description,
        "type": kind,
        "datasource": source,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
    }


def _dashboard(uid: str, title: str, panels: list[dict[str, Any]]) -> dict[str, Any]:
    for i, panel in enumerate(panels):
        panel["id"] = i + 1
        panel["gridPos"] = {"h": 8, "w": 12, "x": 12 * (i % 2), "y": 8 * (i // 2)}
    return {
        "uid": uid,
        "title": title,
        "tags": ["generated", "weir"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": panels,
    }


def pages() -> dict[Path, str]:
    """Path -> text of everything that is generated."""
    boards = {"metrics": metrics_dashboard(), "records": sql_dashboard()}
    return {
        ROOT / "infra/commands.md": commands_page(),
        ROOT / "infra/settings.md": settings_page(),
        ROOT / "infra/metrics.md": metrics.table(),
        **{
            ROOT / f"infra/grafana/dashboards/{name}.json": json.dumps(board, indent=1) + "\n"
            for name, board in boards.items()
        },
    }


if __name__ == "__main__":
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
