"""A project's monitor that has the SQL of one that Weir brings, and says what is different."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Final, NoReturn

from weir.core.errors import Refused
from weir.monitor import header

BOUNDS: Final = frozenset({"warn", "page"})
# What may differ: everything else says what the SQL gives.
KEYS: Final = (
    *("name", "like", "question", "title", "owner", "runbook", "window", "minimum", "cadence", "baseline", "maturity"),
    *("warn", "page", "usual", "target", "slo"),
)


def whole(text: str, where: str, brought: Callable[[str], str | None], names: Iterable[str]) -> str:
    """The file as if its header and SQL were written out; the text itself of one that is like no other.

    A key without a value takes away what the other says: `-- page:`. brought: the text of a monitor that Weir brings,
    None where it brings none of that name; names: all of these. Raises Refused.
    """
    said = header.lines(text, where)
    if "like" not in said:
        return text
    like, rest = said["like"], _below(text)
    other = brought(like)
    if other is None:
        near = get_close_matches(like, list(names), 1)
        meant = f"did you mean {near[0]}? " if near else ""
        _deny(where, f"Weir brings no monitor {like}", f"{meant}`weir monitors list` names those that it brings")
    if header.bare(rest).strip():
        _deny(where, f"it is like {like} and has SQL of its own", "leave out one or the other")
    if foreign := next((key for key in said if key not in KEYS), ""):
        remedy = f"leave it out; what may differ is {', '.join(KEYS[2:])}"
        _deny(where, f"it is like {like}, whose SQL {foreign} belongs to", remedy)
    given = {key for key, value in said.items() if value}
    theirs = header.lines(other, like)
    dropped = ({"usual"} if given & BOUNDS else set()) | (BOUNDS if "usual" in given else set())
    merged = {key: value for key, value in theirs.items() if key not in dropped} | said
    return "".join(f"-- {key}: {value}\n" for key, value in merged.items()) + _below(other)


def _below(text: str) -> str:
    """What stands below the header."""
    lines = text.splitlines(keepends=True)
    place = next((at for at, line in enumerate(lines) if not header.LINE.fullmatch(line.rstrip("\r\n"))), len(lines))
    return "".join(lines[place:])


def _deny(where: str, what: str, remedy: str) -> NoReturn:
    raise Refused(f"this is no monitor: {what}", where=where, remedy=remedy)
