"""Write what is generated from the code (`make generated`); a test says when a page is stale.

infra/metrics.md                    from weir.metrics.METRICS
infra/grafana/dashboards/*.json     by app/weir/web/grafana, from METRICS and from the SQL files under app/weir/sql
infra/settings.md                   from weir.setting_groups
infra/commands.md                   from the command line itself
"""

from __future__ import annotations

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
from weir.settings import GROUPS, variable_of  # noqa: E402
from weir.web.grafana import boards  # noqa: E402

SETTINGS_HEAD = """\
Environment variables, read once at start. A file of the same name in the folder that `WEIR_SECRETS_DIR` names does
as well, and so does a line `WEIR_NAME: value` in the `weir.yaml` of the project, where paths are relative to it and no
secret stands; the environment wins over both. The project is the folder of the nearest `weir.yaml` upwards from the
working folder, or that which `WEIR_PROJECT` names. A variable that begins with `WEIR_` and is none of these stops the
command, which names the nearest one. `weir` checks every value and names all that are wrong at once; `weir settings`
says where each comes from."""


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
    from weir.__main__ import STATUSES, command_line  # noqa: PLC0415 - the other pages can be made without the whole command line

    lines = [
        "# Commands",
        "",
        "Generated from `weir --help` by `make generated`; `weir COMMAND --help` has the options.",
        "",
    ]
    lines += ["| command | does |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in _commands(typer.main.get_command(command_line()), "weir")]
    lines += ["", *(f"- {line}" if line[0].isdigit() else f"{line}\n" for line in STATUSES.splitlines())]
    return "\n".join(lines) + "\n"


def _commands(command: Any, name: str) -> Iterator[tuple[str, str]]:
    children = getattr(command, "commands", {})
    for child, inner in children.items():
        yield from _commands(inner, f"{name} {child}")
    if not children:
        sentence = re.split(r"(?<=[.!?])\s", " ".join((command.help or "").split()))[0]
        yield name, sentence


def pages() -> dict[Path, str]:
    """Path -> text of everything that is generated."""
    return {
        ROOT / "infra/commands.md": commands_page(),
        ROOT / "infra/settings.md": settings_page(),
        ROOT / "infra/metrics.md": metrics.table(),
        **{ROOT / f"infra/grafana/dashboards/{name}.json": text for name, text in boards.all_of_them().items()},
    }


if __name__ == "__main__":
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
