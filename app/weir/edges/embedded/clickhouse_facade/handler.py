"""HTTP in, statements to the engine, HTTP out."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import time
import uuid
from collections.abc import Mapping
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlsplit

from weir.edges.embedded.clickhouse_facade import body, greeting, statement
from weir.edges.embedded.clickhouse_facade.codecs import choose, compress

if TYPE_CHECKING:
    from weir.edges.embedded.clickhouse_facade.engine import Engine
from weir.edges.embedded.clickhouse_facade.faults import (
    BAD_ARGUMENTS,
    NOT_IMPLEMENTED,
    Fault,
    read_engine_error,
    status_of,
)
from weir.edges.embedded.clickhouse_facade.users import User, authenticate

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
TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
}
TEXT = "text/plain; charset=UTF-8"
COMPRESS_ABOVE_BYTES = 512
LINGER_S = 5.0
_HEADER_SAFE = re.compile(r"[\x20-\x7e]{1,128}")


class Handler(BaseHTTPRequestHandler):
    """One connection. `engine`, `users` and `max_body_bytes` are set on the subclass that a server makes."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Weir", ""
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    timeout = 300.0  # an idle or stuck connection gives its thread back

    engine: ClassVar[Engine]
    users: ClassVar[Mapping[str, User]]
    max_body_bytes: ClassVar[int]

    def do_GET(self) -> None:
        """Answer a statement, or say that the server is there."""
        head = {"X-ClickHouse-Server-Display-Name": "weir", "X-ClickHouse-Timezone": self.engine.timezone}
        try:
            url = urlsplit(self.path)
            raw = body.read(self.rfile, self.headers, self.max_body_bytes)
            if url.path in ("/ping", "/replicas_status"):
                return self._reply(200, b"Ok.\n", head)
            if url.path not in ("/", ""):
                return self._reply(404, b"There is no handler for this path; statements go to /\n", head)
            parameters = dict(parse_qsl(url.query, keep_blank_values=True))
            if self.headers.get("Content-Type", "").startswith("multipart/form-data"):
                parameters |= _form(self.headers["Content-Type"], raw)
                raw = b""
            if not raw and not parameters.get("query"):
                return self._reply(200, b"Ok.\n", head)
            self._statement(parameters, raw, head)
        except Fault as fault:
            self.close_connection = self.close_connection or fault.close
            self._fault(fault.status, fault.code, str(fault), head)
            if fault.close:
                self._linger()
        except ValueError as error:  # a URL that is none, text that is not UTF-8
            self._fault(400, BAD_ARGUMENTS, f"Code: {BAD_ARGUMENTS}. DB::Exception: Not understood: {error}", head)
        except RuntimeError as error:  # what chDB raises for everything the engine says
            code, text = read_engine_error(str(error))
            self._fault(status_of(code), code, text, head)

    do_POST = do_HEAD = do_GET

    def _statement(self, parameters: dict[str, str], raw: bytes, head: dict[str, str]) -> None:
        query_id = parameters.get("query_id", "")
        head["X-ClickHouse-Query-Id"] = query_id if _HEADER_SAFE.fullmatch(query_id) else str(uuid.uuid4())
        user = authenticate(self.users, self.headers, parameters)
        if parameters.get("compress", "0") == "1" or parameters.get("decompress", "0") == "1":
            raise Fault(
                NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "ClickHouse block compression; use Content-Encoding instead"
            )
        query = parameters.get("query", "").encode("utf-8", "surrogateescape")
        default_format = parameters.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        if greeting.is_greeting(query or raw):
            return self._reply(200, greeting.block(self.engine.version, self.engine.timezone), head)
        asked = statement.parse(query, raw, default_format)
        session = parameters.get("session_id", "")
        answer = self.engine.run(
            asked,
            database=parameters.get("database") or self.headers.get("X-ClickHouse-Database") or "default",
            settings=_settings(parameters, user),
            parameters={name[6:]: value for name, value in parameters.items() if name.startswith("param_")},
            readonly=self._readonly(parameters, user),
            session=f"{user.name}/{session}" if session else "",
        )
        head["X-ClickHouse-Summary"] = json.dumps(answer.summary)
        if asked.has_result:
            head["X-ClickHouse-Format"] = asked.format
        return self._reply(
            200, answer.body, head, TYPES.get(asked.format, TEXT), parameters.get("enable_http_compression") == "1"
        )

    def _readonly(self, parameters: Mapping[str, str], user: User) -> int:
        """The strictest of what the user is held to, what HTTP's GET allows and what the client asks for."""
        asked = {_readonly_level(parameters.get("readonly", "0")), _readonly_level(user.settings.get("readonly", "0"))}
        if self.command != "POST":
            asked.add(2)
        return 1 if 1 in asked else max(asked)

    def _fault(self, status: int, code: int, text: str, head: dict[str, str]) -> None:
        if status >= 500:
            self.log_error("%s", text)
        head["X-ClickHouse-Exception-Code"] = str(code)
        self._reply(status, f"{text} (version {self.engine.version})\n".encode(), head)

    def _reply(
        self, status: int, data: bytes, head: dict[str, str], kind: str = TEXT, may_compress: bool = False
    ) -> None:
        # between processes of one machine a copy is cheaper than any compression
        if may_compress and len(data) > COMPRESS_ABOVE_BYTES and not self.client_address[0].startswith("127."):
            encoding = choose(self.headers.get("Accept-Encoding", ""))
            if encoding:
                data, head["Content-Encoding"] = compress(data, encoding), encoding
        self.send_response(status)
        for name, value in {**head, "Content-Type": kind, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _linger(self) -> None:
        """Take in what the client still sends, for a while: closing with bytes unread would reset the answer away."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_S)
        deadline_s = time.monotonic() + LINGER_S
        with contextlib.suppress(OSError):  # it went away: so be it
            while time.monotonic() < deadline_s and self.rfile.read1(1 << 16):
                pass

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a line per statement would be most of the log."""

    def log_error(self, format: str, *arguments: object) -> None:
        """One line on stderr, which is the service's log file."""
        sys.stderr.write(f"{self.log_date_time_string()} {format % arguments}\n")


def _settings(parameters: Mapping[str, str], user: User) -> dict[str, str]:
    asked = {
        name: value for name, value in parameters.items() if name not in TRANSPORT and not name.startswith("param_")
    }
    return {**asked, **{name: value for name, value in user.settings.items() if name != "readonly"}}


def _readonly_level(text: str) -> int:
    if text not in ("0", "1", "2"):
        raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"readonly is 0, 1 or 2, not {text!r}")
    return int(text)


def _form(content_type: str, raw: bytes) -> dict[str, str]:
    """The fields of a multipart form, which clients use for parameters too long for a URL.

    Raises Fault for a file in it: that would be an external table.
    """
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + raw)
    fields: dict[str, str] = {}
    for part in message.walk():
        value = part.get_payload(decode=True)
        if not isinstance(value, bytes):  # the container of the others
            continue
        if part.get_filename():
            raise Fault(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "External tables are not served by the embedded ClickHouse")
        fields[str(part.get_param("name", header="content-disposition"))] = value.decode()
    return fields
