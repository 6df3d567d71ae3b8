"""Errors of the world. Bad data is a value (`core.rejects`); these stop a command with one line and status 75 or 78."""

from __future__ import annotations

from typing import ClassVar, Final

SAID_CHARS: Final = 300  # what a library said, for a person to read at a glance; a value may be in it


class WeirError(Exception):
    """Something outside the data is wrong: what, where, and what to do about it.

    what: one clause naming the thing ("topic weir.requests.fraud does not exist").
    where: address, path or name that was tried; may be empty.
    remedy: what the reader should do next, as an imperative; never empty.
    status: exit status of a process that ends with it, as in sysexits.h; 75: a supervisor may start it again.

    >>> str(WeirError("topic x does not exist", where="127.0.0.1:9092", remedy="run `weir topics create`"))
    'topic x does not exist (127.0.0.1:9092): run `weir topics create`'
    """

    status: ClassVar[int] = 75

    def __init__(self, what: str, *, where: str = "", remedy: str) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(f"{what}{f' ({where})' if where else ''}: {remedy}")


class Unavailable(WeirError):
    """A service does not answer, or answered that it cannot: broker, registry, ClickHouse, online store."""


class Refused(WeirError):
    """Something answered, and it is not what was expected: a bundle, a schema, a feature service, a topic's shape."""

    status = 78


def shortened(text: str) -> str:
    r"""The text on one line of at most SAID_CHARS characters.

    >>> shortened("Non-zero status\n  code")
    'Non-zero status code'
    """
    line = " ".join(text.split())
    return line if len(line) <= SAID_CHARS else line[: SAID_CHARS - 3] + "..."
