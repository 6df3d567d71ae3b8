"""Files of text that came from somewhere: whether they are UTF-8."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from weir.core.errors import Refused

SAVE: Final = "save it as UTF-8; a spreadsheet calls that `CSV UTF-8`"


def check(lines: Iterable[bytes], name: str) -> None:
    """Raises Refused naming the first line that is no UTF-8. name: the file, for people."""
    for number, line in enumerate(lines, 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            near = line[max(error.start - 10, 0) : error.end + 10].decode(errors="backslashreplace").strip()
            raise Refused(f"{name} is not UTF-8: line {number} has {near!r}", remedy=SAVE) from error
