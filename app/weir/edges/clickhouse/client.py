"""ClickHouse over HTTP: one way to connect, to fail and to wait. The same for a server and for the embedded engine."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias, TypeVar

import clickhouse_connect
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError, Error
from clickhouse_connect.driver.httputil import default_pool_manager, get_pool_manager
from urllib3 import PoolManager

from weir.core.addresses import Address, authorities, is_this_machine
from weir.core.errors import Refused, Unavailable
from weir.setting_groups import RecordingSettings

T = TypeVar("T")
Once: TypeAlias = Callable[[Any, Callable[[], Any]], Any]  # of a key, and what gives the answer: that, or a late one

# Server errors that pass by themselves: timeouts, limits, too many parts, shutdown, Keeper. All others are Refused.
# Source: ClickHouse src/Common/ErrorCodes.cpp.
RETRIABLE = frozenset(
    {159, 164, 201, 202, 209, 210, 225, 236, 241, 242, 243, 252, 279, 285, 319, 394, 425, 439, 999, 1002}
)
MEMORY_LIMIT = 241
TOO_LARGE = re.compile(r"Query memory limit|\(for query\)")  # not that of a user or of all, which others use up, too
UNKNOWN_TABLE, UNKNOWN_DATABASE, WRONG_PASSWORD, NO_ACCESS = 60, 81, 516, 497
NOT_ENOUGH_SPACE = 243
LAST_S = 2**32 - 1  # of the type DateTime, since 1970
CONNECT_TIMEOUT_S = 3  # a server on the network answers in milliseconds; longer only hides that it is away
HTTP_STATUS = re.compile(r"HTTP status (\d{3})")
ANOTHERS = frozenset({*range(300, 408), *range(409, 425), 426, 431, 451, 501, 505})  # statuses that do not pass
DRIVERS = re.compile(r"( executing HTTP request attempt \d+)?( \((for url )?https?://[^)]*\))?$|^HTTP driver received ")
SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([^'\")]+)")
SERVER_ERROR = re.compile(r"DB::Exception: (.*?)(?: \(version [^)]*\).*)?$")

# The driver logs each failure beside raising it; what is raised is told once, by us.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0


def connect(settings: RecordingSettings, *, database: str | None = None, timeout_s: float = 300.0) -> Client:
    """A client of settings.clickhouse_url; may be used by several threads.

    database: another than settings.clickhouse_database; "" for the user's default. timeout_s: for one answer.
    Raises Unavailable when nobody answers; Refused when the address cannot be used, or the database or the user is not
    there.
    """
    address = Address.of(
        settings.clickhouse_url,
        "WEIR_CLICKHOUSE_URL",
        example="http://HOST:8123, the port of ClickHouse's HTTP interface",
        credentials="WEIR_CLICKHOUSE_USER and WEIR_CLICKHOUSE_PASSWORD",
    )
    ca_file = authorities(settings.clickhouse_ca_file, "WEIR_CLICKHOUSE_CA_FILE")
    with answering(settings.clickhouse_url):
        return clickhouse_connect.get_client(
            interface=address.scheme,
            host=address.host,
            port=address.port or (8443 if address.scheme == "https" else 8123),
            proxy_path=address.path,
            ca_cert=ca_file,
            username=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            database=(settings.clickhouse_database if database is None else database) or "__default__",
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=int(max(1, timeout_s)),
            pool_mgr=_direct(ca_file) if is_this_machine(settings.clickhouse_url) else None,
            autogenerate_session_id=False,  # a session would serialise the queries of all threads
        )


@cache
def _direct(ca_file: str | None) -> PoolManager:
    """Connections past any proxy that the environment names."""
    return default_pool_manager() if ca_file is None else get_pool_manager(ca_cert=ca_file)


def each_time(_key: Any, make: Callable[[], Any]) -> Any:
    """The answer, asked anew: for whoever keeps none."""
    return make()


def settable(client: Client, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Of a statement's settings those that this user may give: a read-only one may give none, and reads anyway."""
    known = client.server_settings
    return {name: value for name, value in settings.items() if name not in known or not known[name].readonly}


def reads_only(client: Client) -> bool:
    """Whether the user may give no setting at all, as one with the profile readonly = 1."""
    known = client.server_settings.get("readonly")
    return known is not None and str(known.value) == "1"


def url_of(client: Client) -> str:
    """Where a client asks, for messages."""
    return str(getattr(client, "url", "ClickHouse"))


@contextmanager
def within_memory(what: str) -> Iterator[None]:
    """Refused where one statement alone needs more memory than it may have: the next time it will need no less.

    what: it, for the message. To be entered inside `answering`.
    """
    try:
        yield
    except Error as error:
        if error.code != MEMORY_LIMIT or not TOO_LARGE.search(str(error)):
            raise
        remedy = "ask about a shorter time, or let ClickHouse's user have more"
        raise Refused(f"{what} needs more memory than a statement may have: {said(error)}", remedy=remedy) from error


@contextmanager
def answering(where: str) -> Iterator[None]:
    """ClickHouse's and the network's errors as Unavailable (retriable) or Refused (not)."""
    try:
        yield
    except Error as error:
        code = error.code
        text = said(error)
        if code in (UNKNOWN_TABLE, UNKNOWN_DATABASE):
            raise Refused(
                f"ClickHouse lacks a table or database: {text}", where=where, remedy="run `weir migrate`"
            ) from error
        if code in (WRONG_PASSWORD, NO_ACCESS):
            raise Refused(
                f"ClickHouse refuses the user: {text}",
                where=where,
                remedy="check WEIR_CLICKHOUSE_USER, WEIR_CLICKHOUSE_PASSWORD and the user's grants",
            ) from error
        if isinstance(error, DatabaseError) and code is not None and code not in RETRIABLE:
            raise Refused(
                f"ClickHouse refuses a statement: {text}",
                where=where,
                remedy="run `weir migrate`; if the tables are right, this is a defect of Weir",
            ) from error
        if code is None and _is_another(str(error)):
            raise Refused(
                f"what answers there is not ClickHouse's HTTP interface: {text}",
                where=where,
                remedy="let WEIR_CLICKHOUSE_URL name it; its port is 8123 unless somebody chose another",
            ) from error
        if code == NOT_ENOUGH_SPACE:
            raise Unavailable(
                f"ClickHouse's disk is full: {text}", where=where, remedy="make room; nothing is lost meanwhile"
            ) from error
        raise Unavailable(
            f"ClickHouse does not answer: {text}",
            where=where,
            remedy="start it (`weir up`, `docker compose up clickhouse`) or set WEIR_CLICKHOUSE_URL",
        ) from error


def retry(call: Callable[[], T], budget_s: float, on_retry: Callable[[Unavailable], None] = lambda _error: None) -> T:
    """The call's result, tried again while it raises Unavailable, for at most budget_s seconds after its first failure.

    The call must be repeatable: an insert carries its token. Raises the last Unavailable.
    """
    deadline: float | None = None
    pause = FIRST_PAUSE_S
    while True:
        try:
            return call()
        except Unavailable as error:
            now = time.monotonic()
            deadline = now + budget_s if deadline is None else deadline
            if now + pause > deadline:
                raise
            on_retry(error)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)


def once(token: str) -> dict[str, Any]:
    """Settings of an insert that the table takes once, however often it is repeated, as long as it keeps the token."""
    return {
        "insert_deduplicate": 1,
        "insert_deduplication_token": token,
        "deduplicate_blocks_in_dependent_materialized_views": 1,  # off by default in older servers
        "async_insert": 0,  # a queue would answer before the rows are durable
        "max_partitions_per_insert_block": 0,  # outcomes of 100 predictions may lie in 100 months
    }


def written(time: datetime) -> str:
    """A time as a parameter of the type DateTime takes it, which knows none before 1970 and none after 2106.

    >>> written(datetime(2026, 1, 1, 12, tzinfo=UTC)), written(datetime(1969, 12, 31, tzinfo=UTC))
    ('2026-01-01 12:00:00', '1970-01-01 00:00:00')
    """
    at = min(max(int(time.timestamp()), 0), LAST_S)
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _is_another(text: str) -> bool:
    """Whether something else than ClickHouse gave this answer, which has none of ClickHouse's own codes.

    A gateway says with 500 and the like that what is behind it is away; that passes by itself.
    """
    status = HTTP_STATUS.search(text)
    if status:
        return int(status[1]) in ANOTHERS
    return "Unexpected response to server version query" in text or "BadStatusLine" in text


def said(error: Error) -> str:
    """What the server or the operating system said, without the driver's wrapping."""
    text = DRIVERS.sub("", " ".join(str(error).split()))
    found = SERVER_ERROR.search(text) or SYSTEM_ERROR.search(text)
    text = found[1].strip() if found else text
    return text if len(text) <= 300 else text[:300] + "..."
