"""Styles and scripts, from memory: a page asks for a dozen of them before it is seen."""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SMALL: Final = 1500  # bytes that are sent as they are


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent: itself, the same compressed (empty where that is not worth it), its type and its tag."""

    changed_ns: int
    body: bytes
    packed: bytes
    kind: str
    tag: str


class Assets:
    """The files of a folder, asked for again each time by their tags: a new Weir is seen at once."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        self._read: dict[str, Asset] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One file. Raises HTTPException where there is none of this name."""
        asked = Headers(scope=scope)
        found = self._asset(scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/"))
        head = {"Cache-Control": "no-cache", "ETag": found.tag, "Vary": "Accept-Encoding"}
        if asked.get("if-none-match") == found.tag:
            answer = Response(status_code=304, headers=head)
        elif found.packed and "gzip" in asked.get("accept-encoding", ""):
            answer = Response(found.packed, headers={**head, "Content-Encoding": "gzip"}, media_type=found.kind)
        else:
            answer = Response(found.body, headers=head, media_type=found.kind)
        await answer(scope, receive, send)

    def _asset(self, name: str) -> Asset:
        if (path := self._paths.get(name)) is None:
            raise HTTPException(404)
        changed_ns = path.stat().st_mtime_ns
        if name not in self._read or self._read[name].changed_ns != changed_ns:
            self._read[name] = _read(path, changed_ns)
        return self._read[name]


def _read(path: Path, changed_ns: int) -> Asset:
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0) if len(body) >= SMALL else b""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(changed_ns, body, packed, kind, f'"{sha256(body).hexdigest()[:20]}"')
