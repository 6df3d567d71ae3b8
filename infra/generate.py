"""Write what is generated from the code (`make generated`); a test says when a page is stale.

infra/metrics.md                    from weir.metrics.METRICS
infra/grafana/dashboards/*.json     from METRICS, and from the SQL files under app/weir/sql that name a panel
README.md, between its markers      settings from app/weir/settings.py, commands from the command line itself
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # run as a script

import typer  # noqa: E402
from weir import metrics  # noqa: E402
from weir.edges.clickhouse import sql_files  # noqa: E402
from weir.settings import Settings  # noqa: E402

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "clickhouse"}
UNITS = {"seconds": "s", "share": "percentunit", "bool": "bool"}
GRAFANA_TIMES = {"from": "$__fromTime", "to": "$__toTime"}
PARAMETER = re.compile(r"\{(\w+):([^}]+)\}")
# Of the dashboard's text boxes; the others are empty: all, as [] is.
BEGIN_WITH = {"ids": "[]", "limit": "100", "settle_s": str(Settings.model_fields["ledger_settle_s"].default)}


def settings_table() -> str:
    """Every setting: variable, default, and the comment that stands beside it in app/weir/settings.py."""
    text = (ROOT / "app/weir/settings.py").read_text()
    lines = text.splitlines()
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    fields = [node for node in classes[0].body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    for field in fields:
        assert isinstance(field.target, ast.Name)
        assert field.value is not None
        section = re.fullmatch(r"\s*# (.+)", lines[field.lineno - 2])
        if section:
            rows.append(f"| **{section[1]}** | | |")
        last = lines[(field.end_lineno or field.lineno) - 1]
        comment = last.rpartition("  # ")[2] if "  # " in last else ""
        if ast.unparse(field.annotation).startswith("Literal["):
            choices = ast.unparse(field.annotation)[len("Literal[") : -1].replace("'", "`")
            comment = f"one of {choices}; {comment}"
        comment = comment.replace("|", r"\|")
        rows.append(f"| `WEIR_{field.target.id.upper()}` | {_default(field.value)} | {comment} |")
    return "\n".join(rows)


def _default(value: ast.expr) -> str:
    if isinstance(value, ast.Call):  # Path("..."), SecretStr(""), Field(default=...)
        inner = value.args[0] if value.args else next(item.value for item in value.keywords if item.arg == "default")
        return _default(inner)
    if isinstance(value, ast.BinOp):
        return f"`{ast.literal_eval(value.right)}` beside the code"
    plain = ast.literal_eval(value)
    return f"`{plain}`" if plain != "" else "empty"


def commands_table() -> str:
    """Every command of `weir` with the first sentence of its help."""
    from weir.__main__ import cli  # noqa: PLC0415 - the other pages can be made without the whole command line

    rows = ["| command | does |", "|---|---|"]
    rows += [f"| `{name}` | {text} |" for name, text in _commands(typer.main.get_command(cli), "weir")]
    return "\n".join(rows)


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
        lambda found: GRAFANA_TIMES.get(found[1], f"CAST(${{{found[1]}:sqlstring}}, '{found[2]}')"), body
    )


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


def between(text: str, name: str, content: str) -> str:
    """`text` with what stands between its two markers replaced. Raises ValueError when a marker is missing."""
    begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"markers of {name} are missing")
    return text[: text.index(begin) + len(begin)] + f"\n{content}\n" + text[text.index(end) :]


def pages() -> dict[Path, str]:
    """Path -> text of everything that is generated."""
    readme = ROOT / "README.md"
    text = between(readme.read_text(), "settings", settings_table())
    text = between(text, "commands", commands_table())
    boards = {"metrics": metrics_dashboard(), "records": sql_dashboard()}
    return {
        readme: text,
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
