"""The project: the folder that holds all that is a team's own. A file weir.yaml marks it, and may hold settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from weir.core.errors import Refused

FILE: Final = "weir.yaml"
VARIABLE: Final = "WEIR_PROJECT"  # says where settings are, so it is none itself


def found() -> Path | None:
    """The project's folder: that which WEIR_PROJECT names, else the nearest one upwards from the working folder.

    Raises Refused when WEIR_PROJECT names no project.
    """
    if named := os.environ.get(VARIABLE, ""):
        folder = Path(named).absolute()
        if not (folder / FILE).is_file():
            remedy = f"correct or unset it; `weir init {named}` makes a project there"
            raise Refused(
                f"{VARIABLE} names no project: {folder} has no {FILE}", where="the environment", remedy=remedy
            )
        return folder
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), None)


def enter() -> str:
    """What to do first where there is no project; "" where there is one."""
    how = "go into a project's folder or let WEIR_PROJECT name it; `weir init DIR` makes one"
    return "" if found() else f"this is no project: {how}"


def root() -> Path:
    """Where paths of the project begin: "." where that is the working folder, or there is no project."""
    folder = found()
    return Path() if folder in (None, Path.cwd()) else folder


def variables() -> Mapping[str, str]:
    """What weir.yaml says: texts by name, as an environment has them. Raises Refused naming what cannot be meant."""
    folder = found()
    if folder is None:
        return {}
    path, write = folder / FILE, "write `WEIR_NAME: value`, a line each"
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # every scalar is the text that it is
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"the project's settings cannot be read: {error}", where=str(path), remedy=write) from error
    except yaml.YAMLError as error:
        what = f"the project's settings are no YAML: {' '.join(str(error).split())}"
        raise Refused(what, where=str(path), remedy=write) from error
    lines = _lines(node)
    if lines is None:
        raise Refused("the project's settings are not names with values", where=str(path), remedy=write)
    said = dict(lines)
    if len(said) < len(lines):
        twice = next(name for i, (name, _) in enumerate(lines) if name in dict(lines[:i]))
        raise Refused(f"{twice} is set twice", where=str(path), remedy="leave one of the lines")
    return said


def _lines(node: yaml.Node | None) -> list[tuple[str, str]] | None:
    """Names and values of a mapping of scalars, in its order; None for anything else."""
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):  # comments alone
        return []
    if not isinstance(node, yaml.MappingNode):
        return None
    scalars = all(isinstance(part, yaml.ScalarNode) for pair in node.value for part in pair)
    return [(name.value, value.value) for name, value in node.value] if scalars else None
