"""What goes wrong with a request, as ClickHouse says it: an error code, a message and an HTTP status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

# Codes and their HTTP status. Source: ClickHouse, src/Common/ErrorCodes.cpp and
# src/Server/HTTP/exceptionCodeToHTTPStatus.cpp.
BAD_ARGUMENTS = 36
CHECKSUM_DOESNT_MATCH = 40
NOT_IMPLEMENTED = 48
UNKNOWN_FORMAT = 73
UNKNOWN_COMPRESSION_METHOD = 89
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING = 216
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INVALID_SESSION_TIMEOUT = 374
NOT_ENOUGH_SPACE = 243
HTTP_LENGTH_REQUIRED = 381
CANNOT_DECOMPRESS = 271
ACCESS_DENIED = 497
UNKNOWN_QUERY_PARAMETER = 456
SET_NON_GRANTED_ROLE = 512
AUTHENTICATION_FAILED = 516
REQUEST_TOO_LARGE = 639  # HTTP 413; ClickHouse itself uses it for content it will not take
STD_EXCEPTION = 1001

_STATUS = {
    403: {291, 497, 516, 164},
    404: {60, 81, 46, 47, 84, 124, 390, 372},
    400: {
        26,
        27,
        36,
        CHECKSUM_DOESNT_MATCH,
        CANNOT_DECOMPRESS,
        43,
        50,
        53,
        62,
        69,
        70,
        72,
        73,
        115,
        130,
        354,
        386,
        457,
    },
    408: {159},
    411: {HTTP_LENGTH_REQUIRED},
    413: {REQUEST_TOO_LARGE},
    501: {NOT_IMPLEMENTED},
    503: {TOO_MANY_SIMULTANEOUS_QUERIES, SESSION_IS_LOCKED},
}
WORDLESS = "Code: 36. DB::Exception: it is refused, and the reason quotes bytes that are no UTF-8 (BAD_ARGUMENTS)"
_CODE = re.compile(r"Code: (\d+)\.")


class Fault(Exception):
    """A request that gets an error as its answer.

    close: the rest of the request was not read, so the connection must end.
    """

    def __init__(self, code: int, name: str, text: str, *, close: bool = False) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text} ({name})")
        self.code, self.close = code, close

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse gives to this code; 500 for codes it does not list."""
        return status_of(self.code)


class Denied(Fault):
    """What nobody may do here, or not with these rights."""

    def __init__(self, text: str) -> None:
        super().__init__(ACCESS_DENIED, "ACCESS_DENIED", text)


@contextmanager
def engine_errors() -> Iterator[None]:
    """What the engine says is RuntimeError within, also where its text quotes bytes that are no UTF-8.

    Some versions of Python lose such a text, Debian's 3.11.2 among them: then it is the request's, which has the bytes.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error):
            raise
        raise RuntimeError(WORDLESS) from None
    except UnicodeDecodeError as error:  # chDB's own, with the whole text
        raise RuntimeError(error.object.decode(errors="replace")) from None


def status_of(code: int) -> int:
    """The HTTP status of a ClickHouse error code.

    >>> status_of(62), status_of(516), status_of(241)
    (400, 403, 500)
    """
    return next((status for status, codes in _STATUS.items() if code in codes), 500)


def read_engine_error(text: str) -> tuple[int, str]:
    """The code and the message inside what chDB raised; STD_EXCEPTION when it names no code.

    >>> read_engine_error("Query failed: Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)")
    (60, 'Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)')
    """
    found = _CODE.search(text)
    if not found:
        return STD_EXCEPTION, f"Code: {STD_EXCEPTION}. DB::Exception: {text} (STD_EXCEPTION)"
    return int(found[1]), text[found.start() :].strip()
