"""The scripts of pages as one: every page needs them all, and asks once instead of nine times.

They stay files of their own, for whoever reads them and for tools; here each becomes a function whose value is what it
exports. Only the forms of import and export are known that they use; with another the console does not start.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.web.console import words

FIRST: Final = "console"  # which imports all others
ADDRESS: Final = "/static/all.js"
IMPORT: Final = re.compile(r'^import (?:\{ ([\w, ]+) \} from )?"\./(\w+)\.js";$', re.MULTILINE)
EXPORT: Final = re.compile(r"^export ((?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
LEFT: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def routes() -> list[Route]:
    """Its address; before that of the single files."""
    joined(words.FOLDER / "static")
    return [Route(ADDRESS, everything)]


def everything(request: Request) -> Response:
    """All scripts; nothing where the browser has them already."""
    text = joined(words.FOLDER / "static")
    headers = {"Cache-Control": "no-cache", "ETag": f'"{sha256(text.encode()).hexdigest()[:20]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type="text/javascript", headers=headers)


@cache
def joined(folder: Path) -> str:
    """The first script of a folder with all that it needs, each before whoever needs it.

    Raises ValueError where one imports or exports in a form that is not known, or needs itself.
    """
    done: dict[str, str] = {}
    _join(folder, FIRST, done, ())
    return "\n".join(done.values())


def _join(folder: Path, name: str, done: dict[str, str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"{name}.js needs itself: {' -> '.join((*above, name))}")
    text = (folder / f"{name}.js").read_text(encoding="utf-8")
    for _, needed in IMPORT.findall(text):
        if needed not in done:
            _join(folder, needed, done, (*above, name))
    given = ", ".join(exported for _, exported in EXPORT.findall(text))
    text = IMPORT.sub(lambda found: f"const {{ {found[1]} }} = {_called(found[2])};" if found[1] else "", text)
    text = EXPORT.sub(r"\1", text)
    if left := LEFT.search(text):
        raise ValueError(f"{name}.js: {left[0]!r} is not understood")
    done[name] = f"const {_called(name)} = (() => {{\n{text}\nreturn {{ {given} }};\n}})();"


def _called(name: str) -> str:
    return f"of_{name}"
