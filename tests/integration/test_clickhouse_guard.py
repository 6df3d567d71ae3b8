"""What nobody may do to the embedded ClickHouse: leave the database, starve the recorder, come from a page."""

import gzip
import http.client
import os
import socket
import sys
import time
from contextlib import ExitStack, closing
from itertools import product
from urllib.parse import quote

import pytest
from weir.edges.embedded.clickhouse_facade import guard
from weir.edges.embedded.clickhouse_facade.blocks import Blocks
from weir.edges.embedded.clickhouse_facade.catalogue import Catalogue, Rights
from weir.edges.embedded.clickhouse_facade.sessions import MAX_SESSIONS
from weir.edges.embedded.clickhouse_facade.slots import QUEUE_S
from weir.edges.embedded.clickhouse_facade.users import PASSWORD_VARIABLE, READER_PASSWORD_VARIABLE

from tests.integration.test_clickhouse_facade import OWNER, READER, Facade
from tests.ports import free_port
from tests.waiting import WAIT_S, until

SECRET = "a-word-that-stands-in-a-file"
REFUSED = {
    "344",
    "497",
    "164",
    "62",
    "60",
    "46",
    "36",
    "115",
    "81",
}  # by the guard, or by an engine that does not know it


@pytest.fixture(scope="module")
def facade(tmp_path_factory):
    passwords = {PASSWORD_VARIABLE: "owner's", READER_PASSWORD_VARIABLE: "reader's", "WEIR_OTHER_SECRET": SECRET}
    running = Facade(tmp_path_factory.mktemp("guarded"), free_port(), options=("--body-mib", "16"), **passwords)
    (running.child.log.parent / "secret.csv").write_text(f"{SECRET}\n")
    for statement in (
        b"CREATE TABLE default.t (n UInt64, s String) ENGINE = MergeTree ORDER BY n",
        b"INSERT INTO default.t SELECT number, toString(number) FROM numbers(1000)",
        b"CREATE VIEW default.v AS SELECT count() AS n FROM default.t",
        b"CREATE DICTIONARY default.d (n UInt64, s String) PRIMARY KEY n SOURCE(CLICKHOUSE(TABLE 't'))"
        b" LAYOUT(FLAT()) LIFETIME(0)",
    ):
        status, text, _ = running.ask(body=statement)
        assert status == 200, text
    yield running
    assert running.child.stop() == 0


# {f} is a file that holds SECRET, {o} one that does not exist.
LEAVING = [
    "SELECT * APPLY(file) FROM (SELECT '{f}' AS p)",
    "SELECT * APPLY `file` FROM (SELECT '{f}' AS p)",
    "SELECT * APPLY(toString) APPLY(file) FROM (SELECT '{f}' AS p)",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{f}' AS p)",
    "SELECT COLUMNS('p') APPLY FILE FROM (SELECT '{f}' AS p)",
    "SELECT p.* APPLY(file) FROM (SELECT '{f}' AS p) AS p",
    "SELECT arrayMap(file, ['{f}'])",
    "SELECT arrayMap(`fi\\x6ce`, ['{f}'])",
    "SELECT arrayMap((file), ['{f}'])",
    "SELECT arrayMap(file AS f, ['{f}'])",
    "SELECT arrayMapIf(file, ['{f}'])",
    "SELECT length(arrayFilter(file, ['{f}']))",
    "SELECT 1 WHERE arrayExists(hasColumnInTable, ['{f}'])",
    "WITH (f) -> arrayMap(f, ['{f}']) AS g SELECT g(file)",
    "SELECT * FROM view(SELECT arrayMap(file, ['{f}']))",
    "SELECT * FROM values(concat('a String, b String DEF', 'AULT file(\\'{f}\\')'), ('a'))",
    "SELECT * FROM values('a String, b String DEF' || 'AULT file(\\'{f}\\')', ('a'))",
    "SELECT * FROM values(({{s:String}}), 'a')",
    "WITH 'a String' AS s SELECT * FROM values(s, 'a')",
    "SELECT * FROM format(JSONEachRow, concat('a String DEF', 'AULT file(\\'{f}\\')'), '{{}}')",
    "SELECT file('{f}')",
    "SELECT `file`('{f}')",
    "SELECT \"file\" /* x */ ('{f}')",
    "SELECT FILE('{f}')",
    "SELECT/**/file\n(\n'{f}')",
    "SELECT 1 WHERE (SELECT length(file('{f}'))) > 0",
    "WITH x AS (SELECT file('{f}') AS a) SELECT a FROM x",
    "WITH (c) -> file(c) AS f SELECT f('{f}')",
    "SELECT arrayMap(x -> file(x), ['{f}'])",
    "SELECT 1 UNION ALL SELECT length(file('{f}'))",
    "SELECT * FROM file('{f}')",
    "SELECT * FROM file('{f}', 'TSV', 's String')",
    "SELECT * FROM '{f}'",
    "SELECT * FROM `{f}`",
    'SELECT * FROM default."{f}"',
    'SELECT * FROM files."{f}"',
    "SELECT * FROM fileCluster('default', '{f}')",
    "SELECT * FROM loop(file('{f}'))",
    "SELECT * FROM view(SELECT file('{f}'))",
    "SELECT * FROM viewIfPermitted(SELECT file('{f}') AS x ELSE null('x String'))",
    "SELECT * FROM format(JSONEachRow, 'a String DEFAULT file(\\'{f}\\')', '{{}}')",
    "SELECT * FROM values('a String DEFAULT file(\\'{f}\\'), b UInt8', (1))",
    "SELECT * FROM eval('SELECT file(\\'{f}\\')')",
    "SELECT * FROM url('http://127.0.0.1:1/x', 'TSV', 's String')",
    "SELECT * FROM url('file://{f}', 'TSV', 's String')",
    "SELECT * FROM s3('http://127.0.0.1:1/x')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM sqlite('{o}', 't')",
    "SELECT * FROM executable('x', 'TSV', 's String')",
    "SELECT * FROM python(users)",
    "SELECT * FROM Python(users)",
    "SELECT * FROM icebergLocal('{f}')",
    "DESCRIBE file('{f}')",
    "DESCRIBE TABLE url('http://127.0.0.1:1/x')",
    "DESC (SELECT * FROM file('{f}'))",
    "EXPLAIN SELECT * FROM file('{f}')",
    "EXPLAIN AST SELECT 1 INTO OUTFILE '{o}'",
    "EXPLAIN SYNTAX SELECT file('{f}')",
    "EXPLAIN TABLE OVERRIDE mysql('127.0.0.1:1', 'd', 't', 'u', 'p') COLUMNS (x UInt8)",
    "SELECT 1 INTO OUTFILE '{o}'",
    "SELECT 1 INTO /* x */ OUTFILE '{o}' APPEND",
    "select 1 into\noutfile '{o}' truncate format CSV",
    "SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '{o}'",
    "WITH 1 AS x SELECT x INTO OUTFILE '{o}' AND STDOUT FORMAT TSV",
    "SHOW TABLES INTO OUTFILE '{o}'",
    "EXISTS default.t INTO OUTFILE '{o}'",
    "SELECT catboostEvaluate('{f}', 1)",
    "SELECT getClientHTTPHeader('Authorization')",
    "SELECT hasColumnInTable('127.0.0.1:1', 'system', 'one', 'dummy')",
    "SELECT aiGenerate('x')",
    "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '{f}'",
    "SELECT 1 SETTINGS additional_result_filter = 'length(file(\\'{f}\\')) = 0'",
    "SELECT 1; SELECT file('{f}')",
    "SELECT 1;;SELECT 2",
    "(SELECT 1 UNION ALL SELECT 2) EXCEPT SELECT length(file('{f}'))",
    "(SELECT 1 UNION ALL SELECT 2) EXCEPT SELECT 2 INTO OUTFILE '{o}'",
    "SELECT 1 SETTINGS select = 'file(\\'{f}\\')'",
    "SELECT 1 SETTINGS max_threads = 1, `order` = 'file(\\'{f}\\')'",
    "SELECT * FROM (SELECT 1 SETTINGS sort = 'file(\\'{f}\\')')",
    "SELECT * FROM (SELECT 1 SETTINGS max_threads = 1) SETTINGS filter = 'length(file(\\'{f}\\'))'",
    "SELECT $x$ $x$, file('{f}')",
    "SELECT '\\'', file('{f}'), '\\''",
    "SELECT 1 -- x\n, file('{f}')",
    "SELECT 1 # x\n, file('{f}')",
    "SELECT ‘'’, file('{f}'), ‘'’",
]
OWNERS = [
    "INSERT INTO default.t (s) FORMAT values (file('{f}'))",
    "INSERT INTO default.t (s) FORMAT VALUES (file('{f}'))",
    "INSERT INTO default.t (s) VALUES (`fi\\x6ce`('{f}'))",
    "INSERT INTO default.t (s) VALUES (\"fi\\x6ce\"('{f}'))",
    "INSERT INTO default.t (s) VALUES (arrayMap(file, ['{f}'])[1])",
    "INSERT INTO default.t (s) VALUES ('url') (file('{f}'))",
    "INSERT INTO default.t (s) SETTINGS input_format_values_interpret_expressions = 1 VALUES ('url') (file('{f}'))",
    "CREATE TABLE default.made ENGINE = Memory AS SELECT * APPLY(file) FROM (SELECT '{f}' AS p)",
    "INSERT INTO default.t (s) SELECT arrayMap(file, ['{f}'])[1]",
    "INSERT INTO FUNCTION file('{o}') SELECT 1",
    "INSERT INTO TABLE FUNCTION file('{o}', 'TSV', 'n UInt8') SELECT 1",
    "INSERT INTO default.t SELECT 1, file('{f}')",
    "INSERT INTO default.t (n, s) VALUES (1, file('{f}'))",
    "INSERT INTO default.t (n, s) VALUES (1, ‘'’), (2, file('{f}')), (3, ‘'’)",
    "INSERT INTO default.t (n, s) FORMAT Values (1, file('{f}'))",
    "INSERT INTO default.t FROM INFILE '{f}' FORMAT CSV",
    "INSERT INTO default.t SELECT 1, a FROM input('a String DEFAULT file(\\'{f}\\')') FORMAT JSONEachRow {{}}",
    "CREATE TABLE default.x (s String) ENGINE = File(CSV, '{f}')",
    "CREATE TABLE default.x (s String) ENGINE = SQLite('{o}', 't')",
    "CREATE TABLE default.x (s String) ENGINE = URL('http://127.0.0.1:1/x', CSV)",
    "CREATE TABLE default.x (s String) ENGINE = Executable('x', TSV)",
    "CREATE TABLE default.x AS file('{f}')",
    "CREATE TABLE default.x (n UInt8, s String DEFAULT file('{f}')) ENGINE = Memory",
    "CREATE TABLE default.x (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS disk = disk(type = local, path = '{o}/')",
    "CREATE VIEW default.x AS SELECT file('{f}') AS s",
    "CREATE MATERIALIZED VIEW default.x ENGINE = Memory AS SELECT file('{f}') AS s FROM default.t",
    "CREATE VIEW default.x AS SELECT arrayMap({{f:Identifier}}, ['{f}']) AS s",
    "CREATE OR REPLACE VIEW `MATERIALIZED` AS SELECT arrayMap({{f:Identifier}}, ['{f}']) AS s",
    "CREATE VIEW default.x AS WITH (SELECT 1) AS n SELECT n, s FROM default.{{f:Identifier}}",
    "ALTER TABLE default.v MODIFY QUERY SELECT arrayMap({{f:Identifier}}, ['{f}']) AS n",
    "CREATE FUNCTION readsit AS (x) -> arrayMap({{f:Identifier}}, x)",
    "CREATE FUNCTION readsit AS (x) -> file(x)",
    "CREATE DATABASE fs ENGINE = Filesystem('/')",
    "CREATE DATABASE lite ENGINE = SQLite('{o}')",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n SOURCE(FILE(path '{f}' format 'CSV'))"
    " LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n SOURCE(EXECUTABLE(command 'cat' format 'TSV'))"
    " LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n"
    " SOURCE(CLICKHOUSE(QUERY 'SELECT 1, file(\\'{f}\\')')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n"
    " SOURCE(CLICKHOUSE(TABLE 't' WHERE 'length(fi\\\\x6ce(\\'{f}\\')) > 0')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n"
    " SOURCE(CLICKHOUSE(HOST '127.0.0.1' PORT 1 TABLE 't')) LAYOUT(FLAT()) LIFETIME(0)",
    *(
        f"CREATE DICTIONARY default.x (n UInt64, s String{made}) PRIMARY KEY n SOURCE(CLICKHOUSE({source}))"
        " LAYOUT(FLAT()) LIFETIME(0)"
        for made, source in (
            ("", "QUERY `SELECT 1, file('{f}')`"),
            ("", "QUERY \"SELECT 1, file('{f}')\""),
            ("", "TABLE 't' WHERE `length(file('{f}')) > 0`"),
            ("", "TABLE t UPDATE_FIELD `file('{f}')`"),
            (" EXPRESSION 'file(''{f}'')'", "TABLE 't'"),
            (" EXPRESSION ('file(''{f}'')')", "TABLE 't'"),
            (" DEFAULT 'x' EXPRESSION 'arrayMap(file, [s])[1]'", "TABLE 't'"),
            (" EXPRESSION file('{f}')", "TABLE 't'"),
        )
    ),
    "ALTER TABLE default.t ADD COLUMN x String DEFAULT file('{f}')",
    "ALTER TABLE default.t UPDATE s = file('{f}') WHERE 1",
    "ATTACH TABLE default.x FROM '{o}' (n UInt8) ENGINE = MergeTree ORDER BY n",
    "DROP TABLE IF EXISTS default.zz PARALLEL WITH CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n"
    " SOURCE(CLICKHOUSE(QUERY 'SELECT 1, file(\\'{f}\\')')) LAYOUT(FLAT()) LIFETIME(0)",
    "DROP TABLE IF EXISTS default.zz PARALLEL WITH CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n"
    " SOURCE(HTTP(url 'http://127.0.0.1:1/x' format 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "DROP TABLE IF EXISTS default.zz PARALLEL WITH CREATE TABLE default.x (s String) ENGINE = FileLog('{o}', TSV)",
    "DROP TABLE IF EXISTS default.zz parallel/**/with CREATE TABLE default.x (s String)"
    " ENGINE = ExecutablePool('x', TSV)",
    "DROP TABLE IF EXISTS default.zz PARALLEL WITH ATTACH TABLE default.x FROM '{o}' (n UInt8) ENGINE = MergeTree"
    " ORDER BY n",
    "DROP TABLE IF EXISTS default.zz PARALLEL WITH DROP TABLE IF EXISTS default.yy",
    "INSERT INTO default.t SELECT 1, 'x' PARALLEL WITH DROP TABLE IF EXISTS default.zz",
    "EXPLAIN AST DROP TABLE default.zz PARALLEL WITH DROP TABLE IF EXISTS default.zz",
    "EXECUTE AS default CREATE TABLE default.x (s String) ENGINE = FileLog('{o}', TSV)",
    "CREATE TABLE default.x (n UInt8) ENGINE = Memory; CREATE TABLE default.y (s String) ENGINE = FileLog('{o}', TSV)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n SOURCE(CLICKHOUSE(QUERY"
    " 'CREATE TABLE default.y (s String) ENGINE = FileLog(''{o}'', TSV)')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n SOURCE(CLICKHOUSE(TABLE 't' INVALIDATE_QUERY"
    " 'DROP TABLE default.t')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n SOURCE(CLICKHOUSE(TABLE 't' WHERE"
    " '1 PARALLEL WITH DROP TABLE default.t')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY default.x (n UInt64, s String) PRIMARY KEY n SOURCE(CLICKHOUSE(QUERY"
    " 'SELECT 1, 1 INTO OUTFILE \"{o}\"')) LAYOUT(FLAT()) LIFETIME(0)",
    "ALTER TABLE default.v MODIFY QUERY SELECT file('{f}') AS n",
    "CREATE MATERIALIZED VIEW default.x REFRESH EVERY 1 HOUR ENGINE = FileLog('{o}', TSV) AS SELECT 's' AS s",
    "BACKUP TABLE default.t TO Memory('b')",
    "SYSTEM SHUTDOWN",
    "SYSTEM JEMALLOC FLUSH PROFILE",
    "SELECT 1 SETTINGS allow_introspection_functions",
    "BACKUP TABLE default.t TO File('{o}')",
    "RESTORE TABLE default.t AS default.x FROM Disk('default', '{o}')",
    "SET dialect = 'prql'",
    "SET max_threads = 1, format_schema = '{f}'",
    "INSERT INTO default.t SETTINGS input_format_record_errors_file_path = '{o}' FORMAT CSV 1,2",
]
READERS = [
    "KILL QUERY WHERE 1",
    "SYSTEM FLUSH LOGS",
    "SET max_execution_time = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT * FROM (SELECT 1 SETTINGS max_execution_time = 0)",
    "SELECT * FROM (SELECT 1 SETTINGS log_queries, max_execution_time = 0)",
    "SELECT * FROM (SELECT 1 SETTINGS allow_ddl)",
    "SELECT 1 UNION ALL SELECT 2 SETTINGS allow_ddl",
    "USE system",
    "INSERT INTO default.t VALUES (1, 'x')",
    "INSERT INTO default.t FORMAT TSV\n1\tx\n",
    "WITH 1 AS n INSERT INTO default.t SELECT n, 'x'",
    "WITH 1 AS n INSERT INTO default.t VALUES (1, 'x')",
    "WITH 1 AS n INSERT INTO default.t FORMAT TSV\n1\tx\n",
    "CREATE TEMPORARY TABLE x (n UInt8)",
    "CREATE VIEW default.x AS SELECT 1",
    "CREATE OR REPLACE FUNCTION x AS () -> 1",
    "EXPLAIN AST DROP TABLE default.t",
    "SELECT query FROM system.processes",
    "SELECT query FROM system . `processes`",
    'SELECT query FROM "system"."processes"',
    "SELECT query FROM SYSTEM.processes",
    "SELECT p.query FROM default.t JOIN System.processes AS p ON 1",
    "SHOW PROCESSLIST",
    "SELECT * FROM merge('system', 'processes')",
    "SELECT * FROM merge(REGEXP('.*'), 'proc.*')",
    "SELECT * FROM loop('system', 'processes')",
    "SELECT * FROM system.server_settings",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.user_query_log",
    "SELECT * FROM system.stack_trace",
    "SELECT 1 FROM default.t WHERE n IN (SELECT 1 FROM system.named_collections)",
    "DESCRIBE system.processes",
    "SELECT 1 PARALLEL WITH DROP TABLE default.t",
    "OPTIMIZE TABLE default.t",
    "EXECUTE AS default SELECT 1",
    "BEGIN TRANSACTION",
]


def refused(answer, facade) -> bool:
    status, text, head = answer
    assert SECRET.encode() not in text, text
    assert not (facade.child.log.parent / "made").exists()
    return status != 200 and head["X-ClickHouse-Exception-Code"] in REFUSED


def told(facade, statement: str) -> bytes:
    folder = facade.child.log.parent
    return statement.format(f=folder / "secret.csv", o=folder / "made").encode()


@pytest.mark.parametrize("statement", LEAVING)
def test_no_statement_leaves_the_database(facade, statement):
    sql = told(facade, statement)
    for headers in (READER, OWNER):
        assert refused(facade.ask(body=sql, headers=headers), facade)
        assert refused(facade.ask("GET", f"/?query={quote(sql)}", headers=headers), facade)
    assert refused(facade.ask(path="/?session_id=leaving", body=sql), facade)
    assert refused(facade.ask(path=f"/?query={quote(sql[:7])}", body=sql[7:], headers=READER), facade)


@pytest.mark.parametrize("statement", OWNERS)
def test_nor_does_one_of_the_owner_that_writes(facade, statement):
    sql = told(facade, statement)
    assert refused(facade.ask(body=sql), facade)
    assert refused(facade.ask(body=gzip.compress(sql), extra={"Content-Encoding": "gzip"}), facade)
    assert refused(
        facade.ask(body=iter([sql[:9], sql[9:]]), encode_chunked=True, extra={"Transfer-Encoding": "chunked"}), facade
    )
    assert refused(facade.ask(body=sql, headers=READER), facade)


@pytest.mark.parametrize("statement", READERS)
def test_the_reader_only_reads(facade, statement):
    sql = told(facade, statement)
    assert refused(facade.ask(body=sql, headers=READER), facade)
    assert refused(facade.ask("GET", f"/?query={quote(sql)}", headers=READER), facade)
    form = b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\n' + sql + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert refused(facade.ask(body=form, headers=READER, extra=kind), facade)


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        ("/?param_d=system&param_t=processes", b"SELECT query FROM {d:Identifier}.{t:Identifier}"),
        ("/?param_t=system.processes", b"SELECT query FROM {t:Identifier}"),
        ("/?param_t=secret.csv", b"SELECT * FROM {t:Identifier}"),
        ("/?param_f=file", b"SELECT arrayMap({f:Identifier}, ['/etc/hostname'])"),
        ("/?param_f=getMacro", b"SELECT arrayMap({f:Identifier}, ['x'])"),
        ("/?param_s=a+String", b"SELECT * FROM values({s:String}, 'a')"),
        ("/?database=default", b"SELECT * APPLY getMacro FROM (SELECT 'x')"),
        ("/?param_f=file", b"SELECT {f:Identifier}('/etc/hostname')"),
        ("/?database=system", b"SELECT query FROM processes"),
        ("/?database=files", b"SELECT * FROM `/etc/hostname`"),
        ("/?format_template_resultset=/etc/hostname", b"SELECT 1 FORMAT Template"),
        ("/?additional_result_filter=0", b"SELECT 1"),
        ("/?log_comment=somebody", b"SELECT 1"),
        ("/?max_bytes_to_read=1", b"SELECT 1"),
        ("/?dialect=prql", b"from t"),
        ("/?readonly=0", b"DROP TABLE default.t"),
        ("/?session_id=r&readonly=0", b"DROP TABLE default.t"),
    ],
)
def test_nothing_beside_the_statement_gives_a_reader_more(facade, path, sql):
    assert refused(facade.ask(path=path, body=sql, headers=READER), facade)
    assert refused(facade.ask("GET", f"{path}&query={quote(sql)}", headers=READER), facade)
    assert facade.ask(body=b"SELECT count() > 0 FROM default.t", headers=READER)[1] == b"1\n"


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        ("/?param_f=toString", "CREATE VIEW default.x AS SELECT arrayMap({{f:Identifier}}, ['{f}']) AS s"),
        ("/?param_f=toString", "CREATE FUNCTION readsit AS (x) -> arrayMap({{f:Identifier}}, x)"),
        ("/?param_f=file", "INSERT INTO default.t (s) VALUES (arrayMap({{f:Identifier}}, ['{f}'])[1])"),
        ("/?select=file('{f}')", "SELECT 1"),
        ("/?order=length(file('{f}'))", "SELECT 1"),
        ("/?sort=1", "SELECT 1"),
    ],
)
def test_nor_does_anything_beside_it_give_the_owner_more(facade, path, sql):
    assert refused(facade.ask(path=told(facade, path).decode(), body=told(facade, sql)), facade)


# Each would run, or make another table than was asked for, if it were pasted into a statement.
STRUCTURES = [
    "n UInt64) PARALLEL WITH DROP TABLE default.t PARALLEL WITH CREATE TEMPORARY TABLE other (n UInt64",
    "n UInt64) PARALLEL WITH INSERT INTO default.t SELECT 99, 'r' PARALLEL WITH CREATE TEMPORARY TABLE other (n UInt64",
    "n UInt64) PARALLEL WITH CREATE DATABASE made PARALLEL WITH CREATE TEMPORARY TABLE other (n UInt64",
    "n UInt64) PARALLEL WITH ATTACH TABLE default.x FROM '{o}' (n UInt8) ENGINE = MergeTree ORDER BY n"
    " PARALLEL WITH CREATE TEMPORARY TABLE other (n UInt64",
    "n UInt64, s String) ENGINE = Buffer(default, t, 1, 0, 0, 0, 0, 0, 0",
    "n UInt64) ENGINE = Buffer(default, t, 1, 0, 0, 0, 0, 0, 0) --",
    "query String) ENGINE = Memory AS SELECT query FROM system.processes WHERE (1",
    "query String) ENGINE = Memory AS SELECT query FROM system.processes --",
    "query String) ENGINE = Memory AS (SELECT query FROM system.processes",
    "s String) ENGINE = Memory AS SELECT file('{f}') WHERE (1",
    "n UInt64) ENGINE = Memory SETTINGS max_memory_usage = 0 --",
    "n UInt64) AS default.t --",
    "n UInt64); DROP TABLE default.t --",
    "n UInt64 DEFAULT 1",
    "n DEFAULT (1, 2)",
    "n UInt64, s String DEFAULT (SELECT groupArray(query)[1] FROM system.processes)",
    "n UInt64, s String MATERIALIZED file('{f}')",
    "n UInt64, s ALIAS n",
    "n UInt64, s String EPHEMERAL",
    "n UInt64, s EPHEMERAL",
    "n UInt64 CODEC(ZSTD)",
    "n UInt64 COMMENT 'x'",
    "n UInt64 TTL now() + n",
    "n UInt64 PRIMARY KEY",
    "n UInt64, INDEX i n TYPE minmax",
    "n UInt64, CONSTRAINT c CHECK length(file('{f}')) > 0",
    "n UInt64, PROJECTION p (SELECT n)",
    "n UInt64, PRIMARY KEY n",
    "n Decimal(9, length(file('{f}')))",
]


def external(facade, structure: str, data=b"7\n", path="/?", sql="SELECT * FROM e", headers=READER, table="e"):
    form = b'--b\r\nContent-Disposition: form-data; name="%b"; filename="x"\r\n\r\n%b\r\n--b--\r\n'
    path += f"&{table}_structure={quote(structure)}&query={quote(sql)}"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    return facade.ask(path=path, body=form % (table.encode(), data), headers=headers, extra=kind)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_structure_of_an_external_table_is_columns_alone(facade, structure):
    state = b"SELECT (SELECT (count(), max(n)) FROM default.t), (SELECT groupArray(name) FROM system.databases)"
    status, before, _ = facade.ask(body=state)
    assert status == 200
    structure = told(facade, structure).decode()
    for path, headers in (("/?", READER), ("/?", OWNER), ("/?readonly=2", OWNER), ("/?session_id=structure", OWNER)):
        assert refused(external(facade, structure, path=path, headers=headers), facade)
        kind = structure.partition(" ")[2]  # as e_types, to which the facade gives names
        assert refused(external(facade, "", path=f"{path}&e_types={quote(kind)}", headers=headers), facade)
    assert facade.ask(body=state)[1] == before


@pytest.mark.parametrize("headers", [READER, OWNER])
@pytest.mark.parametrize(
    ("structure", "data", "row"),
    [
        ("n UInt64 -- a comment", b"7", b"7"),
        ("`a b` Tuple(x UInt8, y Array(String)), `c``` Nullable(Decimal(9, 2))", b"(1,['z'])\t2.5", b"(1,['z'])\t2.5"),
        ("e Enum8('a)' = -1, 'b' = 2), t DateTime64(1, 'UTC')", b"b\t2026-01-01 00:00:01.5", None),
        ("m Map(String, LowCardinality(String)), d DOUBLE PRECISION, i INT UNSIGNED", b"{'a':'b'}\t0.5\t3", None),
        ("v CHARACTER VARYING(3), f FixedString(2), u UUID, x Variant(String, UInt8)", b"", b""),
        ("a AggregateFunction(quantiles(0.5, 0.9), UInt8), j JSON(a.b UInt32, SKIP c)", b"", b""),
        ("k Nested(x UInt8, y String)", b"[1]\t['a']", b"[1]\t['a']"),
    ],
)
def test_columns_of_every_type_are(facade, structure, data, row, headers):
    status, text, _ = external(facade, structure, data, headers=headers)
    assert status == 200, text
    shown = data if row is None else row
    assert text == (shown + b"\n" if shown else b"")


def test_a_table_may_be_named_like_a_word_of_sql(facade):
    for table in ("FUNCTION", "IF", "TABLE", "t"):
        sql = f"SELECT n FROM `{table}`"
        assert external(facade, "n UInt64", sql=sql, table=table)[:2] == (200, b"7\n")


def test_a_reader_with_a_table_has_no_more_rights(facade):
    for setting in ("max_memory_usage = 0", "readonly = 0", "max_execution_time = 0", "allow_ddl = 1"):
        assert refused(external(facade, "n UInt64", sql=f"SELECT 1 SETTINGS {setting}"), facade)
    for sql in ("INSERT INTO default.t SELECT n, 'x' FROM e", "DROP TABLE e", "SELECT query FROM system.processes"):
        assert refused(external(facade, "n UInt64", sql=sql), facade)
    held = "SELECT getSetting('readonly'), getSetting('allow_ddl')"
    assert external(facade, "n UInt64", sql=held)[:2] == (200, b"1\tfalse\n")


@pytest.mark.parametrize("headers", [READER, OWNER])
def test_a_column_may_be_called_parallel(facade, headers):
    sql = b"SELECT parallel FROM (SELECT 1 AS parallel) GROUP BY parallel WITH TOTALS FORMAT TSV"
    status, text, _ = facade.ask(body=sql, headers=headers)
    assert status == 200, text


@pytest.mark.parametrize(
    "asked",
    [
        "0",
        "-1",
        "+1",
        "1e12",
        "1000000000000",
        "0" * 17 + "1999999999999",
        "0" * 21 + "1",
        "0x7",
        "7k",
        "9M",
        " 7",
        "7 ",
        "\u0667",
        "inf",
        "9" * 5000,
        "",
        "1_0",
        "18446744073709551617",
        "5&{name}=0",
        "5&{name}=" + "0" * 17 + "1999999999999",
    ],
)
@pytest.mark.parametrize("name", ["max_execution_time", "max_result_rows", "max_block_size", "max_memory_usage"])
def test_no_spelling_of_a_number_lifts_a_limit(facade, name, asked):
    setting = f"SELECT getSetting('{name}')".encode()
    held = facade.ask(body=setting, headers=READER)[1]
    assert int(held) > 0
    path = f"/?{name}={quote(asked, safe='&={}').format(name=name)}"
    assert facade.ask(path=path, body=setting, headers=READER)[:2] == (200, held)


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as shown:
        user, system = shown.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        ("/", "SELECT " + "a," * 700_000 + "1"),
        ("/", "SELECT " + "a," * 60_000 + "1"),
        ("/", "SELECT " + "values(" * 100 + "1," * 100_000 + "1" + ")" * 100),
        ("/", "SELECT ['a'" + ", 'b'" * 60_000 + "]"),
        ("/?param_t=" + "a." * 10_000 + "a", "SELECT " + "{t:Identifier}, " * 200 + "1"),
    ],
    ids=["longest", "flat", "nested", "literals", "parameters"],
)
def test_a_long_statement_of_a_reader_is_refused_soon(facade, path, sql):
    before_s, resident = cpu_s(facade.child.pid), resident_mib(facade.child.pid)
    _, text, head = facade.ask(path=path, body=sql.encode(), headers=READER)
    # by the guard, or by the engine's own parser: too long, too deep, or too slow to read
    assert head["X-ClickHouse-Exception-Code"] in ("497", "62", "167", "306", "718"), text[:200]
    assert cpu_s(facade.child.pid) - before_s < 10
    assert resident_mib(facade.child.pid) < resident + 700


def test_what_passed_passes_for_the_same_names_and_rights_alone(facade):
    """A statement is looked at once: with another name put in, or for somebody else, it is another one."""
    text = b"SELECT arrayMap({f:Identifier}, ['/etc/hostname']) AS s, queryID() = '' AS x FROM system.one"
    for _ in range(2):
        assert facade.ask(path="/?param_f=upper", body=text)[0] == 200
        for name in ("file", "`file`"):
            assert facade.ask(path=f"/?param_f={name}", body=text)[2]["X-ClickHouse-Exception-Code"] in REFUSED
        assert facade.ask(path="/", body=text)[0] != 200
    private = b"SELECT count() FROM system.processes"
    for headers, answered in ((OWNER, True), (READER, False), (OWNER, True), (READER, False)):
        assert (facade.ask(body=private, headers=headers)[0] == 200) == answered


def test_the_time_of_the_guard_grows_with_the_words_alone():
    """Nesting costs nothing: every call is looked at once."""
    names = ["values", "format", "plus"]
    catalogue = Catalogue.of(["values", "format"], [(name, "Arithmetic") for name in names])

    def taken_s(depth: int) -> float:
        width = 40_000 // depth
        text = "SELECT " + ("plus(values(1, " + "1, " * width) * depth + "1" + "))" * depth
        began_s = time.process_time()
        guard.check(text, Rights.OWNER, catalogue, {})
        return time.process_time() - began_s

    assert taken_s(400) < 5 * taken_s(4) + 0.5


def test_a_long_statement_that_a_dashboard_sends_is_not(facade):
    listed = ", ".join(map(str, range(20_000)))
    sql = f"SELECT count() FROM default.t WHERE n IN ({listed})".encode()
    assert facade.ask(body=sql, headers=READER)[0] == 200


def test_limits_only_become_tighter(facade):
    for asked, held in ((0, 60), (1000, 60), (7, 7), ("007", 7)):
        path = f"/?max_execution_time={asked}&query=SELECT+getSetting('max_execution_time')"
        assert facade.ask("GET", path, headers=READER)[1] == f"{held}\n".encode()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(), max(s) FROM default.t WHERE s NOT LIKE 'file(%' AND n > {n:UInt8}",
        "SELECT 'INTO OUTFILE', 'x' AS `file`, file.n FROM default.t AS file LIMIT 1",
        "SELECT n FROM default.v",
        "SELECT count(file), sum(length(f.file)) FROM (SELECT s AS file, s FROM default.t) AS f WHERE file IN (SELECT s"
        " FROM default.t) GROUP BY (file, s) LIMIT 1",
        "SELECT sumIf(file, file > 0), quantileIf(0.5)(file, file > 0), avgOrNullIf(file, file > 1), COUNTIf(tid, 1),"
        " uniqExactArrayIf([file], 1) FROM (SELECT n AS file, n AS tid FROM default.t)",
        "SELECT arrayMap(x -> concat(x, f.file), [f.s]), arrayMap(upper, [s])"
        " FROM (SELECT s AS file, s FROM default.t) AS f",
        "SELECT * APPLY(toString) FROM default.t LIMIT 1",
        "SELECT format('{}-{}', s, toString(n)) FROM default.t LIMIT 1",
        "SELECT * FROM values('a String, b UInt8', ('x', 1 + 1))",
        "SELECT * FROM values((1, 'a'), (2, upper('b')))",
        "SELECT dictGet('default.d', 's', toUInt64(3))",
        "SELECT toStartOfInterval(now(), INTERVAL 1 MINUTE) AS time, quantileIf(0.5)(n, n > 1), any(s) FROM default.t",
        "WITH a AS (SELECT n FROM default.t), (SELECT max(n) FROM a) AS m SELECT m, uniqExactArray([n]) FROM a",
        "SELECT sum(n) OVER (PARTITION BY s ORDER BY n), row_number() OVER () FROM default.t LIMIT 3",
        "SELECT CASE n WHEN 1 THEN 'a' ELSE 'b' END, n::String, cast(n AS Float32), url FROM (SELECT n, 'x' AS url"
        " FROM default.t) LIMIT 1",
        "SELECT name FROM system.tables WHERE database = 'default'",
        "SELECT table_name FROM information_schema.tables LIMIT 1",
        "SHOW TABLES FROM default",
        "SHOW CREATE TABLE default.t",
        "DESCRIBE TABLE default.t",
        "EXISTS TABLE default.t",
        "EXPLAIN indexes = 1 SELECT * FROM default.t WHERE n = 3",
        "EXPLAIN SYNTAX SELECT 1",
        "SELECT number FROM numbers(3) FORMAT JSONCompact",
        "SELECT 1 EXCEPT DISTINCT SELECT 2",
        "(SELECT 1 UNION ALL SELECT 2) EXCEPT SELECT 2 FORMAT JSONEachRow",
        "SELECT settings, filter FROM (SELECT s AS settings, s AS filter FROM default.t) WHERE settings = filter"
        " LIMIT 1",
        "WITH s AS insert SELECT insert FROM default.t LIMIT 1",
        "SELECT 1 -- a comment;\n",
        "SELECT 1;",
        "(SELECT 1) UNION ALL (SELECT 2)",
    ],
)
def test_what_a_reader_is_there_for(facade, statement):
    status, text, _ = facade.ask(path="/?param_n=5", body=statement.encode(), headers=READER)
    assert status == 200, text
    assert facade.ask("GET", f"/?param_n=5&query={quote(statement)}", headers=READER)[:2][0] == 200


@pytest.mark.parametrize(
    "statement",
    [
        "WITH 1 AS n INSERT INTO default.kept (engine) FORMAT TSV\nx;\n",
        "WITH {SELECT:UInt8} AS n INSERT INTO default.kept (engine) FORMAT TSV\nx;\n",
        "WITH (SELECT 1) AS a, b AS (SELECT 'x;' AS s) INSERT INTO default.kept (engine) SELECT s FROM b",
        "WITH 1 AS n INSERT INTO default.kept (engine) VALUES ('x;')",
        "INSERT INTO default.{t:Identifier} (engine) VALUES ('x;')",
        "ALTER TABLE default.kept UPDATE engine = 'x;' WHERE settings = '' AND filter = ''",
        "CREATE OR REPLACE VIEW default.made AS SELECT engine FROM default.kept WHERE engine = 'x;'"
        " SETTINGS max_threads = 1",
        "CREATE OR REPLACE VIEW default.{v:Identifier} AS SELECT engine FROM default.kept WHERE engine = {s:String}",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS default.{m:Identifier} ENGINE = Memory AS SELECT engine"
        " FROM default.{t:Identifier}",
        "SELECT engine FROM (SELECT engine, '' AS filter FROM default.kept SETTINGS max_threads = 1) WHERE filter = ''",
        "(SELECT 'x;' AS s UNION ALL SELECT 'y') EXCEPT SELECT 'y' SETTINGS max_threads = 1",
        "CREATE OR REPLACE DICTIONARY default.made_of_text (n UInt64, s String EXPRESSION 'upper(s)') PRIMARY KEY n"
        " SOURCE(CLICKHOUSE(TABLE t DB default UPDATE_FIELD n UPDATE_LAG 5)) LAYOUT(FLAT()) LIFETIME(0)",
        "CREATE OR REPLACE TABLE default.named (function String, language String, view String) ENGINE = Memory",
        "EXISTS TABLE system.processes",
        "DESCRIBE TABLE system.processes",
        "SELECT system.processes.query, processes.elapsed FROM default.kept, system.processes",
        "SELECT p.query FROM system.processes AS p LEFT JOIN system.processes ON processes.query_id = p.query_id",
    ],
)
def test_what_the_owner_is_there_for(facade, statement):
    table = "(engine String, settings String, filter String) ENGINE = MergeTree ORDER BY tuple()"
    assert facade.ask(body=f"CREATE TABLE IF NOT EXISTS default.kept {table}".encode())[0] == 200
    path = "/?param_t=kept&param_v=by_value&param_m=on_insert&param_s=x&param_SELECT=1"
    status, text, _ = facade.ask(path=path, body=statement.encode())
    assert status == 200, text
    kept = facade.ask(body=b"SELECT DISTINCT engine FROM default.kept")[1]
    assert kept in (b"", b"x;\n")
    assert kept or "INSERT" not in statement


@pytest.mark.parametrize("what", ["PROCESSLIST", "GRANTS", "CLUSTERS", "SETTINGS LIKE 'max_threads'", "TABLES"])
def test_the_owner_may_be_shown_everything_with_any_method(facade, what):
    asked = f"/?query={quote('SHOW ' + what)}"
    assert facade.ask("GET", asked)[0] == facade.ask("POST", asked)[0] == 200


def test_what_drivers_send_with_every_statement_keeps_no_reader_out(facade):
    path = "/?async_insert=0&wait_for_async_insert=1&max_result_rows=10&date_time_output_format=iso&compress=1"
    assert facade.ask(path=path, body=b"SELECT 1", headers=READER)[0] == 200


def test_a_reader_s_statement_is_bounded_as_it_unpacks(facade):
    text = b"SELECT 1 -- " + b"x" * (5 << 20)
    blocks = Blocks("lz4")
    packed = blocks.add(text) + blocks.end()
    status, _, head = facade.ask(path="/?decompress=1", body=packed, headers=READER)
    assert (status, head["X-ClickHouse-Exception-Code"]) == (413, "639")
    assert facade.ask(path="/?decompress=1", body=packed)[:2] == (200, b"1\n")


def test_a_reader_s_sessions_end_none_of_the_owner_s(facade):
    kept = "/?session_id=kept&session_check=1"
    assert facade.ask(path="/?session_id=kept", body=b"CREATE TEMPORARY TABLE mine (n UInt8)")[0] == 200
    for i in range(MAX_SESSIONS + 1):
        assert facade.ask(path=f"/?session_id={i}", body=b"SELECT 1", headers=READER)[0] == 200
    assert facade.ask(path=kept, body=b"SELECT count() FROM mine")[:2] == (200, b"0\n")


def test_a_form_within_forms_is_a_value(facade):
    """Two thousand levels: the outermost one is read."""
    inner = b"".join(b'--%d\r\nContent-Type: multipart/mixed; boundary="%d"\r\n\r\n' % (i, i + 1) for i in range(2000))
    query = b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT {param:String}\r\n'
    nested = b'--b\r\nContent-Type: multipart/mixed; boundary="0"\r\nContent-Disposition: form-data; name="param_param"'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    form = query + nested + b"\r\n\r\n" + inner + b"\r\n--b--\r\n"
    status, text, _ = facade.ask(body=form, headers=READER, extra=kind)
    assert (status, b"Value --0" in text) == (400, True), text[:300]  # a parameter is one line, the engine says


def test_the_environment_is_empty(facade):
    with open(f"/proc/{facade.child.pid}/environ", "rb") as shown:
        environment = shown.read()
    assert b"owner's" not in environment
    assert SECRET.encode() not in environment
    with open(f"/proc/{facade.child.pid}/cmdline", "rb") as shown:
        assert b"owner's" not in shown.read()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Host": "localhost@evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://localhost.evil.example:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_origins_are_refused_before_anything_runs(facade, method, headers):
    extra = {name: value.format(port=facade.port) for name, value in headers.items()}
    before = facade.ask(body=b"SELECT count() FROM default.t")[1]
    sql = b"INSERT INTO default.t SELECT 1, 'x'" if method == "POST" else b""
    path = "/" if method == "POST" else "/?query=SELECT+1"
    for credentials in (OWNER, READER):
        status, text, head = facade.ask(method, path, body=sql or None, headers=credentials, extra=extra)
        assert (status, head["X-ClickHouse-Exception-Code"]) == (403, "497"), text
    assert facade.ask(body=b"SELECT count() FROM default.t")[1] == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:{port}"},
        {"Host": "LOCALHOST"},
        {"Host": "[::1]:{port}"},
        {"Origin": "http://127.0.0.1:{port}"},
        {"Origin": "http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_its_own_names_and_pages_are_not(facade, headers):
    extra = {name: value.format(port=facade.port) for name, value in headers.items()}
    assert facade.ask(body=b"SELECT 1", extra=extra)[:2] == (200, b"1\n")


def test_a_name_that_it_was_told(tmp_path):
    named = Facade(tmp_path, free_port(), options=("--name", "Weir.internal"))
    assert named.ask(body=b"SELECT 1", headers={"Host": "weir.internal"})[:2] == (200, b"1\n")
    assert named.ask(body=b"SELECT 1", headers={"Host": "other.internal"})[0] == 403
    assert named.child.stop() == 0


def resident_mib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) >> 10


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_half_requests_end_no_connection_of_a_user(facade):
    """Neither one that rests between two requests nor one whose body is on its way."""
    login = "".join(f"{name}: {value}\r\n" for name, value in OWNER.items())
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\n{login}Expect: 100-continue\r\nContent-Length: 8\r\n\r\n"
    with ExitStack() as connections:
        resting = connections.enter_context(
            closing(http.client.HTTPConnection("127.0.0.1", facade.port, timeout=WAIT_S))
        )
        resting.request("POST", "/", b"SELECT 1", OWNER)
        assert resting.getresponse().read() == b"1\n"
        sending = connections.enter_context(socket.create_connection(("127.0.0.1", facade.port), timeout=WAIT_S))
        sending.sendall(head.encode())
        assert sending.recv(100).startswith(b"HTTP/1.1 100 ")
        sending.sendall(b"SELE")
        kept = resting.sock
        for i in range(150):
            wire = connections.enter_context(socket.create_connection(("127.0.0.1", facade.port), timeout=WAIT_S))
            wire.sendall(b"POST / HTTP/1.1\r\n" if i % 2 else b"P")
        until(lambda: facade.ask(body=b"SELECT 1")[0] == 200, WAIT_S, "an answer")
        sending.sendall(b"CT 2")
        assert b" 200 OK\r\n" in sending.recv(1000)
        resting.request("POST", "/", b"SELECT 3", OWNER)
        assert resting.sock is kept
        assert resting.getresponse().read() == b"3\n"


def test_half_requests_keep_no_threads(facade):
    before = threads(facade.child.pid)
    halves = [
        b"POST / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nX-ClickHouse-Key: owner's\r\nContent-Length: 100\r\n\r\nSELECT",
        b"GET",
    ]
    wires = []
    try:
        for i in range(300):
            wires.append(socket.create_connection(("127.0.0.1", facade.port), timeout=WAIT_S))
            wires[-1].sendall(halves[i % 3])
        until(lambda: threads(facade.child.pid) < before + 80, WAIT_S, "threads that end")
        assert facade.ask(body=b"SELECT 1")[:2] == (200, b"1\n")
    finally:
        for wire in wires:
            wire.close()


def test_nothing_large_is_taken_before_the_password_was_seen(tmp_path):
    large = Facade(tmp_path, free_port(), options=("--body-mib", "256"), **{PASSWORD_VARIABLE: "owner's"})
    before = resident_mib(large.child.pid)
    status, _, head = large.ask(body=bytes(150 << 20), headers={"X-ClickHouse-Key": "a guess"})
    assert (status, head["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert resident_mib(large.child.pid) < before + 20
    assert large.child.stop() == 0


def test_a_body_is_asked_for_once_it_is_wanted(facade):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 8\r\n"
    assert facade.raw(head + b"X-ClickHouse-Key: a guess\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    answer = facade.raw(head + b"X-ClickHouse-Key: owner's\r\n\r\nSELECT 1")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


def running(facade, what: str) -> int:
    asked = f"SELECT count() FROM system.processes WHERE query LIKE '%{what}%' AND query NOT LIKE '%processes%'"
    return int(facade.ask(body=asked.encode())[1])


@pytest.fixture
def begun(facade):
    """Makes connections whose statement runs and whose answer nobody reads."""
    with ExitStack() as connections:

        def begin(sql: str, headers=READER, method="POST", path="/") -> socket.socket:
            wire = connections.enter_context(socket.create_connection(("127.0.0.1", facade.port), timeout=WAIT_S))
            login = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{login}Content-Length: {len(sql)}\r\n\r\n"
            wire.sendall(f"{head}{sql}".encode())
            return wire

        yield begin


def test_a_reader_s_statements_never_keep_the_owner_s_insert_waiting(facade, begun):
    wires = [begun("SELECT sleep(1) FROM numbers(100000) SETTINGS") for _ in range(4)]
    slow = "SELECT sleep(3) FROM numbers(3000000)"
    wires += [begun(slow) for _ in range(16)]
    until(lambda: running(facade, "sleep(3)") == 3, WAIT_S, "the reader's statements")
    began_s = time.monotonic()
    for _ in range(3):
        assert facade.ask(body=b"INSERT INTO default.t SELECT 1, 'x'")[0] == 200
    assert time.monotonic() - began_s < QUEUE_S  # for so long each of them waits that finds no place
    for wire in wires:
        wire.close()
    until(lambda: running(facade, "sleep(3)") == 0, WAIT_S, "their end")


ENDLESS = [
    "SELECT number FROM system.numbers",
    "SELECT repeat('x', 1000) FROM system.numbers",
    "SELECT sleep(1) FROM numbers(30000000)",
    "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1",
]
WIDE = "SELECT repeat('x', 1001) FROM system.numbers"


@pytest.mark.parametrize(
    ("sql", "headers"),
    [*product(ENDLESS, [OWNER, READER]), (f"{WIDE} SETTINGS max_threads = 16", OWNER)],  # as on a large machine
)
def test_a_statement_whose_client_has_gone_ends_and_took_little_memory(facade, begun, sql, headers):
    what = sql.split("FROM")[0].strip().replace("'", "_")
    before = resident_mib(facade.child.pid)
    wire = begun(sql, headers)
    until(lambda: running(facade, what) == 1, WAIT_S, "the statement")
    time_s = time.monotonic()
    until(lambda: time.monotonic() - time_s > 1 or running(facade, what) == 0, WAIT_S, "a second")
    assert resident_mib(facade.child.pid) < before + 400
    assert facade.ask(body=b"INSERT INTO default.t SELECT 1, 'x'")[0] == 200
    wire.close()
    until(lambda: running(facade, what) == 0, WAIT_S, "its end")


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/"), ("POST", "/?wait_end_of_query=1")])
def test_so_does_one_whose_result_is_held_back(facade, begun, method, path):
    wire = begun("SELECT number, 'held' FROM system.numbers", OWNER, method, path)
    until(lambda: running(facade, "_held_") == 1, WAIT_S, "the statement")
    wire.close()
    until(lambda: running(facade, "_held_") == 0, WAIT_S, "its end")


def test_no_reader_lifts_what_bounds_a_result_in_memory(facade):
    path = "/?max_block_size=1000000&output_format_parallel_formatting=1"
    asked = b"SELECT getSetting('max_block_size'), getSetting('output_format_parallel_formatting')"
    assert facade.ask(path=path, body=asked, headers=READER)[:2] == (200, b"16384\tfalse\n")
    assert facade.ask(body=asked + b" SETTINGS output_format_parallel_formatting = 1", headers=READER)[0] == 403


def test_a_long_result_comes_whole_and_in_pieces(facade):
    status, text, head = facade.ask(body=b"SELECT number FROM numbers(1000000)")
    assert (status, head["Transfer-Encoding"], text.count(b"\n"), text[-7:]) == (200, "chunked", 1_000_000, b"999999\n")
    status, text, head = facade.ask(path="/?wait_end_of_query=1", body=b"SELECT number FROM numbers(1000000)")
    assert (status, int(head["Content-Length"]), text[-7:]) == (200, len(text), b"999999\n")


FAILING = (
    b"SELECT throwIf(number = 900000, 'too far') FROM numbers(1000000) SETTINGS max_block_size = 1000, max_threads = 1"
)


def test_an_error_after_part_of_the_result_is_no_end_of_it(facade):
    with closing(http.client.HTTPConnection("127.0.0.1", facade.port, timeout=WAIT_S)) as connection:
        connection.request("POST", "/?default_format=JSONEachRow", FAILING, OWNER)
        answer = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead) as found:
            answer.read()
    tag = answer.headers["X-ClickHouse-Exception-Tag"].encode()
    tail = found.value.partial[-1000:]
    assert b"\r\n__exception__\r\n" + tag in tail
    assert b"Code: 395." in tail
    assert b"too far" in tail
    status, text, _ = facade.ask(path="/?wait_end_of_query=1", body=FAILING)
    assert (status, text[:9]) == (500, b"Code: 395")


quoted = pytest.mark.skipif(sys.version_info < (3, 11, 4), reason="this Python loses what chDB says of such bytes")


@quoted
@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (b"SELECT \x8b", "62"),
        (b"SELECT CAST(unhex('8b'), 'UInt8')", "6"),
        (b"INSERT INTO default.t FORMAT CSV\n\x8b", "27"),
    ],
)
def test_an_error_that_quotes_bytes_says_what_was_wrong(facade, sql, code):
    _, text, head = facade.ask(body=sql)
    assert head["X-ClickHouse-Exception-Code"] == code, text


@quoted
def test_so_does_one_after_part_of_the_result(facade):
    failing = FAILING.replace(b"'too far'", b"'too far \x8b'")
    with closing(http.client.HTTPConnection("127.0.0.1", facade.port, timeout=WAIT_S)) as connection:
        connection.request("POST", "/?default_format=JSONEachRow", failing, OWNER)
        with pytest.raises(http.client.IncompleteRead) as found:
            connection.getresponse().read()
    assert b"Code: 395." in found.value.partial[-1000:]


def test_several_clients_that_read_slowly_take_no_memory(facade, begun):
    before = resident_mib(facade.child.pid)
    wires = [begun("SELECT number, repeat('x', 500) FROM system.numbers", OWNER) for _ in range(6)]
    until(lambda: running(facade, "repeat(_x_, 500)") == 6, WAIT_S, "the statements")
    assert resident_mib(facade.child.pid) < before + 400
    for wire in wires:
        wire.close()
    until(lambda: running(facade, "repeat(_x_, 500)") == 0, WAIT_S, "their end")


def test_statements_end_with_their_queue(facade, begun):
    """A statement that still waits for its turn when its client goes is never begun."""
    wires = [begun("SELECT sleep(2), 'first' FROM numbers(3000000)") for _ in range(3)]
    until(lambda: running(facade, "_first_") == 3, WAIT_S, "the first three")
    waiting = begun("SELECT sleep(2), 'second' FROM numbers(3000000)")
    waiting.close()
    for wire in wires:
        wire.close()
    until(lambda: running(facade, "_first_") == 0, WAIT_S, "their end")
    assert running(facade, "_second_") == 0
