"""A new project: the folder with everything that a team begins with."""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Final

from weir.core.errors import Refused

TEMPLATES: Final = Path(__file__).resolve().parents[1] / "templates" / "project"
SUFFIX: Final = ".in"


def init(folder: Path, *, keep: bool = False) -> tuple[Path, ...]:
    """Make a project of a folder, which may be there; the files that were written, relative to it.

    keep: files that are there stay as they are, and the others are written. Raises Refused, and writes nothing, when
    one is there and is not to be kept, or the folder cannot be written.
    """
    files = {_name_of(path): path for path in sorted(TEMPLATES.rglob(f"*{SUFFIX}"))}
    there = [name for name in files if os.path.lexists(folder / name)]
    if there and not keep:
        raise Refused(
            f"nothing was written: there is {', '.join(map(str, there))} already",
            where=str(folder),
            remedy="take another folder, or give --keep: these stay as they are, and the others are written",
        )
    files = {name: path for name, path in files.items() if name not in there}
    name = folder.resolve().name
    words = {"name": name, "feast_project": _feast_name(name), "image": _image_name(name), "version": version("weir")}
    made: list[Path] = []
    try:
        for to, template in files.items():
            _make_folder((folder / to).parent, made)
            with (folder / to).open("x", encoding="utf-8") as file:
                made.append(folder / to)
                file.write(Template(template.read_text(encoding="utf-8")).substitute(words))
    except OSError as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        what = f"the project cannot be written: {error.strerror}"
        raise Refused(what, where=str(error.filename or folder), remedy="take another folder") from error
    return tuple(files)


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make a folder and those around it; made: gets those that were not there."""
    lacking = [path for path in (folder, *folder.parents) if not path.is_dir()]
    for path in reversed(lacking):
        path.mkdir()
        made.append(path)


def _name_of(template: Path) -> Path:
    return template.relative_to(TEMPLATES).with_suffix("")


def _feast_name(name: str) -> str:
    """What Feast takes as the name of a project: letters, digits and underscores, no underscore first.

    >>> _feast_name("card-fraud.eu"), _feast_name("_"), _feast_name("2nd")
    ('card_fraud_eu', 'project', '2nd')
    """
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "project"


def _image_name(name: str) -> str:
    """What Docker takes as the name of an image: small letters, digits, and dashes between them.

    >>> _image_name("Card_Fraud.eu"), _image_name("_")
    ('card-fraud-eu', 'project')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "project"
