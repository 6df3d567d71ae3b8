"""Files of text that came from somewhere: whether they are UTF-8, CSV has commas, and a line is JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import Any, Final

from weir.core.errors import Refused

SAVE: Final = "save it as UTF-8, which a spreadsheet calls `CSV UTF-8`"
OTHER_SEPARATORS: Final = {";": ";", "\t": "a tab"}  # and how people call them


def check(lines: Iterable[bytes], name: str) -> None:
    """Raises Refused naming the first line that is no UTF-8. name: the file, for people."""
    for number, line in enumerate(lines, 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            near = line[max(error.start - 10, 0) : error.end + 10].strip()
            raise Refused(f"{name} is not UTF-8: line {number} has {str(near)[1:]}", remedy=SAVE) from error


def check_separator(heading: str, name: str) -> None:
    """Raises Refused where the first line of a CSV falls into more columns by another sign than the comma."""
    for sign, called in OTHER_SEPARATORS.items():
        if _columns(heading, sign) > _columns(heading, ","):
            what = f"the separator of {name} is {called}"
            raise Refused(what, remedy="write a comma between the columns, and a point in decimal numbers")


def record(line: bytes) -> dict[str, Any] | str:
    """The object that a line of JSON says, or what is wrong with the line."""
    try:
        found = json.loads(line)
    except UnicodeDecodeError:
        return "not UTF-8: save the file as UTF-8"
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return found if isinstance(found, dict) else "no JSON object"


def _columns(line: str, sign: str) -> int:
    return len(next(csv.reader([line], delimiter=sign), []))
