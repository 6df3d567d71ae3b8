"""HTTP in, statements to the engine, HTTP out."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar, cast
from urllib.parse import parse_qsl, urlsplit

from weir.edges.embedded.clickhouse_facade import body, form, greeting, setting_names, statement
from weir.edges.embedded.clickhouse_facade.asked import Asked, ExternalTable
from weir.edges.embedded.clickhouse_facade.blocks import Blocks, unpack
from weir.edges.embedded.clickhouse_facade.catalogue import Rights
from weir.edges.embedded.clickhouse_facade.codecs import Encoder, choose, encoder
from weir.edges.embedded.clickhouse_facade.configuration import READER_BODY_BYTES
from weir.edges.embedded.clickhouse_facade.faults import (
    ACCESS_DENIED,
    BAD_ARGUMENTS,
    SET_NON_GRANTED_ROLE,
    Fault,
    read_engine_error,
    status_of,
)
from weir.edges.embedded.clickhouse_facade.outlets import Gone
from weir.edges.embedded.clickhouse_facade.reply import TEXT, Reply
from weir.edges.embedded.clickhouse_facade.server import Wait
from weir.edges.embedded.clickhouse_facade.users import User, authenticate
from weir.edges.embedded.origins import foreign

if TYPE_CHECKING:
    from io import BufferedReader

    from weir.edges.embedded.clickhouse_facade.engine import Engine
    from weir.edges.embedded.clickhouse_facade.server import Server
    from weir.edges.embedded.clickhouse_facade.sessions import Session

# Parameters of ClickHouse's HTTP interface that are not settings. Source: ClickHouse, src/Server/HTTPHandler.cpp.
TRANSPORT = frozenset(
    {
        "database",
        "query",
        "default_format",
        "user",
        "password",
        "quota_key",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "compress",
        "decompress",
        "wait_end_of_query",
        "buffer_size",
        "stacktrace",
        "client_protocol_version",
        "role",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "enable_http_compression",
        "cancel_http_readonly_queries_on_client_close",
        "http_response_buffer_size",
        "add_http_cors_header",
        "network_compression_method",
        "http_write_exception_in_output_format",
        "readonly",
    }
)
IDLE_TIMEOUT_S = 300.0  # a connection that asks nothing gives its thread back
BODY_TIMEOUT_S = 30.0  # between two pieces of a body, and for a client to take a piece of its answer
LINGER_S = 5.0
_HEADER_SAFE = re.compile(r"[\x20-\x7e]{1,128}")


class Handler(BaseHTTPRequestHandler):
    """One connection. `engine`, `users`, `names`, `room` and `max_body_bytes` are set on the subclass of a server."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Weir", ""
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_S

    engine: ClassVar[Engine]
    users: ClassVar[Mapping[str, User]]
    names: ClassVar[Collection[str]]
    room: ClassVar[body.Room]
    max_body_bytes: ClassVar[int]
    _known = False  # whether this connection has shown who it is

    def handle_one_request(self) -> None:
        """Wait for a request, as one of a bounded number of connections that wait, and answer it."""
        waiting = cast("Server", self.server).waiting
        with waiting.one(self.connection, known=self._known):
            self.connection.settimeout(IDLE_TIMEOUT_S)
            if not self._begins():
                self.close_connection = True
                return
            waiting.move(self.connection, Wait.KNOWN_ASKS if self._known else Wait.UNKNOWN)
            super().handle_one_request()

    def _begins(self) -> bool:
        """Wait for the first byte of a request; whether one came."""
        with contextlib.suppress(OSError):  # it took too long, or went away
            return bool(cast("BufferedReader", self.rfile).peek(1))
        return False

    def handle_expect_100(self) -> bool:
        """Nothing yet: the client may send its body once it is known who it is."""
        return True

    def do_GET(self) -> None:
        """Answer a statement, or say that the server is there."""
        head = {"X-ClickHouse-Server-Display-Name": "weir", "X-ClickHouse-Timezone": self.engine.timezone}
        try:
            self._answer(head)
        except Fault as fault:
            self.close_connection = self.close_connection or fault.close or self._has_body()
            self._fault(fault.status, fault.code, str(fault), head)
            if self.close_connection:
                self._linger()
        except ValueError as error:  # a URL that is none, text that is not UTF-8
            self.close_connection = self.close_connection or self._has_body()
            self._fault(400, BAD_ARGUMENTS, f"Code: {BAD_ARGUMENTS}. DB::Exception: Not understood: {error}", head)

    do_POST = do_HEAD = do_GET

    def _answer(self, head: dict[str, str]) -> None:
        self._unread = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        if why := foreign(self.headers, self.names, cast("Server", self.server).server_port):
            raise Fault(ACCESS_DENIED, "ACCESS_DENIED", f"Refused before anything was run: {why}", close=True)
        url = urlsplit(self.path)
        if url.path in ("/ping", "/replicas_status"):
            return self._reply(200, b"Ok.\n", head)
        if url.path not in ("/", ""):
            return self._reply(404, b"There is no handler for this path; statements go to /\n", head)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True, errors="surrogateescape"))
        if not parameters.get("query") and not self._unread:
            return self._reply(200, b"Ok.\n", head)
        user = authenticate(self.users, self.headers, parameters)
        self._known = True
        cast("Server", self.server).waiting.move(self.connection, Wait.KNOWN_ASKS)
        with self.room.share() as take:
            raw = self._body(user, take)
            if parameters.get("decompress", "0") == "1":
                raw = unpack(raw, self._bound(user))
                take(len(raw))
            tables: tuple[ExternalTable, ...] = ()
            if self.headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
                fields, files = form.read(self.headers["Content-Type"], raw)
                parameters |= fields
                tables = form.external_tables(files, parameters)
                raw = b""
            if not raw and not parameters.get("query"):
                return self._reply(200, b"Ok.\n", head)
            return self._statement(user, parameters, raw, tables, head)

    def _has_body(self) -> bool:
        """Whether some of the request may still be unread, so that the next one's start is not known."""
        return getattr(self, "_unread", True)

    def _body(self, user: User, take: body.Take) -> bytes:
        if not self._unread:
            return b""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        self.connection.settimeout(BODY_TIMEOUT_S)
        raw = body.read(self.rfile, self.headers, self._bound(user), take)
        self._unread = False
        return raw

    def _bound(self, user: User) -> int:
        """Bytes of a body of this user, as sent and as unpacked."""
        return self.max_body_bytes if user.writes else min(READER_BODY_BYTES, self.max_body_bytes)

    def _statement(
        self,
        user: User,
        parameters: dict[str, str],
        raw: bytes,
        tables: tuple[ExternalTable, ...],
        head: dict[str, str],
    ) -> None:
        query_id = parameters.get("query_id", "")
        query_id = query_id if _HEADER_SAFE.fullmatch(query_id) else str(uuid.uuid4())
        head["X-ClickHouse-Query-Id"] = query_id
        if role := parameters.get("role"):
            text = f"Role {role} is not granted: the embedded ClickHouse has none"
            raise Fault(SET_NON_GRANTED_ROLE, "SET_NON_GRANTED_ROLE", text)
        query = parameters.get("query", "").encode("utf-8", "surrogateescape")
        default_format = parameters.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        if greeting.is_greeting(query or raw):
            return self._greet(parameters, head)
        readonly = self._readonly(parameters, user)
        with self._session(user, parameters) as session:
            asked = Asked(
                statement=statement.parse(query, raw, default_format),
                rights=Rights.OWNER if not readonly else Rights.READS if user.writes else Rights.READER,
                database=parameters.get("database") or self.headers.get("X-ClickHouse-Database") or "",
                settings=user.held_to(_settings(parameters, user)),
                parameters={name[6:]: value for name, value in parameters.items() if name.startswith("param_")},
                readonly=readonly,
                session=session if user.writes else None,  # a read-only handle cannot be turned back
                tables=tables,
                query_id=query_id,
            )
            cast("Server", self.server).waiting.leave(self.connection)
            return self._run(asked, parameters, head)

    def _greet(self, parameters: Mapping[str, str], head: dict[str, str]) -> None:
        with contextlib.closing(Reply(self, head, self._encoder(parameters, head), whole=False)) as reply:
            reply.add(greeting.block(self.engine.version, self.engine.timezone), "Native")
            reply.end("{}")

    def _run(self, asked: Asked, parameters: Mapping[str, str], head: dict[str, str]) -> None:
        whole = parameters.get("wait_end_of_query", "0") == "1"
        with contextlib.closing(Reply(self, head, self._encoder(parameters, head), whole=whole)) as reply:
            try:
                _, summary = self.engine.run(asked, reply.add, self._gone)
                reply.end(json.dumps(summary))
            except (Gone, OSError):  # nobody there to be told
                self.close_connection = True
            except RuntimeError as error:  # what chDB raises for everything the engine says
                code, text = read_engine_error(str(error))
                if reply.begun:
                    reply.break_off(f"{text} (version {self.engine.version})")
                else:
                    self._fault(status_of(code), code, text, _plain(head))

    def _encoder(self, parameters: Mapping[str, str], head: dict[str, str]) -> Encoder:
        if parameters.get("compress", "0") == "1":
            return Blocks(parameters.get("network_compression_method", "lz4"))
        # between processes of one machine a copy is cheaper than any compression
        if parameters.get("enable_http_compression") == "1" and not self.client_address[0].startswith("127."):
            encoding = choose(self.headers.get("Accept-Encoding", ""))
            if encoding:
                head["Content-Encoding"] = encoding
            return encoder(encoding)
        return Encoder()

    @contextmanager
    def _session(self, user: User, parameters: Mapping[str, str]) -> Iterator[Session | None]:
        name = parameters.get("session_id", "")
        if not name:
            yield None
            return
        must_exist = parameters.get("session_check", "0") == "1"
        timeout = parameters.get("session_timeout", "")
        sessions = self.engine.sessions
        with sessions.one(user.name, name, must_exist=must_exist, timeout=timeout, gone=self._gone) as session:
            yield session

    def _readonly(self, parameters: Mapping[str, str], user: User) -> int:
        """The strictest of what the user is held to, what HTTP's GET allows and what the client asks for."""
        asked = {_readonly_level(parameters.get("readonly", "0")), _readonly_level(user.settings.get("readonly", "0"))}
        if self.command != "POST":
            asked.add(2)
        return 1 if 1 in asked else max(asked)

    def _gone(self) -> bool:
        """Whether the client has closed its side; one that only waits has nothing to read from."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        try:
            return bool(poll.poll(0)) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _fault(self, status: int, code: int, text: str, head: dict[str, str]) -> None:
        if status >= 500:
            self.log_error("%s", text)
        head["X-ClickHouse-Exception-Code"] = str(code)
        self._reply(status, f"{text} (version {self.engine.version})\n".encode(errors="replace"), head)

    def _reply(self, status: int, data: bytes, head: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": TEXT, **head, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        if self.close_connection or self._has_body():
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _linger(self) -> None:
        """Take in what the client still sends, for a while: closing with bytes unread would reset the answer away."""
        self.connection.settimeout(LINGER_S)
        deadline_s = time.monotonic() + LINGER_S
        with contextlib.suppress(OSError):  # it went away: so be it
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            while time.monotonic() < deadline_s and self.rfile.read1(1 << 16):
                pass

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a line per statement would be most of the log."""

    def log_error(self, format: str, *arguments: object) -> None:
        """One line on stderr, which is the service's log file."""
        sys.stderr.write(f"{self.log_date_time_string()} {format % arguments}\n")


def _settings(parameters: Mapping[str, str], user: User) -> dict[str, str]:
    """What the URL sets. Raises Fault for what the user may not set."""
    asked = {
        name: value for name, value in parameters.items() if name not in TRANSPORT and not name.startswith("param_")
    }
    if not user.writes:
        for name in asked.keys() - user.settings.keys():
            setting_names.for_reader(name)
    return asked


def _plain(head: Mapping[str, str]) -> dict[str, str]:
    """The head without what belongs to the result that does not come."""
    return {
        name: value
        for name, value in head.items()
        if name not in ("Content-Encoding", "Content-Type", "X-ClickHouse-Format")
    }


def _readonly_level(text: str) -> int:
    if text not in ("0", "1", "2"):
        raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"readonly is 0, 1 or 2, not {text!r}")
    return int(text)
