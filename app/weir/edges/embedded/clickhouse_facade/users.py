"""Who may ask, and what the engine holds them to."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message

from weir.edges.embedded.clickhouse_facade.configuration import BLOCK, Limits
from weir.edges.embedded.clickhouse_facade.faults import AUTHENTICATION_FAILED, Fault

PASSWORD_VARIABLE = "WEIR_CLICKHOUSE_PASSWORD"
READER_PASSWORD_VARIABLE = "WEIR_CLICKHOUSE_READER_PASSWORD"
LIMIT_DIGITS = 20  # of a limit in a URL; the engine's are 64 bits

# What a dashboard's statement may use: an endless query must not starve the recorder, nor write.
READER_SETTINGS = {
    **BLOCK,
    "max_execution_time": "60",
    "max_result_rows": "5000000",
    "max_temporary_data_on_disk_size_for_query": str(4 << 30),
    "result_overflow_mode": "throw",
    "readonly": "1",
}


@dataclass(frozen=True, slots=True)
class User:
    """A name, a password ("" lets anyone in) and settings that no request can override."""

    name: str
    password: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether this user may change anything."""
        return self.settings.get("readonly", "0") == "0"

    def held_to(self, asked: Mapping[str, str]) -> dict[str, str]:
        """The settings of a request: as asked, but a limit of this user's only ever becomes tighter.

        >>> User("r", "", {"max_result_rows": "100"}).held_to({"max_result_rows": "7"})
        {'max_result_rows': '7'}
        >>> User("r", "", {"max_result_rows": "100"}).held_to({"max_result_rows": "0"})
        {'max_result_rows': '100'}
        >>> User("r", "", {"max_result_rows": "100"}).held_to({"max_result_rows": "007"})
        {'max_result_rows': '7'}
        """
        pinned = {name: value for name, value in self.settings.items() if name != "readonly"}
        tighter = {
            name: str(number)
            for name, value in pinned.items()
            if value.isdigit() and 0 < (number := _whole(asked.get(name, ""))) < int(value)
        }
        return {**asked, **pinned, **tighter}


def _whole(text: str) -> int:
    """A whole number in digits; 0 for everything else, and for more digits than a limit of the engine has."""
    return int(text) if len(text) <= LIMIT_DIGITS and text.isascii() and text.isdigit() else 0


def from_environment(environment: Mapping[str, str], limits: Limits) -> dict[str, User]:
    """`default`, who may do everything inside the database, and `reader`, who may only read.

    The reader's password, where none is set, is that of `default`.
    """
    password = environment.get(PASSWORD_VARIABLE, "")
    reader = environment.get(READER_PASSWORD_VARIABLE, "") or password
    memory = limits.reader_bytes
    held_to = {
        **READER_SETTINGS,
        "max_memory_usage": str(memory),
        "max_bytes_before_external_group_by": str(memory // 2),
        "max_bytes_before_external_sort": str(memory // 2),
    }
    return {"default": User("default", password), "reader": User("reader", reader, held_to)}


def authenticate(users: Mapping[str, User], headers: Message, parameters: Mapping[str, str]) -> User:
    """The user of a request: from X-ClickHouse-User/-Key, HTTP basic authentication, or the URL, in this order.

    Raises Fault (code 516, HTTP 403) without saying whether the name or the password was wrong.
    """
    name, password = headers.get("X-ClickHouse-User"), headers.get("X-ClickHouse-Key", "")
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if name is None and "X-ClickHouse-Key" in headers:
        name = "default"
    if name is None and scheme.lower() == "basic":
        name, password = _basic(token)
    if name is None:
        name, password = parameters.get("user"), parameters.get("password", "")
    user = users.get(name or "default")
    if user is None or (user.password and not hmac.compare_digest(user.password.encode(), password.encode())):
        raise Fault(
            AUTHENTICATION_FAILED,
            "AUTHENTICATION_FAILED",
            "Authentication failed: password is incorrect, or there is no user with such name.",
        )
    return user


def _basic(token: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except ValueError:  # no base64, no ASCII, or no UTF-8 within
        raise Fault(
            AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", "The Authorization header cannot be read."
        ) from None
    return name, password
