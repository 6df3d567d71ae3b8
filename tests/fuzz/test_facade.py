"""Any request to the embedded ClickHouse gets an answer in HTTP; what it takes for data is the data that was sent."""

from __future__ import annotations

import gzip
import http.client
import io
import socket
import zlib
from email.message import Message
from random import Random
from urllib.parse import quote, quote_from_bytes

import lz4.frame
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from weir.edges.embedded.clickhouse_facade import body, guard
from weir.edges.embedded.clickhouse_facade.faults import Fault
from weir.edges.embedded.clickhouse_facade.statement import parse

from tests.fuzz import mutate
from tests.fuzz.cases import fuzz, seeds, tried
from tests.waiting import WAIT_S, cpu_time_below

MAX_BODY = 1 << 16
BETWEEN = (
    b" ",
    b"\n",
    b"\t",
    b" /* FORMAT TSV */ ",
    b" -- FORMAT TSV\n",
    b"/**/",
    b" /* ' */ ",
    b"\r\n",
    b"/* */ */*/ */",
)
SQL = (
    b"SELECT 1 FORMAT JSON",
    b"SELECT ' FORMAT CSV', \"x\" FROM lines",
    b"INSERT INTO lines FORMAT CSV\n1,2\n",
    b"INSERT INTO lines (n, s) VALUES (1, 'FORMAT')",
    b"WITH 1 AS insert INSERT INTO lines FORMAT CSV\n1,2\n",
    b"SELECT {n:UInt32} FORMAT Native SETTINGS max_threads = 1;",
    b'/* c */ insert into lines settings async_insert=0 format JSONEachRow {"n": 1}',
    b"EXISTS lines",
    b"SHOW TABLES",
    b"SELECT displayName(), version(), revision(), timezone()",
    b"INSERT INTO lines SELECT 1, 'a'",
)

WORDS = (
    b"FORMAT ",
    b"VALUES",
    b"INSERT ",
    b"'",
    b'"',
    b"`",
    b"\\",
    b"/*",
    b"*/",
    b"--",
    b";",
    b"\0",
    b"\xff",
    b"{a:String}",
)


def spoilt_sql(random: Random) -> bytes:
    sql = random.choice(SQL)
    for _ in range(random.choice((0, 1, 2, 4))):
        at = random.randint(0, len(sql))
        sql = sql[:at] + random.choice(WORDS) * random.choice((1, 1, 1, 30)) + sql[at:]
    return mutate.spoilt(random, sql, SQL) if random.random() < 0.5 else sql


@fuzz("facade statements", seed=seeds())
def test_the_data_of_an_insert_is_what_was_behind_its_format(seed):
    random = Random(seed)
    between = [random.choice(BETWEEN) for _ in range(3)]
    head = b"".join((between[0], b"INSERT", b" ", between[1], b"INTO t", between[2], b" FORMAT CSV\n"))
    data = mutate.spoilt(random, random.choice(SQL), SQL)
    in_url = random.random() < 0.3
    if b"*/ */" not in head:  # which is no comment any more, and no SQL
        asked = parse(head, data, "TSV") if in_url else parse(b"", head + data, "TSV")
        assert (asked.format, asked.data, asked.has_result) == ("CSV", data, False)
    asked = parse(*random.choice(((b"", spoilt_sql(random)), (spoilt_sql(random), data))), "TSV")
    assert asked.format.isascii()
    tried("facade statements")


@pytest.mark.parametrize(
    "text",
    [
        b"/**/" * 2000 + b"x",
        b"-- a\n/* b */" * 3000 + b"x",
        b"SELECT FORMAT " + b"/*" * 1_000_000 + b"FORMAT",
        b"SELECT " + b"'" * 1_000_001 + b" FORMAT",
        b"SELECT 1 FORMAT TSV" + b" " * 1_000_000 + b"-- FORMAT",
        b"FORMAT " * 200_000,
        b"SELECT '" + b"\\" * 1_000_000 + b" FORMAT",
        b"INSERT " + b"/**/" * 10_000 + b"'" * 10_001,
        b"INSERT INTO t" + b" " * 1_000_000 + b"x",
        b"INSERT INTO t (" + b"a, " * 300_000,
        b"INSERT INTO t SETTINGS " + b"a = 1, " * 100_000 + b"(",
        b"WITH " + b"insert AS a, " * 100_000 + b"1",
    ],
)
def test_a_text_made_to_take_long_does_not(text):
    with cpu_time_below(20):
        parse(b"", text, "TSV")
        parse(text, b"", "TSV")
        guard.is_plain_insert(text.decode())


ENCODE = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "br": bytes,
    "identity": bytes,
}


def framed(random: Random, raw: bytes) -> tuple[bytes, Message]:
    headers = Message()
    if random.random() < 0.5:
        cuts = sorted(random.randint(0, len(raw)) for _ in range(3))
        parts = [raw[lo:hi] for lo, hi in zip([0, *cuts], [*cuts, len(raw)], strict=True) if hi > lo]
        headers["Transfer-Encoding"] = "chunked"
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n", headers
    headers["Content-Length"] = str(len(raw))
    return raw, headers


@fuzz("facade bodies", seed=seeds(), encoding=st.sampled_from(sorted(ENCODE)), good=st.booleans())
def test_a_body_is_what_was_sent_or_a_fault(seed, encoding, good):
    random = Random(seed)
    sent = random.randbytes(random.randint(0, 300)) * random.choice((1, 1, 1, 400))
    raw = ENCODE[encoding](sent)
    raw = raw if good else mutate.spoilt(random, raw, [raw])
    stream, headers = framed(random, raw)
    if encoding:
        headers["Content-Encoding"] = encoding
    if not good and random.random() < 0.5:
        stream = mutate.spoilt(random, stream, [stream, b"-1\r\n", b"ffffffffff\r\n", b"5;x=y\r\n"])
    if not good and random.random() < 0.2:
        del headers["Content-Length"]
        headers["Content-Length"] = random.choice(("-1", "9" * 6000, "٣", "1e3", "", " 1", "0x1", "99999999999"))
    try:
        found = body.read(io.BytesIO(stream), headers, MAX_BODY)
    except Fault:
        assert not good or len(sent) > MAX_BODY or len(raw) > MAX_BODY or encoding == "br"
    else:
        assert len(found) <= MAX_BODY
        assert not good or found == sent
    tried("facade bodies")


def test_a_body_of_two_packed_parts_is_not_cut_short():
    two, headers = gzip.compress(b"1\n") + gzip.compress(b"2\n"), Message()
    headers["Content-Length"], headers["Content-Encoding"] = str(len(two)), "gzip"
    with pytest.raises(Fault, match="goes on after its end"):
        body.read(io.BytesIO(two), headers, MAX_BODY)


def _arrow() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"n": pa.array([1, 2], pa.uint32()), "s": ["a", "b"]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


NATIVE = b"\x02\x02\x01n\x06UInt32\x01\0\0\0\x02\0\0\0\x01s\x06String\x01a\x01b"
DATA = {
    "Native": NATIVE,
    "ArrowStream": _arrow(),
    "JSONEachRow": b'{"n": 1, "s": "a"}\n{"n": 2, "s": "b"}\n',
    "CSV": b"1,a\n2,b\n",
    "TabSeparated": b"1\ta\n2\tb\n",
    "RowBinary": b"\x01\0\0\0\x01a\x02\0\0\0\x01b",
}
NAMES = (
    "query",
    "database",
    "default_format",
    "user",
    "password",
    "session_id",
    "query_id",
    "compress",
    "readonly",
    "param_n",
    "max_threads",
    "enable_http_compression",
    "client_protocol_version",
    "a b",
    "",
    "max_memory_usage",
    "session_timeout",
)
HEADERS = (
    ("Authorization", "Basic é"),
    ("Authorization", "Basic !"),
    ("Authorization", "Basic 4pyT"),
    ("X-ClickHouse-User", "\xff"),
    ("X-ClickHouse-Database", "no such"),
    ("X-ClickHouse-Format", "Nope"),
    ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Type", "multipart/form-data"),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "lz4"),
    ("Accept-Encoding", "gzip;q=x"),
    ("Content-Length", "9" * 5000),
    ("Content-Length", "-1"),
    ("Expect", "100-continue"),
    ("Transfer-Encoding", "chunked"),
    ("Transfer-Encoding", "gzip"),
    ("X-ClickHouse-Key", "x"),
)


def request(random: Random) -> bytes:
    """A request as bytes: mostly well-formed HTTP around a spoilt statement, data, parameter, header or all of them."""
    kind = random.random()
    parameters: list[tuple[str, bytes]] = []
    if kind < 0.45:
        name = random.choice(sorted(DATA))
        sent = mutate.spoilt(random, DATA[name], list(DATA.values())) if random.random() < 0.8 else DATA[name]
        parameters.append(("query", f"INSERT INTO default.lines FORMAT {name}".encode()))
    else:
        sent = spoilt_sql(random)
        parameters += [("param_n", b"1")] * random.randint(0, 1)
    for _ in range(random.choice((0, 0, 1, 3))):
        parameters.append(
            (random.choice(NAMES), random.choice((b"1", b"2", b"default", b"", noise(random), b"Native")))
        )
    headers = [random.choice(HEADERS)] if random.random() < 0.2 else []
    if not any(name == "Content-Length" for name, _ in headers):
        headers.append(("Content-Length", str(len(sent))))
    path = random.choice(("/", "/", "/", "/", "/ping", "/replicas_status", "/x", "//[", "/?", "*", "http://[/", "/%zz"))
    target = path + "?" + "&".join(f"{quote(name)}={quote_from_bytes(value)}" for name, value in parameters)
    method = random.choice(("POST", "POST", "POST", "GET", "HEAD", "PUT"))
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    raw = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + sent
    return mutate.spoilt(random, raw, [raw]) if random.random() < 0.1 else raw


def noise(random: Random) -> bytes:
    return mutate.noise(random, 12)


@fuzz("facade requests", seed=seeds())
def test_any_request_is_answered(facade, seed):
    raw = request(Random(seed))
    answer = exchanged(facade.port, raw)
    facade.child.check()
    log = facade.child.log.read_bytes()
    assert b"Traceback" not in log, f"{raw!r}\n{log.decode(errors='replace')[-3000:]}"
    line = raw.split(b"\r\n")[0]
    whole = len(line.split()) == 3 and line.endswith(b" HTTP/1.1")  # else an answer in HTTP/0.9, or none, is in order
    assert answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")) or not whole, (raw, answer)
    tried("facade requests")


def exchanged(port: int, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as wire:
        try:
            wire.sendall(raw)
            wire.shutdown(socket.SHUT_WR)
        except OSError:  # it answered before the end, and does not want the rest
            pass
        try:
            return b"".join(iter(lambda: wire.recv(65536), b""))
        except ConnectionResetError:
            return b"HTTP/1.1 reset"


def test_what_was_inserted_under_fire_can_be_read(facade):
    asked = b"SELECT count() = countIf(n >= 0 AND length(s) >= 0) FROM default.lines"
    status, text, _ = facade.ask(body=asked, headers={})
    assert (status, text) == (http.client.OK, b"1\n")
