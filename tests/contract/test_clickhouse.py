"""What Weir asks of ClickHouse, through an unmodified clickhouse-connect: of the embedded one, and of a server.

Set WEIR_TEST_CLICKHOUSE_URL to run the same suite on a server; it makes and drops a database of its own.
"""

import os
from datetime import UTC, datetime
from uuid import uuid4

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.waiting import WAIT_S

SERVER = "WEIR_TEST_CLICKHOUSE_URL"
UNKNOWN_TABLE, SYNTAX_ERROR, READONLY, MEMORY_LIMIT, TOO_SLOW = 60, 62, 164, 241, 159


@pytest.fixture(scope="module", params=["embedded", "server"])
def url(request):
    if request.param == "embedded":
        return request.getfixturevalue("stack").settings.recording.clickhouse_url
    if not os.environ.get(SERVER):
        pytest.skip(f"{SERVER} names no server")
    return os.environ[SERVER]


@pytest.fixture(scope="module")
def database(url):
    name = f"contract_{uuid4().hex[:8]}"
    with clickhouse_connect.get_client(dsn=url) as admin:
        admin.command(f"CREATE DATABASE {name}")
        yield name
        admin.command(f"DROP DATABASE {name}")


@pytest.fixture
def client(url, database):
    with clickhouse_connect.get_client(dsn=url, database=database) as connected:
        yield connected


@pytest.fixture
def table(client):
    name = f"t_{uuid4().hex[:8]}"
    client.command(f"""
        CREATE TABLE {name}
        (
            id UInt64,
            at DateTime64(3, 'UTC'),
            model LowCardinality(String),
            score Nullable(Float32),
            features Map(LowCardinality(String), Float32),
            digest FixedString(12),
            cost_nusd Int64
        )
        ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100
    """)
    return name


def rows(first: int, count: int) -> pa.Table:
    ids = range(first, first + count)
    return pa.table(
        {
            "id": pa.array(ids, pa.uint64()),
            "at": pa.array([1_700_000_000_000 + i for i in ids], pa.timestamp("ms", "UTC")),
            "model": pa.array([f"model-{i % 3}" for i in ids]).dictionary_encode(),
            "score": pa.array([None if i % 5 == 0 else i / 8 for i in ids], pa.float32()),
            "features": pa.array(
                [[("a", float(i)), ("b", float("nan"))] for i in ids], pa.map_(pa.string(), pa.float32())
            ),
            "digest": pa.array([f"{i:012x}".encode() for i in ids], pa.binary(12)),
            "cost_nusd": pa.array([-i for i in ids], pa.int64()),
        }
    )


def token(text: str) -> dict[str, str]:
    return {"insert_deduplication_token": text}


def test_arrow_in_arrow_out(client, table):
    client.insert_arrow(table, rows(0, 1000), settings=token("a"))
    back = client.query_arrow(f"SELECT id, at, model, score, features, cost_nusd FROM {table} ORDER BY id")
    sent = rows(0, 1000)
    for column in ("id", "score", "cost_nusd"):
        assert back[column].cast(sent[column].type).equals(sent[column])
    assert back["at"].cast(pa.timestamp("ms", "UTC")).to_pylist() == sent["at"].to_pylist()
    assert back["model"].cast(pa.string()).to_pylist() == sent["model"].cast(pa.string()).to_pylist()
    assert [dict(features)["a"] for features in back["features"].to_pylist()] == [float(i) for i in range(1000)]


def test_native_rows_in_and_out_compressed(client, table):
    at = datetime(2013, 7, 1, tzinfo=UTC)
    client.insert(table, [[i, at, "m", None, {"a": 1.0}, b"0" * 12, -1] for i in range(500)], settings=token("n"))
    [(count, first, highest)] = client.query(f"SELECT count(), min(at), max(score) FROM {table}").result_rows
    assert (count, first.replace(tzinfo=UTC), highest) == (500, at, None)


def test_an_insert_with_the_same_token_counts_once(client, table):
    for _ in range(3):
        client.insert_arrow(table, rows(0, 10), settings=token("topic/0/0-9"))
    client.insert_arrow(table, rows(10, 10), settings=token("topic/0/10-19"))
    assert client.query(f"SELECT count(), uniqExact(id) FROM {table}").result_rows == [(20, 20)]


def test_parameters_are_bound_not_pasted(client, table):
    nasty = "it's \\ a 'model'; DROP TABLE x -- {y:String} \n\t é"
    assert client.query("SELECT {x:String}", parameters={"x": nasty}).result_rows == [(nasty,)]
    client.insert_arrow(table, rows(0, 10), settings=token("p"))
    bound = {"ids": [3, 4], "from": datetime(2023, 11, 14, tzinfo=UTC), "table": table}
    asked = "SELECT count() FROM {table:Identifier} WHERE id IN {ids:Array(UInt64)} AND at >= {from:DateTime64(3)}"
    assert client.query(asked, parameters=bound).result_rows == [(2,)]


def test_parameters_too_long_for_a_url(url, database):
    ids = list(range(20_000))
    with clickhouse_connect.get_client(dsn=url, database=database, form_encode_query_params=True) as client:
        asked = "SELECT length({ids:Array(UInt64)})"
        assert client.query(asked, parameters={"ids": ids}).result_rows == [(20_000,)]


def test_settings_hold_for_their_statement_only(client):
    asked = "SELECT getSetting('max_block_size')"
    assert client.query(asked, settings={"max_block_size": 1234}).result_rows == [(1234,)]
    assert client.query(asked).result_rows != [(1234,)]


def test_a_session_keeps_its_temporary_tables(url, database):
    with clickhouse_connect.get_client(dsn=url, database=database, session_id=f"s-{uuid4()}") as client:
        client.command("CREATE TEMPORARY TABLE seen (id UInt64)")
        client.insert("seen", [[1], [2]], column_names=["id"], database="")
        assert client.query("SELECT count() FROM seen").result_rows == [(2,)]
    with clickhouse_connect.get_client(dsn=url, database=database) as other, pytest.raises(DatabaseError):
        other.query("SELECT count() FROM seen")


@pytest.mark.parametrize(
    ("statement", "settings", "code"),
    [
        ("SELECT * FROM no_such_table", {}, UNKNOWN_TABLE),
        ("SELEC 1", {}, SYNTAX_ERROR),
        ("CREATE TABLE x (a UInt8) ENGINE = Memory", {"readonly": "1"}, READONLY),
        ("SELECT groupArray(number) FROM numbers(50000000)", {"max_memory_usage": "10000000"}, MEMORY_LIMIT),
        ("SELECT count() FROM numbers(1e12) WHERE sipHash64(number) = 7", {"max_execution_time": "0.3"}, TOO_SLOW),
    ],
)
def test_errors_carry_their_code(client, statement, settings, code):
    with pytest.raises(DatabaseError, match=rf"\b{code}\b"):
        client.query(statement, settings=settings)


def test_a_failed_insert_leaves_nothing(client, table):
    good = rows(0, 10)
    with pytest.raises(DatabaseError):
        client.insert_arrow(table, good.set_column(0, "id", pa.array(["x"] * 10)), settings=token("bad"))
    assert client.query(f"SELECT count() FROM {table}").result_rows == [(0,)]


def test_many_clients_at_once(url, database, table):
    from concurrent.futures import ThreadPoolExecutor

    def insert(part: int) -> None:
        with clickhouse_connect.get_client(dsn=url, database=database) as mine:
            mine.insert_arrow(table, rows(part * 100, 100), settings=token(f"part-{part}"))
            assert mine.query("SELECT {p:UInt8}", parameters={"p": part}).result_rows == [(part,)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(insert, range(16)))
    with clickhouse_connect.get_client(dsn=url, database=database) as client:
        assert client.query(f"SELECT count(), uniqExact(id) FROM {table}").result_rows == [(1600, 1600)]


def test_statements_that_answer_nothing(client, table):
    insert = f"INSERT INTO {table} (id, model) SETTINGS insert_deduplication_token ="
    client.command(f"{insert} 'v' VALUES (1, 'FORMAT CSV')")
    client.command(f"{insert} 's' SELECT 2, 'x FORMAT Null'")
    assert client.command(f"SELECT count() FROM {table}") == 2
    assert client.command(f"EXISTS TABLE {table}") == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("ALTER TABLE {t} ADD CONSTRAINT cheap CHECK cost_nusd > 0", 469),
        ("CREATE MATERIALIZED VIEW v_{t} ENGINE = Log AS SELECT id + throwIf(id >= 0) AS id FROM {t}", 395),
        ("ALTER TABLE {t} MODIFY SETTING min_free_disk_bytes_to_perform_insert = 1000000000000000", 243),
    ],
)
def test_an_insert_that_fails_when_it_commits_is_no_success(client, table, change, code):
    """A full disk is the worst of them: whoever believes the answer has lost the rows."""
    client.command(change.format(t=table))
    with pytest.raises(DatabaseError, match=rf"Code: {code}\."):
        client.insert_arrow(table, rows(0, 10), settings=token("a"))


def test_settings_within_an_insert_count(client, table):
    import urllib.parse
    import urllib.request

    text = f"INSERT INTO {table} (id, cost_nusd) SETTINGS insert_deduplication_token = 'inside' FORMAT CSV\n1,2\n"
    address = f"{client.url}/?" + urllib.parse.urlencode({"database": client.database})
    for _ in range(2):
        urllib.request.urlopen(urllib.request.Request(address, data=text.encode()), timeout=WAIT_S).close()
    assert client.query(f"SELECT id, cost_nusd FROM {table}").result_rows == [(1, 2)]
