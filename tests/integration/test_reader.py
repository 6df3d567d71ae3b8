"""Who the console and dashboards ask as: what the recipe lets a user do, and that a user who may do more is refused.

A ClickHouse server is not to be had here: the recipe is tried on its engine, chDB, whose only user is `default`. chDB
knows no `changeable_in_readonly`, so that under readonly = 1 nothing can be changed there; the bounds of what a server
lets a reader change are tried under readonly = 2.
"""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import yaml
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse.client import connect
from weir.edges.clickhouse.rights import LIMITS, RECIPE, Rights, rights
from weir.settings import ROOT, load
from weir.web.console.asking import Asker, reader
from weir.web.console.desk import Desk
from weir.web.console.serve import serve

from tests.databases import database
from tests.waiting import COMMAND_S

__all__ = ["database"]
pytestmark = pytest.mark.one_broker("tansu")
CLICKHOUSE = ROOT / "infra/clickhouse"
ENGINE = r"""
import json, re, sys
import chdb
engine = chdb.connect(sys.argv[1])
def answer(statement):
    try:
        return engine.query(statement, "TSVRaw").bytes().decode().strip()
    except RuntimeError as error:
        return int(re.search(r"Code: (\d+)", str(error))[1])
print(json.dumps([answer(one) for one in json.load(sys.stdin)]))
"""
READONLY, ACCESS_DENIED, CONSTRAINT = 164, 497, 452
MADE = [
    "CREATE DATABASE weir",
    "CREATE TABLE weir.predictions (n UInt8) ENGINE = MergeTree ORDER BY n AS SELECT 7",
    "CREATE TABLE default.others (n UInt8) ENGINE = MergeTree ORDER BY n AS SELECT 8",
]
# Statement -> its answer, or the errors that it may have.
TRIED = {
    "SELECT n FROM weir.predictions": "7",
    "SELECT count() FROM numbers(3)": "3",
    "SELECT name FROM system.columns WHERE database = 'weir' AND table = 'predictions'": "n",
    "SELECT n FROM default.others": (ACCESS_DENIED,),
    "INSERT INTO weir.predictions VALUES (1)": (READONLY, ACCESS_DENIED),
    "CREATE TABLE weir.more (n UInt8) ENGINE = Memory": (READONLY, ACCESS_DENIED),
    "CREATE TEMPORARY TABLE more (n UInt8)": (READONLY, ACCESS_DENIED),
    "DROP TABLE weir.predictions": (READONLY, ACCESS_DENIED),
    "ALTER TABLE weir.predictions DELETE WHERE 1": (READONLY, ACCESS_DENIED),
    "TRUNCATE TABLE weir.predictions": (READONLY, ACCESS_DENIED),
    "OPTIMIZE TABLE weir.predictions": (READONLY, ACCESS_DENIED),
    "SYSTEM STOP MERGES weir.predictions": (READONLY, ACCESS_DENIED),
    "GRANT INSERT ON weir.* TO default": (READONLY, ACCESS_DENIED),
    "SELECT * FROM file('/etc/hostname', 'LineAsString')": (READONLY, ACCESS_DENIED),
    "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')": (READONLY, ACCESS_DENIED),
    "SELECT * FROM remote('127.0.0.1:9', system.one)": (READONLY, ACCESS_DENIED),
    "SELECT * FROM mysql('127.0.0.1:9', 'd', 't', 'u', 'p')": (READONLY, ACCESS_DENIED),
    "SET readonly = 0": (READONLY,),
    "SET max_execution_time = 0": (READONLY,),
    "SELECT 1 SETTINGS max_execution_time = 0": (READONLY,),
    "SET max_memory_usage = 0": (READONLY,),
    "SET max_threads = 64": (READONLY,),
    "SET max_result_rows = 0": (READONLY,),
    "SET allow_introspection_functions = 1": (READONLY,),
    "SELECT number FROM numbers(5000001) FORMAT Null": (396,),
}
WITHIN = {
    "SET max_execution_time = 0": CONSTRAINT,
    "SET max_execution_time = 66": CONSTRAINT,
    "SELECT 1 SETTINGS max_execution_time = 0": CONSTRAINT,
    "SET max_execution_time = 65": "",
    "SET session_timezone = 'UTC', enable_http_compression = 1": "",
}


def test_the_reader_of_the_embedded_clickhouse_does_no_more_than_it_should(database):
    with connect(reader(database).recording) as client:
        assert rights(client) == Rights((), ())
    with connect(database.recording) as client:
        assert rights(client) == Rights(("insert", "create", "alter", "drop"), LIMITS)
    assert Asker(database).meet() == ()


def test_the_console_refuses_a_user_who_may_do_more_and_names_the_recipe(database):
    owner = database.having(clickhouse_reader="default")
    with pytest.raises(Refused, match=r"user default may insert, create, alter, drop, .*infra/clickhouse/reader\.xml"):
        serve(owner, "127.0.0.1", 0, told=pytest.fail)
    with pytest.raises(Refused, match="user default may insert"):  # which ClickHouse may have become while it was away
        Desk(owner).ask("SELECT 1", {})
    with pytest.raises(Unavailable):
        Asker(load(clickhouse_url="http://127.0.0.1:9")).meet()
    assert (ROOT / RECIPE).exists()


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Asks the engine statements as the recipe's user. readonly: another one than the recipe's."""
    folder = tmp_path_factory.mktemp("recipe")

    def ask(statements, users=None):
        path = f"{folder}/data?config-file={configured(folder, users)}"
        done = subprocess.run(
            [sys.executable, "-c", ENGINE, path],
            input=json.dumps(list(statements)),
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(zip(statements, json.loads(done.stdout), strict=True))

    def as_reader(statements, readonly=None):
        users = as_default(ElementTree.parse(CLICKHOUSE / "reader.xml").getroot())
        profile = users.find("profiles/weir_reader")
        profile.find("readonly").text = readonly or profile.findtext("readonly")
        return ask(statements, users)

    assert set(ask(MADE).values()) == {""}
    return as_reader


@pytest.fixture(scope="module")
def recipe(asked):
    return asked(TRIED)


def as_default(users):
    """The recipe with its user as the one that chDB has, and a password as the other file of the folder gives it."""
    user = users.find("users/reader")
    user.tag = "default"
    ElementTree.SubElement(user, "password")
    ElementTree.SubElement(users.find("profiles"), "default")
    ElementTree.SubElement(ElementTree.SubElement(users, "quotas"), "default")
    for bound in users.find("profiles/weir_reader/constraints"):
        bound.remove(bound.find("changeable_in_readonly"))
    return users


def configured(folder, users):
    """Configuration files with these users; without any, one who may do everything."""
    user = "<password/><profile>default</profile><quota>default</quota><networks><ip>::/0</ip></networks>"
    known = f"<profiles><default/></profiles><quotas><default/></quotas><users><default>{user}</default></users>"
    text = f"<clickhouse>{known}</clickhouse>" if users is None else ElementTree.tostring(users, "unicode")
    (folder / "users.xml").write_text(text)
    path = f"<users_xml><path>{folder / 'users.xml'}</path></users_xml>"
    (folder / "config.xml").write_text(f"<clickhouse><user_directories>{path}</user_directories></clickhouse>")
    return folder / "config.xml"


@pytest.mark.parametrize("statement", TRIED)
def test_the_recipe_lets_a_user_read_and_nothing_else(recipe, statement):
    found, expected = recipe[statement], TRIED[statement]
    assert found == expected if isinstance(expected, str) else found in expected


def test_what_a_reader_may_change_stays_within_bounds(asked):
    assert asked(WITHIN, readonly="2") == WITHIN


def test_the_recipe_has_the_limits_that_the_console_looks_for_and_grafana_stays_within_them(recipe):
    profile = ElementTree.parse(CLICKHOUSE / "reader.xml").getroot().find("profiles/weir_reader")
    assert all(int(profile.findtext(name)) > 0 for name in LIMITS)
    source = yaml.safe_load((ROOT / "infra/grafana/provisioning/datasources/weir.yml").read_text())["datasources"][1]
    asked_s = int(source["jsonData"]["queryTimeout"]) + 5  # clickhouse-go: a time-out and 5 s, as max_execution_time
    assert asked_s <= int(profile.findtext("constraints/max_execution_time/max"))
    assert source["jsonData"]["username"] == load().recording.clickhouse_reader
