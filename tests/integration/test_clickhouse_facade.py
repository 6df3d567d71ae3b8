"""The embedded ClickHouse's HTTP, below what a well-behaved client asks: bodies, bounds, users, start and end."""

import base64
import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import zlib
from contextlib import closing

import lz4.frame
import pytest
from weir.edges.embedded import leash
from weir.edges.embedded.clickhouse_facade import codecs
from weir.edges.embedded.clickhouse_facade.blocks import Blocks, unpack
from weir.edges.embedded.clickhouse_facade.statement import parse
from weir.edges.embedded.clickhouse_facade.users import PASSWORD_VARIABLE, READER_PASSWORD_VARIABLE

from tests.ports import free_port
from tests.waiting import WAIT_S, until

COMMAND = [sys.executable, "-m", "weir.edges.embedded.clickhouse_facade"]
BODY_MIB = 1
OWNER = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "owner's"}
READER = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "reader's"}


class Facade:
    def __init__(self, path, port: int, *, options=(), **environment: str) -> None:
        self.port = port
        self.child = leash.start(
            "facade",
            [*COMMAND, "--path", str(path), "--port", str(port), "--body-mib", str(BODY_MIB), *options],
            log=path / "facade.log",
            environment=environment,
            grace_s=30,
        )
        until(self.ready, WAIT_S, "the facade")

    def ready(self) -> bool:
        self.child.check()
        try:
            return self.ask("GET", "/ping")[1] == b"Ok.\n"
        except OSError:
            return False

    def ask(self, method="POST", path="/", body=None, headers=OWNER, **more):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, {**headers, **more.pop("extra", {})}, **more)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as wire:
            wire.sendall(request)
            wire.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: wire.recv(65536), b""))


@pytest.fixture(scope="module")
def facade(tmp_path_factory):
    passwords = {PASSWORD_VARIABLE: "owner's", READER_PASSWORD_VARIABLE: "reader's"}
    running = Facade(tmp_path_factory.mktemp("facade"), free_port(), **passwords)
    status, text, _ = running.ask(body=b"CREATE TABLE default.lines (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
    assert status == 200, text
    yield running
    assert running.child.stop() == 0


def count(facade) -> int:
    return int(facade.ask(body=b"SELECT count() FROM default.lines")[1])


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-ClickHouse-Key": "owner's "},
        {"X-ClickHouse-User": "nobody", "X-ClickHouse-Key": "owner's"},
        {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "reader's"},
        basic("default", "x"),
        {"Authorization": "Basic ?"},
    ],
)
def test_wrong_credentials_are_refused(facade, headers):
    status, text, got = facade.ask(body=b"SELECT 1", headers=headers)
    assert (status, got["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert b"AUTHENTICATION_FAILED" in text


def test_three_ways_to_say_who_one_is(facade):
    assert facade.ask(body=b"SELECT 1", headers=basic("default", "owner's"))[:2] == (200, b"1\n")
    assert facade.ask(path="/?user=reader&password=reader%27s", body=b"SELECT 1", headers={})[:2] == (200, b"1\n")
    assert facade.ask(body=b"SELECT 1")[:2] == (200, b"1\n")


@pytest.mark.parametrize(
    "statement",
    [
        b"INSERT INTO default.lines FORMAT TSV\n1\tx\n",
        b"INSERT INTO default.lines VALUES (1, 'x')",
        b"DROP TABLE default.lines",
        b"SET readonly = 0",
        b"SET max_execution_time = 0",
        b"SELECT 1 SETTINGS max_execution_time = 0",
    ],
)
def test_the_reader_can_only_read(facade, statement):
    status, _, got = facade.ask(path="/?session_id=r&readonly=0", body=statement, headers=READER)
    assert (status, got["X-ClickHouse-Exception-Code"]) == (403, "164")
    assert facade.ask(path="/?session_id=r", body=b"SELECT 1", headers=READER)[:2] == (200, b"1\n")


def test_pinned_settings_beat_the_url(facade):
    asked = "/?max_execution_time=0&query=SELECT+getSetting('max_execution_time')"
    assert facade.ask("POST", asked, headers=READER)[:2] == (200, b"60\n")


@pytest.mark.parametrize("path", ["/?query=", "/?readonly=0&query=", "/?session_id=g&query="])
def test_get_only_reads(facade, path):
    assert facade.ask("GET", path + "SELECT+1")[:2] == (200, b"1\n")
    assert facade.ask("GET", path + "DROP+TABLE+default.lines")[2]["X-ClickHouse-Exception-Code"] == "164"


@pytest.mark.parametrize("setting", ["max_threads%3D1%2Creadonly", "a-b", "1x", "a%20b"])
def test_a_setting_s_name_cannot_carry_sql(facade, setting):
    status, _, got = facade.ask(path=f"/?{setting}=1", body=b"SELECT 1")
    assert (status, got["X-ClickHouse-Exception-Code"]) == (400, "36")


ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress, "lz4": lz4.frame.compress}
if codecs.zstd is not None:
    ENCODERS["zstd"] = codecs.zstd.compress


@pytest.mark.parametrize("encoding", sorted(ENCODERS))
def test_encoded_bodies(facade, encoding):
    before = count(facade)
    data = b"".join(b"%d\tline\n" % i for i in range(1000))
    asked = "/?query=INSERT+INTO+default.lines+FORMAT+TSV"
    status, text, _ = facade.ask(path=asked, body=ENCODERS[encoding](data), extra={"Content-Encoding": encoding})
    assert (status, text, count(facade) - before) == (200, b"", 1000)
    cut = ENCODERS[encoding](data)[:-20]
    status, _, got = facade.ask(path=asked, body=cut, extra={"Content-Encoding": encoding})
    assert (status, got["X-ClickHouse-Exception-Code"]) == (400, "36")


@pytest.mark.parametrize("encoding", sorted(ENCODERS))
def test_a_small_body_that_unpacks_to_too_much_is_refused(facade, encoding):
    bomb = ENCODERS[encoding](bytes(64 << 20))
    assert len(bomb) < BODY_MIB << 20
    status, text, _ = facade.ask(body=bomb, extra={"Content-Encoding": encoding})
    assert status == 413, text


def test_chunked_bodies(facade):
    before = count(facade)
    parts = [b"INSERT INTO default.lines FORMAT TSV\n", b"1\ta\n", b"2\t", b"b\n"]
    status, text, _ = facade.ask(body=iter(parts), encode_chunked=True, extra={"Transfer-Encoding": "chunked"})
    assert (status, text, count(facade) - before) == (200, b"", 2)


def request(headers: str, body: bytes = b"") -> bytes:
    login = "".join(f"{name}: {value}\r\n" for name, value in OWNER.items())
    return f"POST / HTTP/1.1\r\nHost: localhost\r\n{login}{headers}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("Transfer-Encoding: chunked", b"-1\r\nSELECT 1"), b"400"),
        (request("Transfer-Encoding: chunked", b"zz\r\nSELECT 1"), b"400"),
        (request("Transfer-Encoding: chunked", b"8\r\nSELECT 1XX0\r\n\r\n"), b"400"),
        (request("Transfer-Encoding: chunked", b"8\r\nSELECT"), b"400"),
        (request("Transfer-Encoding: chunked", b"FFFFFFF\r\nSELECT"), b"413"),
        (request("Transfer-Encoding: gzip", b"SELECT 1"), b"411"),
        (request("Content-Length: -1", b"SELECT 1"), b"411"),
        (request("Content-Length: 1e3", b"SELECT 1"), b"411"),
        (request("Content-Length: 9", b"SELECT 1"), b"400"),
        (request("Content-Length: 999999999", b"SELECT 1"), b"413"),
        (request("Content-Length: 9", b"SELECT \xff\xfe"), b"400"),
    ],
)
def test_malformed_bodies_get_an_answer_and_no_hang(facade, sent, status):
    answer = facade.raw(sent)
    assert answer.split()[1] == status, answer
    assert b"Connection: close" in answer or status == b"400"
    assert facade.ask(body=b"SELECT 1")[1] == b"1\n"


def test_a_body_above_the_bound_gets_its_answer(facade):
    """The client is told, though it still sends when the server has seen enough."""
    status, text, _ = facade.ask(body=b"INSERT INTO default.lines FORMAT TSV\n" + bytes(8 << 20))
    assert status == 413
    assert b"above 1048576 bytes" in text


@pytest.mark.parametrize(
    ("path", "headers", "body", "code"),
    [
        ("/?compress=1&network_compression_method=lzma", {}, b"SELECT 1", "89"),
        ("/", {"Content-Encoding": "br"}, b"SELECT 1", "89"),
        ("/?readonly=3", {}, b"SELECT 1", "36"),
        (
            "/?query=SELECT+1",
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="t"; filename="t"\r\n\r\n1\r\n--b--\r\n',
            "36",
        ),
    ],
)
def test_what_is_not_served_is_said(facade, path, headers, body, code):
    assert facade.ask(path=path, body=body, extra=headers)[2]["X-ClickHouse-Exception-Code"] == code


def test_formats_and_headers(facade):
    status, text, got = facade.ask(path="/?default_format=JSONEachRow&query_id=q-1", body=b"SELECT ' FORMAT CSV' AS s")
    assert (status, json.loads(text)) == (200, {"s": " FORMAT CSV"})
    assert got["X-ClickHouse-Format"] == "JSONEachRow"
    assert got["X-ClickHouse-Query-Id"] == "q-1"
    assert got["X-ClickHouse-Timezone"]
    assert json.loads(got["X-ClickHouse-Summary"])["result_rows"] == "1"
    assert facade.ask(body=b"SELECT 1 AS a -- FORMAT TSV\nFORMAT JSONCompactEachRow")[1] == b"[1]\n"
    assert facade.ask(path="/?query_id=a%0d%0aX-Evil:%201", body=b"SELECT 1")[2]["X-Evil"] is None


def test_paths(facade):
    assert facade.ask("GET", "/ping", headers={})[:2] == (200, b"Ok.\n")
    assert facade.ask("GET", "/", headers={})[:2] == (200, b"Ok.\n")
    assert facade.ask("GET", "/play")[0] == 404
    status, text, got = facade.ask("HEAD", "/?query=SELECT+1")
    assert (status, text, got["Content-Length"]) == (200, b"", "2")


def test_clickhouse_go_s_greeting(facade):
    _, text, _ = facade.ask(body=b"SELECT displayName(), version(), revision(), timezone()")
    assert text.startswith(b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01")
    assert b"timezone()" in text


def test_a_stopped_facade_finishes_what_runs_and_keeps_its_rows(tmp_path):
    first = Facade(tmp_path, free_port())
    first.ask(body=b"CREATE TABLE default.kept (n UInt64) ENGINE = MergeTree ORDER BY n")
    answers = []
    slow = (
        b"INSERT INTO default.kept SELECT number FROM numbers(100) WHERE sleepEachRow(0.05) = 0 "
        b"SETTINGS max_block_size = 1"
    )
    running = threading.Thread(target=lambda: answers.append(first.ask(body=slow)[0]))
    running.start()
    busy = b"SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO default.kept%'"
    until(lambda: first.ask(body=busy)[1] == b"1\n", WAIT_S, "the slow statement")
    assert first.child.stop() == 0
    running.join(WAIT_S)
    assert answers == [200]
    second = Facade(tmp_path, free_port())
    assert second.ask(body=b"SELECT count() FROM default.kept")[1] == b"100\n"
    assert second.child.stop() == 0


def test_a_directory_serves_one_process(facade, tmp_path_factory):
    path = str(facade.child.log.parent)
    done = subprocess.run(
        [*COMMAND, "--path", path, "--port", "0"], capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 75
    assert "chDB cannot open its directory" in done.stderr
    assert path in done.stderr


def test_a_taken_port_is_named(facade, tmp_path):
    done = subprocess.run(
        [*COMMAND, "--path", str(tmp_path), "--port", str(facade.port)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 75
    assert done.stderr.startswith("the embedded ClickHouse cannot listen: Address already in use")
    assert f"127.0.0.1:{facade.port}" in done.stderr


def test_beyond_this_machine_only_with_passwords(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}
    done = subprocess.run(
        [*COMMAND, "--path", str(tmp_path), "--port", "0", "--host", "0.0.0.0"],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env=environment,
    )
    assert done.returncode == 78
    assert "users without a password (default, reader)" in done.stderr


@pytest.mark.parametrize(
    ("query", "body", "sql", "name", "data"),
    [
        (b"INSERT INTO t FORMAT Arrow", b"ARROW1;", b"INSERT INTO t", "Arrow", b"ARROW1;"),
        (b"", b'INSERT INTO t (a) FORMAT JSONEachRow {"a": 1}', b"INSERT INTO t (a)", "JSONEachRow", b'{"a": 1}'),
        (
            b"",
            b"-- x FORMAT y\nINSERT INTO `FORMAT z` FORMAT CSV\r\n1",
            b"-- x FORMAT y\nINSERT INTO `FORMAT z`",
            "CSV",
            b"1",
        ),
        (
            b"",
            b"WITH {SELECT:UInt8} AS n, (SELECT 1) AS INSERT INSERT INTO t (a) FORMAT CSV\n1;\n",
            b"WITH {SELECT:UInt8} AS n, (SELECT 1) AS INSERT INSERT INTO t (a)",
            "CSV",
            b"1;\n",
        ),
        (b"", b"WITH a AS insert SELECT insert FORMAT CSV", b"WITH a AS insert SELECT insert FORMAT CSV", "CSV", None),
        (b"", b"WITH insert AS a SELECT a FORMAT CSV", b"WITH insert AS a SELECT a FORMAT CSV", "CSV", None),
        (b"INSERT INTO t VALUES", b"(1, ' FORMAT CSV')", b"INSERT INTO t VALUES\n(1, ' FORMAT CSV')", "TSV", None),
        (b"", b"INSERT INTO t SELECT 'FORMAT x'", b"INSERT INTO t SELECT 'FORMAT x'", "TSV", None),
        (b"", b"SELECT 1 FORMAT Native SETTINGS a = 1;", b"SELECT 1 FORMAT Native SETTINGS a = 1;", "Native", None),
        (b"", b"SELECT a FORMAT, b FROM t", b"SELECT a FORMAT, b FROM t", "TSV", None),
        (b"", b"SELECT 'it''s \\' FORMAT CSV'", b"SELECT 'it''s \\' FORMAT CSV'", "TSV", None),
    ],
)
def test_statements_are_taken_apart(query, body, sql, name, data):
    found = parse(query, body, "TSV")
    assert (found.sql, found.format, found.data) == (sql, name, data)


METHODS = ["lz4", "none", *(["zstd"] if codecs.zstd is not None else [])]


@pytest.mark.parametrize("method", METHODS)
def test_clickhouse_s_own_compression_both_ways(facade, method):
    before = count(facade)
    packer = Blocks(method)
    data = packer.add(b"".join(b"%d\tline\n" % i for i in range(40_000))) + packer.end()
    asked = "/?decompress=1&query=INSERT+INTO+default.lines+FORMAT+TSV"
    status, text, _ = facade.ask(path=asked, body=data)
    assert (status, text, count(facade) - before) == (200, b"", 40_000)
    path = f"/?compress=1&network_compression_method={method}"
    status, packed, _ = facade.ask(path=path, body=b"SELECT number FROM numbers(300000)")
    assert status == 200
    assert unpack(packed, 10 << 20) == b"".join(b"%d\n" % i for i in range(300_000))
    for spoilt, code in ((data[:-1], "271"), (data[:7], "271"), (b"x" + data[1:], "40")):
        assert facade.ask(path=asked, body=spoilt)[2]["X-ClickHouse-Exception-Code"] == code


def test_a_block_as_a_server_sends_it():
    """`SELECT 1` of ClickHouse, compress=1: what the checksum is was taken from its own client."""
    sent = bytes.fromhex("de79cf087fb635049db816df195b016b820c00000002000000") + b"\x20\x31\x0a"
    assert unpack(sent, 100) == b"1\n"
    packer = Blocks("lz4")
    assert packer.add(b"1\n") + packer.end() == sent


def test_a_small_block_that_unpacks_to_too_much_is_refused(facade):
    packer = Blocks("lz4")
    bomb = packer.add(bytes(64 << 20)) + packer.end()
    assert len(bomb) < BODY_MIB << 20
    assert facade.ask(path="/?decompress=1", body=bomb)[0] == 413


def ask(facade, query: str, body: bytes, **more) -> bytes:
    return facade.ask(path=f"/?{query}", body=body, **more)[1]


def test_a_query_id_is_the_engine_s(facade):
    assert ask(facade, "query_id=mine-1", b"SELECT queryID()") == b"mine-1\n"
    slow = threading.Thread(target=ask, args=(facade, "query_id=mine-2", b"SELECT sleep(1) FROM numbers(30000000)"))
    slow.start()
    here = b"SELECT count() FROM system.processes WHERE query_id = 'mine-2'"
    until(lambda: ask(facade, "", here) == b"1\n", WAIT_S, "the statement")
    assert b"216" in ask(facade, "query_id=mine-2", b"SELECT 1")
    assert b"finished" in ask(facade, "", b"KILL QUERY WHERE query_id = 'mine-2' SYNC")
    slow.join(WAIT_S)
    assert not slow.is_alive()


def test_sessions_keep_what_was_set_in_them(facade):
    ask(facade, "session_id=a", b"SET max_threads = 3")
    assert ask(facade, "session_id=a&max_threads=1", b"SELECT getSetting('max_threads')") == b"1\n"
    assert ask(facade, "session_id=a", b"SELECT getSetting('max_threads')") == b"3\n"
    ask(facade, "", b"CREATE DATABASE IF NOT EXISTS other")
    ask(facade, "session_id=a", b"USE other")
    assert ask(facade, "session_id=a", b"SELECT currentDatabase()") == b"other\n"
    assert ask(facade, "", b"SELECT currentDatabase()") == b"default\n"
    ask(facade, "session_id=a", b"CREATE TEMPORARY TABLE tt (n UInt8)")
    assert facade.ask("GET", "/?session_id=a&query=SELECT+count()+FROM+tt")[:2] == (200, b"0\n")
    assert b"READONLY" in facade.ask("GET", "/?session_id=a&query=DROP+TABLE+tt")[1]


@pytest.mark.parametrize(
    ("query", "code"),
    [("session_id=none&session_check=1", "372"), ("session_id=x&session_timeout=99999", "374"), ("role=nobody", "512")],
)
def test_what_a_server_would_refuse_is_refused(facade, query, code):
    assert facade.ask(path=f"/?{query}", body=b"SELECT 1")[2]["X-ClickHouse-Exception-Code"] == code


def test_a_busy_session_says_so(facade):
    slow = threading.Thread(
        target=ask, args=(facade, "session_id=busy&query_id=busy", b"SELECT sleep(1) FROM numbers(9000000)")
    )
    slow.start()
    until(
        lambda: ask(facade, "", b"SELECT count() FROM system.processes WHERE query_id = 'busy'") == b"1\n", WAIT_S, "it"
    )
    assert b"SESSION_IS_LOCKED" in ask(facade, "session_id=busy", b"SELECT 1")
    ask(facade, "", b"KILL QUERY WHERE query_id = 'busy' SYNC")
    slow.join(WAIT_S)


def test_a_session_is_free_again_when_its_client_has_gone(facade):
    for _ in range(5):
        with closing(http.client.HTTPConnection("127.0.0.1", facade.port, timeout=WAIT_S)) as connection:
            connection.request("POST", "/?session_id=left", b"SELECT number FROM system.numbers", OWNER)
            assert connection.getresponse().read(10) == b"0\n1\n2\n3\n4\n"
        assert ask(facade, "session_id=left", b"SELECT 1") == b"1\n"


def test_inserts_count_what_they_wrote(facade):
    for query, body in (
        ("", b"INSERT INTO default.lines VALUES (1, 'a'), (2, 'b')"),
        ("", b"INSERT INTO default.lines SELECT number, 'c' FROM numbers(2)"),
        ("query=INSERT+INTO+default.lines+FORMAT+TSV", b"1\ta\n2\tb\n"),
    ):
        head = facade.ask(path=f"/?{query}", body=body)[2]
        assert json.loads(head["X-ClickHouse-Summary"])["written_rows"] == "2"


def test_inserts_with_parameters_and_with_input(facade):
    ask(facade, "", b"CREATE TABLE default.zz (n UInt64) ENGINE = MergeTree ORDER BY n")
    assert ask(facade, "param_t=zz&query=INSERT+INTO+default.%7Bt:Identifier%7D+FORMAT+TSV", b"8\n") == b""
    asked = "query=INSERT+INTO+default.zz+SELECT+a*2+FROM+input('a+UInt64')+FORMAT+TSV"
    assert ask(facade, asked, b"8\n") == b""
    assert ask(facade, "param_v=5", b"INSERT INTO default.zz VALUES ({v:UInt64})") == b""
    assert ask(facade, "", b"SELECT n FROM default.zz ORDER BY n") == b"5\n8\n16\n"
    assert b"SYNTAX_ERROR" in ask(facade, "", b"SELECT 1; SELECT 2")
    assert ask(facade, "", b"SELECT length('\xff\xfe')") == b"2\n"


@pytest.mark.parametrize("headers", [OWNER, READER])
@pytest.mark.parametrize("session", ["", "&session_id=external"])
def test_external_tables(facade, headers, session):
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    files = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"; filename="x"\r\n\r\n%b\r\n' % (name, data)
        for name, data in ((b"one", b"1\ta\n2\tb"), (b"two", b"2,2.5"))
    )
    path = "/?one_structure=n+UInt8,+s+String&two_types=UInt8,Decimal(9,+2)&two_format=CSV" + session
    query = "&query=SELECT+s,+_2+FROM+one+JOIN+two+ON+n+=+_1"
    for _ in range(2):
        answer = facade.ask(
            path=path + query.replace("=+", "%3D+"), body=files + b"--b--\r\n", headers=headers, extra=kind
        )
        assert answer[:2] == (200, b"b\t2.5\n")
    path = "/?two_types=String,String&one_structure=n+String+DEFAULT+file('/etc/hostname')&query=SELECT+*+FROM+one"
    assert facade.ask(path=path, body=files + b"--b--\r\n", headers=headers, extra=kind)[0] == 403
    path = "/?one_structure=s+String&one_format=values&query=SELECT+*+FROM+one"
    rows = (
        b'--b\r\nContent-Disposition: form-data; name="one"; filename="x"\r\n\r\n'
        + b"(file('/etc/hostname'))\r\n--b--\r\n"
    )
    head = facade.ask(path=path + session, body=rows, headers=headers, extra=kind)[2]
    assert head["X-ClickHouse-Exception-Code"] == "344"  # expressions are disabled


def test_a_database_in_the_url_holds_for_its_request_only(facade):
    assert ask(facade, "session_id=db&database=system", b"SELECT currentDatabase()") == b"system\n"
    assert ask(facade, "session_id=db", b"SELECT currentDatabase()") == b"default\n"


@pytest.mark.parametrize(
    "statement",
    [
        b"INSERT INTO default.forms SELECT * FROM values('a String', 'v')",
        b"INSERT INTO default.forms SELECT values FROM (SELECT 'v' AS values)",
        b"INSERT INTO default.forms SELECT format FROM (SELECT 'v' AS format)",
        b"INSERT INTO default.forms VALUES ('url') ('x')",
        b"INSERT INTO default.forms VALUES ('url'), (upper('x')), ('\"')",
        b"INSERT INTO default.forms format values ('file(1)')",
        b"INSERT INTO default.forms # VALUES\nVALUES ('a')",
        b"# x\nINSERT INTO default.forms VALUES ('a')",
        b"#! x\nINSERT INTO default.forms VALUES ('a')",
        b"/* /* */ FORMAT CSV */ INSERT INTO default.forms VALUES ('a')",
        b"INSERT INTO default.forms SETTINGS async_insert = 0 -- x\nVALUES ($$VALUES$$)",
        b"INSERT INTO default.forms SELECT format FROM input('format String') WHERE format LIKE 'a%' FORMAT CSV\nab\n",
        b"INSERT INTO default.forms VALUES " + b", ".join([b"('url')"] * 60_000),
    ],
)
def test_forms_of_insert(facade, statement):
    create = b"CREATE TABLE IF NOT EXISTS default.forms (a String) ENGINE = MergeTree ORDER BY a"
    assert facade.ask(body=create)[0] == 200
    before = int(facade.ask(body=b"SELECT count() FROM default.forms")[1])
    status, text, _ = facade.ask(body=statement)
    assert status == 200, text
    assert int(facade.ask(body=b"SELECT count() FROM default.forms")[1]) > before
